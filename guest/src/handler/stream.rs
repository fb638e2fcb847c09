//! Handlers of connections.

use std::{fmt, io};

use super::peer;
use crate::address::SockAddr;
use crate::error::to_host;
use crate::raw::socket;
use crate::raw::types::{Error, SocketAddress};
use crate::socket::Socket;

/// Exports a function as what the host runs for each connection.
///
/// It takes the connection and the peer's address, and returns what is
/// [`Served`]: nothing, or an [`io::Result`]. When it returns, the connection is
/// closed; an error is for the host's log, and the peer hears nothing of it.
///
/// The connection is a [`TcpStream`](crate::TcpStream), a
/// [`UnixStream`](crate::UnixStream), or a [`Socket`](crate::Socket), which is
/// either, for a handler that is served at addresses of both families. The peer's
/// address is a [`SockAddr`](crate::SockAddr), or a [`std::net::SocketAddr`] or
/// [`UnixAddr`](crate::UnixAddr): then a connection of the other family ends with
/// an error before the function is called.
///
/// ```
/// use std::io;
///
/// use portcullis_guest::{SockAddr, Socket, stream_handler};
///
/// stream_handler!(echo);
///
/// /// Sends back what it receives, over TCP and unix sockets.
/// fn echo(connection: Socket, _peer: SockAddr) -> io::Result<()> {
///     io::copy(&mut &connection, &mut &connection)?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// See [`handler`](mod@crate::handler) for how to build it.
#[macro_export]
macro_rules! stream_handler {
    ($function:path) => {
        const _: () = {
            use $crate::handler::stream_server::exports::portcullis::sockets::stream_handler;

            struct Handler;

            impl stream_handler::Guest for Handler {
                fn handle(
                    connection: $crate::raw::socket::Socket,
                    peer: $crate::raw::types::SocketAddress,
                ) -> ::core::result::Result<(), $crate::raw::types::Error> {
                    $crate::handler::run_stream($function, connection, peer)
                }
            }

            // It is in use also where nobody can call it: no linker but that of wasm
            // takes a name like the contract's.
            const _: () = {
                let _ = <Handler as stream_handler::Guest>::handle;
            };
            #[cfg(target_family = "wasm")]
            $crate::handler::stream_server::export!(
                Handler with_types_in $crate::handler::stream_server
            );
        };
    };
}

/// What the function of a [`stream_handler!`](crate::stream_handler) may return.
pub trait Served {
    /// How serving the connection ended.
    ///
    /// # Errors
    ///
    /// That of the function, for the host's log.
    fn into_result(self) -> io::Result<()>;
}

impl Served for () {
    fn into_result(self) -> io::Result<()> {
        Ok(self)
    }
}

impl Served for io::Result<()> {
    fn into_result(self) -> io::Result<()> {
        self
    }
}

/// Calls the function with the types that it takes.
pub fn run<C, P, R>(
    function: impl FnOnce(C, P) -> R,
    connection: socket::Socket,
    address: SocketAddress,
) -> Result<(), Error>
where
    C: From<Socket>,
    P: TryFrom<SockAddr>,
    P::Error: fmt::Display,
    R: Served,
{
    let peer = peer(address)?;
    function(Socket::from_raw(connection).into(), peer)
        .into_result()
        .map_err(|error| to_host(&error))
}
