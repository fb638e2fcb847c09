//! TCP in the shape of `std::net`.

use std::io::{self, Read, Write};
use std::iter::FusedIterator;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{ErrorCode, error_code};
use crate::network::Network;
use crate::raw::socket::{OptionName, OptionValue, ReceiveFlags};
use crate::socket::{Family, Socket, SocketType, nanoseconds};

/// How many connections wait to be accepted, as in `std::net`.
const BACKLOG: u32 = 128;

/// A TCP socket that takes connections: [`std::net::TcpListener`].
#[derive(Debug)]
pub struct TcpListener(Socket);

impl TcpListener {
    /// Binds to `local` and listens. Needs a `listen` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `bind` and
    /// `listen`.
    pub fn bind(local: impl ToEndpoint) -> io::Result<Self> {
        for_each_family(&local.to_endpoint()?, |socket, local| {
            socket.set_option(OptionValue::ReuseAddress(true))?;
            socket.bind(local)?;
            socket.listen(Some(BACKLOG))
        })
        .map(Self)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    ///
    /// Those of the contract's `accept`.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = self.0.accept()?;
        Ok((TcpStream(socket), peer))
    }

    /// The connections as they come, for ever.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Those of the contract's function of the same purpose, here and below.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Another handle on the same socket.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Whether `accept` fails with `WouldBlock` rather than wait.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        set_nonblocking(&self.0, nonblocking);
        Ok(())
    }

    /// The error that waits to be reported.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// How many routers a packet may pass (`IP_TTL`).
    pub fn ttl(&self) -> io::Result<u32> {
        ttl(&self.0)
    }

    /// Sets how many routers a packet may pass.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        set_ttl(&self.0, ttl)
    }

    /// The socket beneath.
    pub fn as_socket(&self) -> &Socket {
        &self.0
    }
}

impl From<Socket> for TcpListener {
    fn from(listening: Socket) -> Self {
        Self(listening)
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

/// A TCP connection: [`std::net::TcpStream`].
///
/// It closes when it is dropped; what was sent is still delivered.
#[derive(Debug)]
pub struct TcpStream(Socket);

impl TcpStream {
    /// Connects to `remote`. Needs a `connect` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `connect`.
    pub fn connect(remote: impl ToEndpoint) -> io::Result<Self> {
        for_each_family(&remote.to_endpoint()?, |socket, remote| {
            socket.connect(remote)
        })
        .map(Self)
    }

    /// Connects to `remote`, waiting for at most `timeout` at each of its
    /// addresses.
    ///
    /// # Errors
    ///
    /// `TimedOut`; `InvalidInput` for a timeout of zero; those of
    /// [`connect`](TcpStream::connect).
    pub fn connect_timeout(remote: impl ToEndpoint, timeout: Duration) -> io::Result<Self> {
        let timeout = Some(positive(timeout)?);
        for_each_family(&remote.to_endpoint()?, |socket, remote| {
            socket.set_timeout(timeout);
            socket.connect(remote)?;
            socket.set_timeout(None);
            Ok(())
        })
        .map(Self)
    }

    /// The other end.
    ///
    /// # Errors
    ///
    /// Those of the contract's function of the same purpose, here and below.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// This end.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Closes one direction or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// Another handle on the same connection.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Receives without taking it.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv_with_flags(buffer, ReceiveFlags::PEEK)
    }

    /// How long a read waits (`SO_RCVTIMEO`); none is for ever.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        let OptionValue::ReceiveTimeout(timeout) = self.0.option(OptionName::ReceiveTimeout)?
        else {
            return Err(unexpected());
        };
        Ok(timeout.map(Duration::from_nanos))
    }

