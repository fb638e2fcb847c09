//! Unix sockets without waiting in the host.

use std::io;
use std::path::Path;

use super::Async;
use crate::network::Network;
use crate::socket::{Family, SocketType};
use crate::unix::{UnixAddr, UnixDatagram, UnixListener, UnixStream};

impl Async<UnixListener> {
    /// Binds to a path of the host and listens: [`UnixListener::bind`].
    ///
    /// # Errors
    ///
    /// Those of [`UnixListener::bind`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(UnixListener::bind(path)?)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Those of [`UnixListener::accept`].
    pub async fn accept(&self) -> io::Result<(Async<UnixStream>, UnixAddr)> {
        let (connection, peer) = self.read_with(UnixListener::accept).await?;
        Ok((Async::new(connection)?, peer))
    }
}

impl Async<UnixStream> {
    /// Connects to the socket at a path of the host.
    ///
    /// # Errors
    ///
    /// Those of [`UnixStream::connect`], and `WouldBlock` where more wait to be
    /// accepted than the listener has room for: there is no telling when it has.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let address = UnixAddr::from_pathname(path)?;
        Self::connect_addr_in(&Network::default(), &address).await
    }

    /// Connects to the socket of this address, in `network`.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub async fn connect_addr_in(network: &Network, address: &UnixAddr) -> io::Result<Self> {
        let socket = Async::new(network.open(Family::Unix, SocketType::Stream)?)?;
        socket.connect(|socket| socket.connect(address)).await?;
        Self::new(socket.into_inner()?.into())
    }

    /// Two streams that are connected with each other: [`UnixStream::pair`].
    ///
    /// # Errors
    ///
    /// Those of [`UnixStream::pair`].
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        Ok((Self::new(one)?, Self::new(other)?))
    }
}

impl Async<UnixDatagram> {
    /// Opens a socket and binds it to a path of the host: [`UnixDatagram::bind`].
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::bind`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(UnixDatagram::bind(path)?)
    }

    /// Opens a socket without an address: [`UnixDatagram::unbound`].
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::unbound`].
    pub fn unbound() -> io::Result<Self> {
        Self::new(UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected with each other: [`UnixDatagram::pair`].
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::pair`].
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixDatagram::pair()?;
        Ok((Self::new(one)?, Self::new(other)?))
    }

    /// Sends one datagram to the socket at a path.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::send_to`].
    pub async fn send_to(&self, data: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let address = UnixAddr::from_pathname(path)?;
        self.write_with(|socket| socket.send_to_addr(data, &address))
            .await
    }

    /// Receives a datagram, and says where it came from.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::recv_from`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, UnixAddr)> {
        self.read_with(|socket| socket.recv_from(buffer)).await
    }

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::send`].
    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.write_with(|socket| socket.send(data)).await
    }

    /// Receives a datagram from the peer.
    ///
    /// # Errors
    ///
    /// Those of [`UnixDatagram::recv`].
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(|socket| socket.recv(buffer)).await
    }
}
