//! The BSD socket: everything that the contract offers for one, with
//! [`std::io::Result`].

mod file;
mod keepalive;
mod options;
mod vectored;

use std::io;
use std::net::{IpAddr, Shutdown};
use std::time::Duration;

use crate::address::{self, SockAddr};
use crate::datagram::Datagram;
use crate::error::from_host;
use crate::network::Network;
use crate::raw::socket::{
    OptionName, OptionValue, OutgoingDatagram, Readiness, ReceiveFlags, SendFlags, ShutdownHow,
};
use crate::raw::{socket, wasi_poll};
use crate::shape::over_bytes;
use crate::socket_endpoint::ToSocketEndpoint;

pub use crate::raw::types::{AddressFamily as Family, SocketType};
pub use keepalive::TcpKeepalive;

/// A socket of any family and type: the BSD socket, in the manner of the
/// `socket2` crate.
///
/// The types in the shape of `std` are made of it; it is for what they leave
/// out. Sequenced packets, say, which `std` has no type for:
///
/// ```no_run
/// use portcullis_guest::{Family, Socket, SocketType, UnixAddr};
///
/// # fn main() -> std::io::Result<()> {
/// let socket = Socket::new(Family::Unix, SocketType::Seqpacket)?;
/// socket.connect(UnixAddr::from_pathname("/run/steps.sock")?)?;
/// socket.send(b"one message")?;
/// # Ok(())
/// # }
/// ```
///
/// It reads and writes as `std`'s streams do, of whichever family it is.
#[derive(Debug)]
pub struct Socket(socket::Socket);

over_bytes!(Socket);

impl Socket {
    /// Opens a socket of the [default network](Network::default) with the usual
    /// protocol of its family and type: POSIX `socket`.
    ///
    /// # Errors
    ///
    /// As the contract says for the function of this name, or of POSIX's, here
    /// and below.
    pub fn new(family: Family, socket_type: SocketType) -> io::Result<Self> {
        Network::default().open(family, socket_type)
    }

    /// Two sockets that are connected with each other: POSIX `socketpair`.
    pub fn pair(family: Family, socket_type: SocketType) -> io::Result<(Self, Self)> {
        Network::default().pair(family, socket_type)
    }

    pub(crate) fn from_raw(socket: socket::Socket) -> Self {
        Self(socket)
    }

    /// The contract's own handle, for what has no better shape here yet.
    pub fn as_raw(&self) -> &socket::Socket {
        &self.0
    }

    /// Gives the socket an address: POSIX `bind`.
    pub fn bind(&self, local: impl ToSocketEndpoint) -> io::Result<()> {
        self.0.bind(&local.to_socket_endpoint()?).map_err(from_host)
    }

    /// Begins to take connections: POSIX `listen`. Without a `backlog`, 128 may
    /// wait to be accepted.
    pub fn listen(&self, backlog: Option<u32>) -> io::Result<()> {
        self.0.listen(backlog).map_err(from_host)
    }

    /// Takes the next connection: POSIX `accept`.
    pub fn accept(&self) -> io::Result<(Self, SockAddr)> {
        let (socket, peer) = self.0.accept().map_err(from_host)?;
        Ok((Self(socket), peer.into()))
    }

    /// Connects to an address or a name: POSIX `connect`.
    pub fn connect(&self, remote: impl ToSocketEndpoint) -> io::Result<()> {
        self.0
            .connect(&remote.to_socket_endpoint()?)
            .map_err(from_host)
    }

