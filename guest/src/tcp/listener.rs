//! A TCP socket that takes connections.

use std::io;
use std::iter::FusedIterator;
use std::net::SocketAddr;

use super::TcpStream;
use crate::builder::SocketBuilder;
use crate::endpoint::ToEndpoint;
use crate::network::Network;
use crate::shape::{over_options, over_socket};
use crate::socket::Socket;

/// A TCP socket that takes connections: [`std::net::TcpListener`].
#[derive(Debug)]
pub struct TcpListener(Socket);

over_socket!(TcpListener, SocketAddr);

over_options! { TcpListener:
    /// How many routers a packet may pass (`IP_TTL`).
    ttl, set_ttl: u32 => ttl, set_ttl;
}

impl TcpListener {
    /// Binds to `local` and listens. Needs a `listen` grant.
    ///
    /// [`SocketBuilder`] does it with options.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `bind` and
    /// `listen`.
    pub fn bind(local: impl ToEndpoint) -> io::Result<Self> {
        SocketBuilder::stream().listen(local).map(Self)
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_in(network: &Network, local: impl ToEndpoint) -> io::Result<Self> {
        SocketBuilder::stream()
            .network(network)
            .listen(local)
            .map(Self)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Those of the contract's `accept`.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = self.0.accept()?;
        Ok((socket.into(), peer.try_into()?))
    }

    /// The connections as they come, for ever.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }
}

/// The connections of a [`TcpListener`]: [`std::net::Incoming`].
#[derive(Debug)]
pub struct Incoming<'a>(&'a TcpListener);

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.accept().map(|(connection, _)| connection))
    }
}

impl FusedIterator for Incoming<'_> {}
