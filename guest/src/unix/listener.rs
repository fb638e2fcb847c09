//! A unix socket that takes connections.

use std::io;
use std::iter::FusedIterator;
use std::path::Path;

use super::{UnixAddr, UnixStream};
use crate::network::Network;
use crate::shape::over_socket;
use crate::socket::{Family, Socket, SocketType};

/// A unix socket that takes connections: `std::os::unix::net::UnixListener`.
#[derive(Debug)]
pub struct UnixListener(Socket);

over_socket!(UnixListener, UnixAddr);

impl UnixListener {
    /// Binds to a path of the host, which is absolute, and listens. Needs a
    /// `listen` grant.
    ///
    /// The path stays when the listener is dropped, as with `std`, and the next
    /// one to bind to it fails with `AddrInUse`. A program cannot remove it: no folder
    /// that it was given to write to holds a socket that it was granted.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; `InvalidInput` for what is no path;
    /// those of the contract's `bind` and `listen`.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Binds to an address and listens. Needs a `listen` grant.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_addr(address: &UnixAddr) -> io::Result<Self> {
        Self::bind_addr_in(&Network::default(), address)
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_addr_in(network: &Network, address: &UnixAddr) -> io::Result<Self> {
        let socket = network.open(Family::Unix, SocketType::Stream)?;
        socket.bind(address)?;
        socket.listen(None)?;
        Ok(Self(socket))
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Those of the contract's `accept`.
    pub fn accept(&self) -> io::Result<(UnixStream, UnixAddr)> {
        let (socket, peer) = self.0.accept()?;
        Ok((socket.into(), peer.try_into()?))
    }

    /// The connections as they come, for ever.
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming(self)
    }
}

/// The connections of a [`UnixListener`]: `std::os::unix::net::Incoming`.
#[derive(Debug)]
pub struct UnixIncoming<'a>(&'a UnixListener);

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.accept().map(|(connection, _)| connection))
    }
}

impl FusedIterator for UnixIncoming<'_> {}