    /// Sets how long a read waits; after that it fails with `WouldBlock`.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(positive).transpose()?;
        self.0
            .set_option(OptionValue::ReceiveTimeout(timeout.map(nanoseconds)))
    }

    /// How long a write waits (`SO_SNDTIMEO`); none is for ever.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        let OptionValue::SendTimeout(timeout) = self.0.option(OptionName::SendTimeout)? else {
            return Err(unexpected());
        };
        Ok(timeout.map(Duration::from_nanos))
    }

    /// Sets how long a write waits; after that it fails with `WouldBlock`.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(positive).transpose()?;
        self.0
            .set_option(OptionValue::SendTimeout(timeout.map(nanoseconds)))
    }

    /// Whether small packets are sent at once (`TCP_NODELAY`).
    pub fn nodelay(&self) -> io::Result<bool> {
        let OptionValue::NoDelay(on) = self.0.option(OptionName::NoDelay)? else {
            return Err(unexpected());
        };
        Ok(on)
    }

    /// Sets whether small packets are sent at once.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_option(OptionValue::NoDelay(nodelay))
    }

    /// How many routers a packet may pass (`IP_TTL`).
    pub fn ttl(&self) -> io::Result<u32> {
        ttl(&self.0)
    }

    /// Sets how many routers a packet may pass.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        set_ttl(&self.0, ttl)
    }

    /// Whether operations fail with `WouldBlock` rather than wait.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        set_nonblocking(&self.0, nonblocking);
        Ok(())
    }

    /// The error that waits to be reported.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// The socket beneath.
    pub fn as_socket(&self) -> &Socket {
        &self.0
    }
}

impl From<Socket> for TcpStream {
    fn from(connected: Socket) -> Self {
        Self(connected)
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }
}

impl Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.send(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a socket of the family that `endpoint` has and lets `start` set it to
/// work. A name may have addresses of either family: IPv6 is tried first, as
/// `getaddrinfo` would have it.
fn for_each_family(
    endpoint: &Endpoint,
    start: impl Fn(&Socket, &Endpoint) -> io::Result<()>,
) -> io::Result<Socket> {
    let families: &[Family] = match endpoint {
        Endpoint::Address(SocketAddr::V4(_)) => &[Family::Inet],
        Endpoint::Address(SocketAddr::V6(_)) => &[Family::Inet6],
        Endpoint::Name { .. } => &[Family::Inet6, Family::Inet],
    };
    let network = Network::default();
    let mut failure: Option<io::Error> = None;
    for &family in families {
        let started = network.open(family, SocketType::Stream).and_then(|socket| {
            start(&socket, endpoint)?;
            Ok(socket)
        });
        match started {
            Ok(socket) => return Ok(socket),
            Err(error) => match failure {
                // That one family has no address says less than why the other
                // did not answer.
                Some(_) if lacks_family(&error) => {}
                _ => failure = Some(error),
            },
        }
    }
    Err(failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

fn lacks_family(error: &io::Error) -> bool {
    matches!(
        error_code(error),
        Some(ErrorCode::NameFamilyNotSupported | ErrorCode::AddressFamilyNotSupported)
    )
}

fn set_nonblocking(socket: &Socket, nonblocking: bool) {
    socket.set_timeout(nonblocking.then_some(Duration::ZERO));
}

fn ttl(socket: &Socket) -> io::Result<u32> {
    let OptionValue::HopLimit(limit) = socket.option(OptionName::HopLimit)? else {
        return Err(unexpected());
    };
    Ok(limit.into())
}

fn set_ttl(socket: &Socket, ttl: u32) -> io::Result<()> {
    let limit = u8::try_from(ttl).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a time to live is at most 255, not {ttl}"),
        )
    })?;
    socket.set_option(OptionValue::HopLimit(limit))
}

/// As `std::net`, which refuses a timeout of zero.
fn positive(timeout: Duration) -> io::Result<Duration> {
    if timeout.is_zero() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a timeout of zero would not wait at all",
        ));
    }
    Ok(timeout)
}

fn unexpected() -> io::Error {
    io::Error::other("the host answered with another option than was asked for")
}
