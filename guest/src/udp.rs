//! UDP in the shape of `std::net`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::builder::SocketBuilder;
use crate::endpoint::ToEndpoint;
use crate::error::{ErrorCode, from_host};
use crate::network::Network;
use crate::raw::types;
use crate::shape::{over_connection, over_datagrams, over_options, over_socket};
use crate::socket::{Family, Socket, SocketType};

/// A UDP socket: [`std::net::UdpSocket`].
///
/// Receiving from strangers needs a `listen` grant, sending a `connect` grant or
/// a datagram that came from there in the last minute.
///
/// ```no_run
/// use portcullis_guest::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// let socket = UdpSocket::bind("127.0.0.1:12348")?;
/// let mut buffer = [0; 1024];
/// loop {
///     let (length, source) = socket.recv_from(&mut buffer)?;
///     socket.send_to(&buffer[..length], source)?;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct UdpSocket(Socket);

over_socket!(UdpSocket, SocketAddr);
over_connection!(UdpSocket, SocketAddr);
over_datagrams!(UdpSocket, SocketAddr);

over_options! { UdpSocket:
    /// Whether datagrams may go to everybody on a network (`SO_BROADCAST`).
    broadcast, set_broadcast: bool => broadcast, set_broadcast;
    /// How many routers a packet may pass (`IP_TTL`).
    ttl, set_ttl: u32 => ttl, set_ttl;
}

impl UdpSocket {
    /// Opens a socket and binds it to `local`. Needs a `listen` or `bind` grant.
    ///
    /// [`SocketBuilder`] does it with options.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `bind`.
    pub fn bind(local: impl ToEndpoint) -> io::Result<Self> {
        SocketBuilder::datagram().bind(local).map(Self)
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_in(network: &Network, local: impl ToEndpoint) -> io::Result<Self> {
        SocketBuilder::datagram()
            .network(network)
            .bind(local)
            .map(Self)
    }

    /// Opens a socket without an address. It gets one that the OS chooses when it
    /// first sends or connects, which needs no grant of its own: what a client
    /// wants that has a `connect` grant and nothing else.
    ///
    /// # Errors
    ///
    /// Those of the contract's `open`.
    pub fn unbound(family: Family) -> io::Result<Self> {
        Self::unbound_in(&Network::default(), family)
    }

    /// The same in `network`.
    ///
    /// # Errors
    ///
    /// Those of the contract's `open`.
    pub fn unbound_in(network: &Network, family: Family) -> io::Result<Self> {
        network.open(family, SocketType::Datagram).map(Self)
    }

    /// Sets the peer: where `send` sends to, and whom alone `recv` receives from.
    /// Needs a `connect` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `connect`.
    pub fn connect(&self, remote: impl ToEndpoint) -> io::Result<()> {
        self.0.connect(remote)
    }

    /// Sends one datagram to `destination`.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `send-to`.
    pub fn send_to(&self, data: &[u8], destination: impl ToEndpoint) -> io::Result<usize> {
        self.0.send_to(data, destination)
    }

    /// Sends several datagrams, each to a destination of its own, in one call, and
    /// says how many went out (Linux `sendmmsg`).
    ///
    /// # Errors
    ///
    /// Those of the contract's `send-datagrams`.
    pub fn send_many_to(
        &self,
        datagrams: &[(impl AsRef<[u8]>, impl ToEndpoint)],
    ) -> io::Result<usize> {
        self.0.send_many_to(datagrams)
    }

    /// Joins a multicast group on the interface that the OS chooses, which the
    /// unspecified address stands for. Needs a `join` grant.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for another address: the contract knows interfaces by their
    /// index, which is what [`join_multicast_v4_n`](Self::join_multicast_v4_n)
    /// takes; those of the contract's `join-group`.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.join_multicast_v4_n(group, chosen_by_the_os(interface)?)
    }

    /// Joins a multicast group on the interface with this index; zero for the one
    /// that the OS chooses. Needs a `join` grant.
    ///
    /// # Errors
    ///
    /// Those of the contract's `join-group`.
    pub fn join_multicast_v4_n(&self, group: &Ipv4Addr, interface: u32) -> io::Result<()> {
        self.0.join_group(IpAddr::V4(*group), interface)
    }

    /// Joins a multicast group on the interface with this index; zero for the one
    /// that the OS chooses. Needs a `join` grant.
    ///
    /// # Errors
    ///
    /// Those of the contract's `join-group`.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.join_group(IpAddr::V6(*group), interface)
    }

    /// Leaves a multicast group that was joined with the same interface.
    ///
    /// # Errors
    ///
    /// As [`join_multicast_v4`](Self::join_multicast_v4); those of the contract's
    /// `leave-group`.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.leave_multicast_v4_n(group, chosen_by_the_os(interface)?)
    }

    /// Leaves a multicast group that was joined with the same interface.
    ///
    /// # Errors
    ///
    /// Those of the contract's `leave-group`.
    pub fn leave_multicast_v4_n(&self, group: &Ipv4Addr, interface: u32) -> io::Result<()> {
        self.0.leave_group(IpAddr::V4(*group), interface)
    }

    /// Leaves a multicast group that was joined with the same interface.
    ///
    /// # Errors
    ///
    /// Those of the contract's `leave-group`.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.leave_group(IpAddr::V6(*group), interface)
    }

    /// Whether this machine hears what it sends to a group (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// `Unsupported` on a socket of the other family, here and below; those of the
    /// contract's `get-option` and `set-option`.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.of(Family::Inet)?.multicast_loop()
    }

    /// Sets whether this machine hears what it sends to a group.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.of(Family::Inet)?.set_multicast_loop(on)
    }

    /// How many routers a packet to a group may pass (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// As above.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.of(Family::Inet)?.multicast_ttl()
    }

    /// Sets how many routers a packet to a group may pass.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.of(Family::Inet)?.set_multicast_ttl(ttl)
    }

    /// Whether this machine hears what it sends to a group
    /// (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// As above.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.of(Family::Inet6)?.multicast_loop()
    }

    /// Sets whether this machine hears what it sends to a group.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.of(Family::Inet6)?.set_multicast_loop(on)
    }

    /// The socket, if it is of this family: the contract's option is that of
    /// whichever family the socket has.
    fn of(&self, family: Family) -> io::Result<&Socket> {
        if self.0.domain()? == family {
            return Ok(&self.0);
        }
        Err(from_host(types::Error {
            code: ErrorCode::OptionNotSupported,
            message: "the socket is of the other family".into(),
        }))
    }
}

fn chosen_by_the_os(interface: &Ipv4Addr) -> io::Result<u32> {
    if interface.is_unspecified() {
        return Ok(0);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("an interface goes by its index here, not by an address such as {interface}"),
    ))
}
