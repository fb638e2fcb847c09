//! Datagrams between unix sockets.

use std::io;
use std::net::Shutdown;
use std::path::Path;

use super::UnixAddr;
use crate::network::Network;
use crate::shape::{over_connection, over_datagrams, over_socket};
use crate::socket::{Family, Socket, SocketType};

/// A unix socket for datagrams: `std::os::unix::net::UnixDatagram`.
#[derive(Debug)]
pub struct UnixDatagram(Socket);

over_socket!(UnixDatagram, UnixAddr);
over_connection!(UnixDatagram, UnixAddr);
over_datagrams!(UnixDatagram, UnixAddr);

impl UnixDatagram {
    /// Opens a socket and binds it to a path of the host. Needs a `listen` or
    /// `bind` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; `InvalidInput` for what is no path;
    /// those of the contract's `bind`.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Opens a socket and binds it to an address.
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
        let socket = Self::unbound_in(network)?;
        socket.0.bind(address)?;
        Ok(socket)
    }

    /// Opens a socket without an address: good for sending.
    ///
    /// # Errors
    ///
    /// Those of the contract's `open`.
    pub fn unbound() -> io::Result<Self> {
        Self::unbound_in(&Network::default())
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of the contract's `open`.
    pub fn unbound_in(network: &Network) -> io::Result<Self> {
        network.open(Family::Unix, SocketType::Datagram).map(Self)
    }

    /// Two sockets that are connected with each other. Needs no grant.
    ///
    /// # Errors
    ///
    /// Those of the contract's `pair`.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = Socket::pair(Family::Unix, SocketType::Datagram)?;
        Ok((Self(one), Self(other)))
    }

    /// Sets the peer by its path: where `send` sends to. Needs a `connect` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; `InvalidInput` for what is no path;
    /// those of the contract's `connect`.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&UnixAddr::from_pathname(path)?)
    }

    /// Sets the peer by its address.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_addr(&self, address: &UnixAddr) -> io::Result<()> {
        self.0.connect(address)
    }

    /// Sends one datagram to the socket at a path. Needs a `connect` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; `InvalidInput` for what is no path;
    /// those of the contract's `send-to`.
    pub fn send_to(&self, data: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.send_to_addr(data, &UnixAddr::from_pathname(path)?)
    }

    /// Sends one datagram to the socket of an address.
    ///
    /// # Errors
    ///
    /// Those of [`send_to`](Self::send_to).
    pub fn send_to_addr(&self, data: &[u8], address: &UnixAddr) -> io::Result<usize> {
        self.0.send_to(data, address)
    }

    /// Sends several datagrams, each to an address of its own, in one call, and
    /// says how many went out (Linux `sendmmsg`).
    ///
    /// # Errors
    ///
    /// Those of the contract's `send-datagrams`.
    pub fn send_many_to(&self, datagrams: &[(impl AsRef<[u8]>, UnixAddr)]) -> io::Result<usize> {
        self.0.send_many_to(datagrams)
    }

    /// Closes one direction or both, for every handle.
    ///
    /// # Errors
    ///
    /// Those of the contract's `shutdown`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}
