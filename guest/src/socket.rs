//! The BSD socket: everything that the contract offers for one, with
//! [`std::io::Result`].

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use crate::address;
use crate::endpoint::ToEndpoint;
use crate::error::from_host;
use crate::raw::socket::{
    OptionName, OptionValue, Readiness, ReceiveFlags, SendFlags, ShutdownHow,
};
use crate::raw::{poll, socket};

pub use crate::raw::types::{AddressFamily as Family, SocketType};

/// A socket of any family and type.
///
/// [`crate::Network::open`] makes one.
#[derive(Debug)]
pub struct Socket(socket::Socket);

impl Socket {
    pub(crate) fn new(socket: socket::Socket) -> Self {
        Self(socket)
    }

    /// The contract's own handle, for what has no better shape here yet.
    pub fn as_raw(&self) -> &socket::Socket {
        &self.0
    }

    /// Gives the socket an address: POSIX `bind`.
    ///
    /// # Errors
    ///
    /// As the contract says for the function of this name, here and below.
    pub fn bind(&self, local: impl ToEndpoint) -> io::Result<()> {
        self.0
            .bind(&local.to_endpoint()?.to_contract())
            .map_err(from_host)
    }

    /// Begins to take connections: POSIX `listen`.
    pub fn listen(&self, backlog: Option<u32>) -> io::Result<()> {
        self.0.listen(backlog).map_err(from_host)
    }

    /// Takes the next connection: POSIX `accept`.
    pub fn accept(&self) -> io::Result<(Self, SocketAddr)> {
        let (socket, peer) = self.0.accept().map_err(from_host)?;
        Ok((Self(socket), address::from_contract(&peer)?))
    }

    /// Connects to an address or a name: POSIX `connect`.
    pub fn connect(&self, remote: impl ToEndpoint) -> io::Result<()> {
        self.0
            .connect(&remote.to_endpoint()?.to_contract())
            .map_err(from_host)
    }

    /// Sends, and says how many bytes were taken: POSIX `send`.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.send_with_flags(data, SendFlags::empty())
    }

    /// The same with `MSG_` flags.
    pub fn send_with_flags(&self, data: &[u8], flags: SendFlags) -> io::Result<usize> {
        let sent = self.0.send(data, flags).map_err(from_host)?;
        // No more was taken than there is.
        Ok(usize::try_from(sent).unwrap_or(data.len()))
    }

    /// Sends all of it, within one timeout: Python's `sendall`.
    pub fn send_all(&self, data: &[u8]) -> io::Result<()> {
        self.0.send_all(data).map_err(from_host)
    }

    /// Receives into `buffer`, and says how many bytes: POSIX `recv`.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_with_flags(buffer, ReceiveFlags::empty())
    }

    /// The same with `MSG_` flags.
    pub fn recv_with_flags(&self, buffer: &mut [u8], flags: ReceiveFlags) -> io::Result<usize> {
        let data = self
            .0
            .receive(buffer.len() as u64, flags)
            .map_err(from_host)?;
        let room = buffer
            .get_mut(..data.len())
            .ok_or_else(|| io::Error::other("the host sent more than was asked for"))?;
        room.copy_from_slice(&data);
        Ok(data.len())
    }

    /// Closes one direction or both: POSIX `shutdown`.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => ShutdownHow::Receive,
            Shutdown::Write => ShutdownHow::Send,
            Shutdown::Both => ShutdownHow::Both,
        };
        self.0.shutdown(how).map_err(from_host)
    }

    /// The socket's own address: POSIX `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        address::from_contract(&self.0.local_address().map_err(from_host)?)
    }

    /// The peer's address: POSIX `getpeername`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        address::from_contract(&self.0.remote_address().map_err(from_host)?)
    }

    /// The value of an option: POSIX `getsockopt`.
    pub fn option(&self, name: OptionName) -> io::Result<OptionValue> {
        self.0.get_option(name).map_err(from_host)
    }

    /// Sets an option: POSIX `setsockopt`.
    pub fn set_option(&self, value: OptionValue) -> io::Result<()> {
        self.0.set_option(value).map_err(from_host)
    }

    /// How long operations on this handle wait: none for ever, zero not at all.
    pub fn timeout(&self) -> Option<Duration> {
        self.0.timeout().map(Duration::from_nanos)
    }

    /// Sets how long operations on this handle wait: Python's `settimeout`.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        self.0.set_timeout(timeout.map(nanoseconds));
    }

    /// Takes the error that waits to be reported: `SO_ERROR`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error().map_err(from_host)?.map(from_host))
    }

    /// Another handle on the same socket: POSIX `dup`.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.duplicate().map(Self).map_err(from_host)
    }

    /// Something to wait for together with other things.
    pub fn subscribe(&self, interest: Readiness) -> poll::Pollable {
        self.0.subscribe(interest)
    }
}

/// A span of time in the contract's unit; one that is too long to count is the
/// longest.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
