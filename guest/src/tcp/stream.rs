//! A TCP connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::builder::SocketBuilder;
use crate::endpoint::ToEndpoint;
use crate::network::Network;
use crate::shape::{over_connection, over_options, over_socket, over_stream};
use crate::socket::Socket;

/// A TCP connection: [`std::net::TcpStream`].
///
/// It closes when it is dropped; what was sent is still delivered.
#[derive(Debug)]
pub struct TcpStream(Socket);

over_socket!(TcpStream, SocketAddr);
over_connection!(TcpStream, SocketAddr);
over_stream!(TcpStream);

over_options! { TcpStream:
    /// Whether small packets are sent at once (`TCP_NODELAY`).
    nodelay, set_nodelay: bool => tcp_nodelay, set_tcp_nodelay;
    /// How many routers a packet may pass (`IP_TTL`).
    ttl, set_ttl: u32 => ttl, set_ttl;
}

impl TcpStream {
    /// Connects to `remote`. Needs a `connect` grant.
    ///
    /// [`SocketBuilder`] does it with options, or from a chosen address.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `connect`.
    pub fn connect(remote: impl ToEndpoint) -> io::Result<Self> {
        SocketBuilder::stream().connect(remote).map(Self)
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_in(network: &Network, remote: impl ToEndpoint) -> io::Result<Self> {
        SocketBuilder::stream()
            .network(network)
            .connect(remote)
            .map(Self)
    }

    /// Connects to `remote`, waiting for at most `timeout`: for the lookup of a name
    /// and all of its addresses together.
    ///
    /// # Errors
    ///
    /// `TimedOut`; `InvalidInput` for a timeout of zero; those of
    /// [`connect`](Self::connect).
    pub fn connect_timeout(remote: impl ToEndpoint, timeout: Duration) -> io::Result<Self> {
        SocketBuilder::stream()
            .timeout(timeout)
            .connect(remote)
            .map(Self)
    }
}
