//! A connection of unix sockets.

use std::io;
use std::path::Path;

use super::UnixAddr;
use crate::network::Network;
use crate::shape::{over_connection, over_socket, over_stream};
use crate::socket::{Family, Socket, SocketType};

/// A connection of unix sockets: `std::os::unix::net::UnixStream`.
///
/// ```no_run
/// use std::io::{Read, Write};
///
/// use portcullis_guest::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (mut here, mut there) = UnixStream::pair()?;
/// here.write_all(b"hello")?;
/// drop(here);
/// let mut heard = String::new();
/// there.read_to_string(&mut heard)?;
/// assert_eq!(heard, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UnixStream(Socket);

over_socket!(UnixStream, UnixAddr);
over_connection!(UnixStream, UnixAddr);
over_stream!(UnixStream);

impl UnixStream {
    /// Connects to the socket at a path of the host. Needs a `connect` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; `InvalidInput` for what is no path;
    /// those of the contract's `connect`.
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Connects to the socket of this address. Needs a `connect` grant.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_addr(address: &UnixAddr) -> io::Result<Self> {
        Self::connect_addr_in(&Network::default(), address)
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_addr_in(network: &Network, address: &UnixAddr) -> io::Result<Self> {
        let socket = network.open(Family::Unix, SocketType::Stream)?;
        socket.connect(address)?;
        Ok(Self(socket))
    }

    /// Two streams that are connected with each other. Needs no grant.
    ///
    /// # Errors
    ///
    /// Those of the contract's `pair`.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = Socket::pair(Family::Unix, SocketType::Stream)?;
        Ok((Self(one), Self(other)))
    }
}
