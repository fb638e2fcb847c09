//! UDP without waiting in the host.

use std::io;
use std::net::SocketAddr;

use super::Async;
use crate::datagram::Datagram;
use crate::endpoint::ToEndpoint;
use crate::socket::Family;
use crate::udp::UdpSocket;

impl Async<UdpSocket> {
    /// Opens a socket and binds it to `local`: [`UdpSocket::bind`].
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::bind`].
    pub fn bind(local: impl ToEndpoint) -> io::Result<Self> {
        Self::new(UdpSocket::bind(local)?)
    }

    /// Opens a socket without an address: [`UdpSocket::unbound`].
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::unbound`].
    pub fn unbound(family: Family) -> io::Result<Self> {
        Self::new(UdpSocket::unbound(family)?)
    }

    /// Sends one datagram to `destination`.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::send_to`].
    pub async fn send_to(&self, data: &[u8], destination: impl ToEndpoint) -> io::Result<usize> {
        self.write_with(|socket| socket.send_to(data, &destination))
            .await
    }

    /// Receives a datagram, and says where it came from.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::recv_from`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.read_with(|socket| socket.recv_from(buffer)).await
    }

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::send`].
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.write_with(|socket| socket.send(data)).await
    }

    /// Receives a datagram from the peer.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::recv`].
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(|socket| socket.recv(buffer)).await
    }

    /// Waits for one datagram, then takes all that are there.
    ///
    /// # Errors
    ///
    /// Those of [`UdpSocket::recv_many`].
    pub async fn recv_many(&self, count: u32, maximum: usize) -> io::Result<Vec<Datagram>> {
        self.read_with(|socket| socket.recv_many(count, maximum))
            .await
    }
}
