//! TCP without waiting in the host.

use std::io;
use std::net::SocketAddr;

use super::Async;
use crate::builder::SocketBuilder;
use crate::endpoint::ToEndpoint;
use crate::error::{ErrorCode, error_code};
use crate::network::Network;
use crate::socket::Socket;
use crate::tcp::{TcpListener, TcpStream};

impl Async<TcpListener> {
    /// Binds to `local` and listens: [`TcpListener::bind`].
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`].
    pub fn bind(local: impl ToEndpoint) -> io::Result<Self> {
        Self::new(TcpListener::bind(local)?)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::accept`].
    pub async fn accept(&self) -> io::Result<(Async<TcpStream>, SocketAddr)> {
        let (connection, peer) = self.read_with(TcpListener::accept).await?;
        Ok((Async::new(connection)?, peer))
    }
}

impl Async<TcpStream> {
    /// Connects to `remote`.
    ///
    /// Of a name, the first address of each family is tried, IPv4 a quarter of a second
    /// after IPv6, and the first that answers wins; [`lookup`](crate::lookup) tells them
    /// all, and [`SocketBuilder::in_turn`] tries them all.
    ///
    /// # Errors
    ///
    /// Those of [`TcpStream::connect`].
    pub async fn connect(remote: impl ToEndpoint) -> io::Result<Self> {
        Self::connect_with(&SocketBuilder::stream(), remote).await
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of [`TcpStream::connect`].
    pub async fn connect_in(network: &Network, remote: impl ToEndpoint) -> io::Result<Self> {
        let builder = SocketBuilder::stream().network(network);
        Self::connect_with(&builder, remote).await
    }

    /// The same with the options, the timeout and the source address of a builder.
    ///
    /// # Errors
    ///
    /// Those of [`SocketBuilder::connect`].
    pub async fn connect_with(
        builder: &SocketBuilder<'_>,
        remote: impl ToEndpoint,
    ) -> io::Result<Self> {
        let socket = builder.connect_async(remote).await?;
        Self::new(socket.into_inner()?.into())
    }

    /// Receives without taking it.
    ///
    /// # Errors
    ///
    /// Those of [`TcpStream::peek`].
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(|stream| stream.peek(buffer)).await
    }
}

impl Async<Socket> {
    /// Connects, and waits for how it ends.
    pub(crate) async fn connect(
        &self,
        start: impl FnOnce(&Socket) -> io::Result<()>,
    ) -> io::Result<()> {
        let socket = self.get_ref();
        match start(socket) {
            Err(error) if error_code(&error) == Some(ErrorCode::InProgress) => {}
            outcome => return outcome,
        }
        self.writable().await?;
        socket.take_error()?.map_or(Ok(()), Err)
    }
}
