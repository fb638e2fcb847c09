//! `portcullis:sockets/preopens`.

use portcullis_net::Socket;
use wasmtime::component::Resource;

use crate::bindings::portcullis::sockets::preopens::Host;
use crate::ctx::CtxView;

impl Host for CtxView<'_> {
    fn get_sockets(&mut self) -> wasmtime::Result<Vec<(String, Resource<Socket>)>> {
        let preopens = self.ctx.preopens().iter();
        preopens
            .map(|(name, socket)| Ok((name.clone(), self.table.push(socket.duplicate())?)))
            .collect()
    }
}