    /// Sends, and says how many bytes were taken: POSIX `send`.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.send_with_flags(data, SendFlags::empty())
    }

    /// The same with `MSG_` flags.
    pub fn send_with_flags(&self, data: &[u8], flags: SendFlags) -> io::Result<usize> {
        let sent = self.0.send(data, flags).map_err(from_host)?;
        Ok(at_most(sent, data.len()))
    }

    /// Sends all of it, within one timeout: Python's `sendall`.
    pub fn send_all(&self, data: &[u8]) -> io::Result<()> {
        self.0.send_all(data).map_err(from_host)
    }

    /// Sends urgent data (`MSG_OOB`).
    pub fn send_out_of_band(&self, data: &[u8]) -> io::Result<usize> {
        self.send_with_flags(data, SendFlags::OUT_OF_BAND)
    }

    /// Sends one datagram to `destination`: POSIX `sendto`.
    pub fn send_to(&self, data: &[u8], destination: impl ToSocketEndpoint) -> io::Result<usize> {
        self.send_to_with_flags(data, destination, SendFlags::empty())
    }

    /// The same with `MSG_` flags.
    pub fn send_to_with_flags(
        &self,
        data: &[u8],
        destination: impl ToSocketEndpoint,
        flags: SendFlags,
    ) -> io::Result<usize> {
        let destination = destination.to_socket_endpoint()?;
        let sent = self.0.send_to(data, flags, &destination);
        Ok(at_most(sent.map_err(from_host)?, data.len()))
    }

    /// Sends several datagrams to the peer in one call, and says how many went
    /// out: Linux `sendmmsg`.
    pub fn send_many(&self, datagrams: &[impl AsRef<[u8]>]) -> io::Result<usize> {
        let to_peer = datagrams.iter().map(|data| OutgoingDatagram {
            data: data.as_ref().to_vec(),
            destination: None,
        });
        self.send_batch(&to_peer.collect::<Vec<_>>())
    }

    /// Sends several datagrams, each to a destination of its own, in one call,
    /// and says how many went out: Linux `sendmmsg`.
    pub fn send_many_to<D, E>(&self, datagrams: &[(D, E)]) -> io::Result<usize>
    where
        D: AsRef<[u8]>,
        E: ToSocketEndpoint,
    {
        let addressed = datagrams.iter().map(|(data, destination)| {
            Ok(OutgoingDatagram {
                data: data.as_ref().to_vec(),
                destination: Some(destination.to_socket_endpoint()?),
            })
        });
        self.send_batch(&addressed.collect::<io::Result<Vec<_>>>()?)
    }

    fn send_batch(&self, batch: &[OutgoingDatagram]) -> io::Result<usize> {
        let sent = self.0.send_datagrams(batch, SendFlags::empty());
        Ok(at_most(sent.map_err(from_host)?, batch.len()))
    }

    /// Receives into `buffer`, and says how many bytes: POSIX `recv`.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_with_flags(buffer, ReceiveFlags::empty())
    }

    /// The same with `MSG_` flags.
    pub fn recv_with_flags(&self, buffer: &mut [u8], flags: ReceiveFlags) -> io::Result<usize> {
        let data = self.0.receive(buffer.len() as u64, flags);
        fill(buffer, &data.map_err(from_host)?)
    }

    /// Receives up to `maximum` bytes, as the host hands them over: without a buffer
    /// while it waits, nor a copy afterwards. None is the end of a stream.
    pub fn recv_vec(&self, maximum: usize) -> io::Result<Vec<u8>> {
        let data = self.0.receive(maximum as u64, ReceiveFlags::empty());
        data.map_err(from_host)
    }

    /// Receives and leaves the data where it is (`MSG_PEEK`).
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_with_flags(buffer, ReceiveFlags::PEEK)
    }

    /// Receives urgent data (`MSG_OOB`).
    pub fn recv_out_of_band(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_with_flags(buffer, ReceiveFlags::OUT_OF_BAND)
    }

    /// Receives one datagram into `buffer`, and says how many bytes of it there
    /// was room for and where it came from: POSIX `recvfrom`.
    pub fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        self.recv_from_with_flags(buffer, ReceiveFlags::empty())
    }

    /// The same with `MSG_` flags.
    pub fn recv_from_with_flags(
        &self,
        buffer: &mut [u8],
        flags: ReceiveFlags,
    ) -> io::Result<(usize, SockAddr)> {
        let Datagram { data, source, .. } = self.recv_datagram_with_flags(buffer.len(), flags)?;
        Ok((fill(buffer, &data)?, source))
    }

    /// Receives one datagram and leaves it where it is (`MSG_PEEK`).
    pub fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
        self.recv_from_with_flags(buffer, ReceiveFlags::PEEK)
    }

    /// Receives one datagram of up to `maximum` bytes; it says whether there was
    /// more (`MSG_TRUNC`).
    pub fn recv_datagram(&self, maximum: usize) -> io::Result<Datagram<SockAddr>> {
        self.recv_datagram_with_flags(maximum, ReceiveFlags::empty())
    }

    /// The same with `MSG_` flags.
    pub fn recv_datagram_with_flags(
        &self,
        maximum: usize,
        flags: ReceiveFlags,
    ) -> io::Result<Datagram<SockAddr>> {
        let datagram = self.0.receive_from(maximum as u64, flags);
        Ok(datagram.map_err(from_host)?.into())
    }

    /// Waits for one datagram, then takes all that are there, up to `count` of
    /// at most `maximum` bytes each: Linux `recvmmsg`.
    pub fn recv_many(&self, count: u32, maximum: usize) -> io::Result<Vec<Datagram<SockAddr>>> {
        let flags = ReceiveFlags::empty();
        let datagrams = self.0.receive_datagrams(count, maximum as u64, flags);
        let datagrams = datagrams.map_err(from_host)?;
        Ok(datagrams.into_iter().map(Datagram::from).collect())
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
    pub fn local_addr(&self) -> io::Result<SockAddr> {
        Ok(self.0.local_address().map_err(from_host)?.into())
    }

    /// The peer's address: POSIX `getpeername`.
    pub fn peer_addr(&self) -> io::Result<SockAddr> {
        Ok(self.0.remote_address().map_err(from_host)?.into())
    }

    /// The value of an option: POSIX `getsockopt`. The functions that are named
    /// after one have it in its own type.
    pub fn option(&self, name: OptionName) -> io::Result<OptionValue> {
        self.0.get_option(name).map_err(from_host)
    }

    /// Sets an option: POSIX `setsockopt`.
    pub fn set_option(&self, value: OptionValue) -> io::Result<()> {
        self.0.set_option(value).map_err(from_host)
    }

    /// Joins a multicast group on the interface with this index; zero for the one
    /// that the OS chooses (`IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP`). Needs a
    /// `join` grant.
    pub fn join_group(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        self.0
            .join_group(address::ip_to_contract(group), interface)
            .map_err(from_host)
    }

    /// Leaves a multicast group (`IP_DROP_MEMBERSHIP`, `IPV6_LEAVE_GROUP`).
    pub fn leave_group(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        self.0
            .leave_group(address::ip_to_contract(group), interface)
            .map_err(from_host)
    }

    /// How long operations on this handle wait: none for ever, zero not at all.
    pub fn timeout(&self) -> Option<Duration> {
        self.0.timeout().map(Duration::from_nanos)
    }

    /// Sets how long operations on this handle wait: Python's `settimeout`.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        self.0.set_timeout(timeout.map(nanoseconds));
    }

    /// Whether operations on this handle fail with `WouldBlock` rather than wait.
    pub fn nonblocking(&self) -> bool {
        self.timeout() == Some(Duration::ZERO)
    }

    /// Sets whether operations on this handle wait for ever or not at all: a
    /// [timeout](Self::set_timeout) of none or of zero.
    pub fn set_nonblocking(&self, nonblocking: bool) {
        self.set_timeout(nonblocking.then_some(Duration::ZERO));
    }

    /// Takes the error that waits to be reported: `SO_ERROR`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.0.take_error().map_err(from_host)?.map(from_host))
    }

    /// Another handle on the same socket: POSIX `dup`.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.duplicate().map(Self).map_err(from_host)
    }

    /// Something to wait for together with other things; many sockets are
    /// better waited for with a [`Poller`](crate::Poller).
    pub fn subscribe(&self, interest: Readiness) -> wasi_poll::Pollable {
        self.0.subscribe(interest)
    }
}

impl AsRef<Socket> for Socket {
    fn as_ref(&self) -> &Socket {
        self
    }
}

/// A span of time in the contract's unit; one that is too long to count is the
/// longest.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A count of the host's, who takes no more than there is.
fn at_most(count: u64, most: usize) -> usize {
    usize::try_from(count).map_or(most, |count| count.min(most))
}

fn fill(buffer: &mut [u8], data: &[u8]) -> io::Result<usize> {
    let room = buffer
        .get_mut(..data.len())
        .ok_or_else(|| io::Error::other("the host sent more than was asked for"))?;
    room.copy_from_slice(data);
    Ok(data.len())
}
