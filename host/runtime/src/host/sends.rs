//! Sending out of the guest's own memory, which is lent to the OS: what `bindgen!`
//! makes would copy it first. It must do no more than that; what a send is, is in
//! `net`.

use portcullis_net::{Error, Socket};
use wasmtime::component::{Linker, Resource, WasmList};
use wasmtime::{Result, StoreContextMut};

use crate::bindings::portcullis::sockets::socket::SendFlags;
use crate::bindings::portcullis::sockets::types::{self, Host as _};
use crate::ctx::View;
use crate::failure::Failure;

/// The interface, as linkers call it.
const SOCKET: &str = "portcullis:sockets/socket@0.1.0";

/// What a guest is given by a function with a result.
type Answer<T> = (std::result::Result<T, types::Error>,);

/// Puts the functions in the place of those that are in the linker.
pub(crate) fn add_to_linker<T: View + 'static>(linker: &mut Linker<T>) -> Result<()> {
    let shadows = allows_shadowing(linker)?;
    linker.allow_shadowing(true);
    let added = add(linker);
    linker.allow_shadowing(shadows);
    added
}

fn add<T: View + 'static>(linker: &mut Linker<T>) -> Result<()> {
    let mut socket = linker.instance(SOCKET)?;
    socket.func_wrap_async("[method]socket.send", |store, parameters| {
        Box::new(send(store, parameters))
    })?;
    socket.func_wrap_async("[method]socket.send-all", |store, parameters| {
        Box::new(send_all(store, parameters))
    })?;
    socket.func_wrap_async("[method]socket.send-to", |store, parameters| {
        Box::new(send_to(store, parameters))
    })
}

/// Whether a linker takes a second definition, which it does not tell: a copy of it
/// is tried.
fn allows_shadowing<T: 'static>(linker: &Linker<T>) -> Result<bool> {
    let mut copy = linker.clone();
    let mut instance = copy.instance("portcullis:sockets/none")?;
    instance.func_wrap("twice", |_, (): ()| Ok(()))?;
    Ok(instance.func_wrap("twice", |_, (): ()| Ok(())).is_ok())
}

async fn send<T: View>(
    mut store: StoreContextMut<'_, T>,
    (socket, data, flags): (Resource<Socket>, WasmList<u8>, SendFlags),
) -> Result<Answer<u64>> {
    let socket = handle(&mut store, &socket)?;
    let sent = socket.send(data.as_le_slice(&store), flags.into()).await;
    answer(&mut store, sent.map(|sent| sent as u64))
}

async fn send_all<T: View>(
    mut store: StoreContextMut<'_, T>,
    (socket, data): (Resource<Socket>, WasmList<u8>),
) -> Result<Answer<()>> {
    let socket = handle(&mut store, &socket)?;
    let sent = socket.send_all(data.as_le_slice(&store)).await;
    answer(&mut store, sent)
}

async fn send_to<T: View>(
    mut store: StoreContextMut<'_, T>,
    (socket, data, flags, destination): (
        Resource<Socket>,
        WasmList<u8>,
        SendFlags,
        types::Endpoint,
    ),
) -> Result<Answer<u64>> {
    let socket = handle(&mut store, &socket)?;
    let (data, destination) = (data.as_le_slice(&store), destination.into());
    let sent = socket.send_to(data, flags.into(), &destination).await;
    answer(&mut store, sent.map(|sent| sent as u64))
}

/// The same handle once more, since the store is lent out.
fn handle<T: View>(
    store: &mut StoreContextMut<'_, T>,
    socket: &Resource<Socket>,
) -> Result<Socket> {
    let socket = store.data_mut().portcullis().table.get(socket)?;
    Ok(socket.duplicate())
}

fn answer<T: View, V>(
    store: &mut StoreContextMut<'_, T>,
    done: std::result::Result<V, Error>,
) -> Result<Answer<V>> {
    Ok((match done {
        Ok(value) => Ok(value),
        Err(error) => {
            let mut view = store.data_mut().portcullis();
            Err(view.convert_error(Failure::from(error))?)
        }
    },))
}
