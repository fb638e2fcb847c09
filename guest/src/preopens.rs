//! The sockets that the host opened for the program.

use crate::raw::preopens;
use crate::socket::Socket;

/// The sockets that the host opened, by the names that it gave them.
///
/// With these a program serves without any grant of its own. Each call gives new
/// handles on the same sockets.
pub fn preopens() -> impl Iterator<Item = (String, Socket)> {
    preopens::get_sockets()
        .into_iter()
        .map(|(name, socket)| (name, Socket::from_raw(socket)))
}

/// The socket that the host opened under this name, if it did.
///
/// What it is good for is what the host opened it as: every type of this crate
/// can be made from a [`Socket`].
///
/// ```no_run
/// use portcullis_guest::{TcpListener, preopened};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = match preopened("web") {
///     Some(socket) => TcpListener::from(socket),
///     None => TcpListener::bind("127.0.0.1:8080")?,
/// };
/// # Ok(())
/// # }
/// ```
pub fn preopened(name: &str) -> Option<Socket> {
    preopens()
        .find(|(opened, _)| opened == name)
        .map(|(_, socket)| socket)
}
