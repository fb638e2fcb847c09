//! The calls that reach the network, each of which consumes the permit for it.
//!
//! There is no other way to the operating system's `bind`, `listen`, `connect`
//! or `accept` in the project. Addresses come out of the permit and from
//! nowhere else, so what was checked is what is used.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place that the others are kept away from"
)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use portcullis_policy::{Accept, Bind, Connect, Listen, Permit, canonical};
use rustix::net::{AddressFamily, SocketFlags, SocketType as OsType, acceptfrom_with, socket_with};

use crate::address::{Family, SocketType};
use crate::error::Error;

/// Opens a socket, which as yet has no address and reaches nothing.
pub(crate) fn open(
    family: Family,
    kind: SocketType,
    protocol: u16,
) -> Result<socket2::Socket, Error> {
    let family = match family {
        Family::Inet => AddressFamily::INET,
        Family::Inet6 => AddressFamily::INET6,
        Family::Unix => AddressFamily::UNIX,
    };
    let kind = match kind {
        SocketType::Datagram => OsType::DGRAM,
        SocketType::Raw => OsType::RAW,
        SocketType::ReliableMessage => OsType::RDM,
        SocketType::Seqpacket => OsType::SEQPACKET,
        SocketType::Stream => OsType::STREAM,
    };
    let protocol =
        rustix::net::RawProtocol::new(protocol.into()).map(rustix::net::Protocol::from_raw);
    Ok(socket_with(family, kind, FLAGS, protocol)?.into())
}

/// Gives a socket the address that the permit is for.
pub(crate) fn bind(
    socket: &socket2::Socket,
    family: Family,
    permit: &Permit<Bind>,
) -> io::Result<()> {
    socket.bind(&in_family(permit.request().address(), family).into())
}

/// Gives a socket that is to listen, and has no port yet, the address that the
/// permit is for. The OS would do so by itself, but tell nobody the port before
/// it is open.
pub(crate) fn bind_to_listen(
    socket: &socket2::Socket,
    family: Family,
    permit: &Permit<Listen>,
) -> io::Result<SocketAddr> {
    if local_address(socket)?.port() == 0 {
        socket.bind(&in_family(permit.request().address(), family).into())?;
    }
    local_address(socket)
}

/// Lets a socket take connections at the address that the permit is for. It has
/// to be bound there: the kernel may have moved it since (a failed `bind` does).
pub(crate) fn listen(
    socket: &socket2::Socket,
    backlog: i32,
    permit: &Permit<Listen>,
) -> io::Result<()> {
    let (granted, bound) = (permit.request().address(), local_address(socket)?);
    let same_port = granted.port() == 0 || granted.port() == bound.port();
    if bound.ip() != granted.ip() || !same_port {
        return Err(rustix::io::Errno::INVAL.into());
    }
    socket.listen(backlog)
}

/// Where a socket is bound, in canonical form.
fn local_address(socket: &socket2::Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    Ok(canonical(address.ok_or(rustix::io::Errno::AFNOSUPPORT)?))
}

/// Begins to connect to the address that the permit is for.
pub(crate) fn connect(
    socket: &socket2::Socket,
    family: Family,
    permit: &Permit<Connect>,
) -> io::Result<()> {
    socket.connect(&in_family(permit.request().address(), family).into())
}

/// Gives up a connect that is in progress; the socket may then try another
/// address.
pub(crate) fn abandon_connect(socket: &socket2::Socket) -> io::Result<()> {
    Ok(rustix::net::connect_unspec(socket)?)
}

/// Takes the next connection from the queue of a listening socket.
pub(crate) fn accept(socket: &socket2::Socket) -> io::Result<Arrival> {
    let (arrived, peer) = acceptfrom_with(socket, FLAGS)?;
    let peer = peer.ok_or(rustix::io::Errno::CONNABORTED)?.try_into()?;
    Ok(Arrival {
        socket: arrived.into(),
        peer,
    })
}

/// A connection that has come in and has not been admitted yet.
#[derive(Debug)]
pub(crate) struct Arrival {
    socket: socket2::Socket,
    peer: SocketAddr,
}

impl Arrival {
    /// Whom it comes from.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Lets it in.
    pub(crate) fn admit(self, _permit: &Permit<Accept>) -> (socket2::Socket, SocketAddr) {
        (self.socket, self.peer)
    }

    /// Resets it, so that the peer learns at once and nothing lingers here.
    pub(crate) fn refuse(self) {
        // Where this fails the connection is closed in good order instead.
        let _ = self.socket.set_linger(Some(Duration::ZERO));
    }
}

/// Whether this machine has any IPv4 address.
pub(crate) fn has_ipv4() -> bool {
    can_route_to_itself(Family::Inet, (Ipv4Addr::LOCALHOST, 9).into())
}

/// Whether this machine has any IPv6 address.
pub(crate) fn has_ipv6() -> bool {
    can_route_to_itself(Family::Inet6, (Ipv6Addr::LOCALHOST, 9).into())
}

/// The one connect without a permit. It reaches nothing: a datagram socket that
/// connects sends no datagram, and where it leads is no guest's choice.
fn can_route_to_itself(family: Family, loopback: SocketAddr) -> bool {
    let socket = open(family, SocketType::Datagram, 0);
    socket.is_ok_and(|socket| socket.connect(&loopback.into()).is_ok())
}

/// Sockets never block their thread and are not inherited by other programs.
const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// An address in the form that sockets of the family take: IPv4 is written as
/// IPv6 (RFC 4291, section 2.5.5.2) for an IPv6 socket.
fn in_family(address: SocketAddr, family: Family) -> SocketAddr {
    match (address.ip(), family) {
        (IpAddr::V4(ip), Family::Inet6) => {
            SocketAddrV6::new(ip.to_ipv6_mapped(), address.port(), 0, 0).into()
        }
        (IpAddr::V4(_) | IpAddr::V6(_), _) => address,
    }
}
