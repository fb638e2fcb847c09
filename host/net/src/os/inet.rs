//! The calls of internet sockets that reach the network.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};
use portcullis_policy::{
    Accept, Bind, Broadcast, Connect, Join, Listen, Permit, canonical, has_zone,
};
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SocketAddrAny, sendmmsg, sendto};
use socket2::InterfaceIndexOrAddress;

use super::asked::Asked;
use super::open;
use crate::address::{Family, SocketType};
use crate::sharing::Sharing;
use crate::transfer::DatagramFlags;

/// Gives a socket the address that the permit is for.
pub(crate) fn bind(
    socket: &socket2::Socket,
    family: Family,
    permit: &Permit<Bind>,
) -> io::Result<()> {
    bind_to(socket, family, permit.request().address())
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
        bind_to(socket, family, permit.request().address())?;
    }
    local_address(socket)
}

fn bind_to(socket: &socket2::Socket, family: Family, address: SocketAddr) -> io::Result<()> {
    socket.bind(&in_family(address, family).into())
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
        return Err(Errno::INVAL.into());
    }
    socket.listen(backlog)
}

/// Lets a socket share the address at which the permit lets it listen.
pub(crate) fn share(
    socket: &socket2::Socket,
    sharing: Sharing,
    _permit: &Permit<Listen>,
) -> io::Result<()> {
    sharing.set(socket, true)
}

/// Where a socket is bound, in canonical form.
pub(crate) fn local_address(socket: &socket2::Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    Ok(canonical(address.ok_or(Errno::AFNOSUPPORT)?))
}

/// Begins to connect to the address that the permit is for.
pub(crate) fn connect(
    socket: &socket2::Socket,
    family: Family,
    permit: &Permit<Connect>,
) -> io::Result<()> {
    let address = permit.request().address();
    must_be_free(socket, family, [address])?;
    socket.connect(&in_family(address, family).into())
}

/// Gives up a connect that is in progress; the socket may then try another
/// address.
pub(crate) fn abandon_connect(socket: &socket2::Socket) -> io::Result<()> {
    Ok(rustix::net::connect_unspec(socket)?)
}

/// Why a datagram may go where it goes.
#[derive(Debug)]
pub(crate) enum Passage {
    /// It may be sent there at any time.
    Granted(Permit<Connect>),
    /// Somebody who was let in gets an answer.
    Answer(Permit<Accept>),
}

impl Passage {
    /// Whether it is only open because the policy is shadowed.
    pub(crate) fn is_shadowed(&self) -> bool {
        match self {
            Self::Granted(permit) => permit.shadowed().is_some(),
            Self::Answer(permit) => permit.shadowed().is_some(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Granted(permit) => permit.request().address(),
            Self::Answer(permit) => permit.request().peer(),
        }
    }
}

/// Sends one datagram to where it may go, whatever the socket is connected to, and
/// from where it was asked for, if that is an address of this machine still.
pub(crate) fn send_to(
    socket: &socket2::Socket,
    family: Family,
    data: &[u8],
    flags: DatagramFlags,
    passage: &Passage,
    from: Option<Asked>,
) -> io::Result<usize> {
    must_be_free(socket, family, [passage.address()])?;
    let address = in_family(passage.address(), family);
    if let Some(from) = from {
        let sent = from.send(socket, family, data, flags.as_msg(), address);
        match sent {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {}
            sent => return sent,
        }
    }
    Ok(sendto(socket, data, flags.bits(), &address)?)
}

/// Sends several datagrams, each to where it may go; says how many went out.
pub(crate) fn send_many<'a>(
    socket: &socket2::Socket,
    family: Family,
    datagrams: impl Iterator<Item = (&'a [u8], &'a Passage)> + Clone,
    flags: DatagramFlags,
) -> io::Result<usize> {
    let addresses = datagrams.clone().map(|(_, passage)| passage.address());
    must_be_free(socket, family, addresses)?;
    let datagrams: Vec<(SocketAddrAny, [IoSlice<'_>; 1])> = datagrams
        .map(|(data, passage)| {
            let address = in_family(passage.address(), family);
            (address.as_any(), [IoSlice::new(data)])
        })
        .collect();
    let mut controls: Vec<_> = (datagrams.iter())
        .map(|_| SendAncillaryBuffer::default())
        .collect();
    let mut headers: Vec<_> = (datagrams.iter().zip(&mut controls))
        .map(|((address, data), control)| MMsgHdr::new_with_addr(address, data, control))
        .collect();
    Ok(sendmmsg(socket, &mut headers, flags.bits())?)
}

/// Joins the multicast group that the permit is for.
pub(crate) fn join(
    socket: &socket2::Socket,
    interface: u32,
    permit: &Permit<Join>,
) -> io::Result<()> {
    match permit.request().group() {
        IpAddr::V4(group) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))
        }
        IpAddr::V6(group) => socket.join_multicast_v6(&group, interface),
    }
}

/// Leaves a multicast group.
pub(crate) fn leave(socket: &socket2::Socket, group: IpAddr, interface: u32) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => {
            socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))
        }
        IpAddr::V6(group) => socket.leave_multicast_v6(&group, interface),
    }
}

/// Lets a socket send to broadcast addresses.
pub(crate) fn allow_broadcast(
    socket: &socket2::Socket,
    _permit: &Permit<Broadcast>,
) -> io::Result<()> {
    socket.set_broadcast(true)
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

/// Fails where the socket is tied to an interface and one of the addresses is in no zone. A
/// link-local address that the socket was bound or connected to ties it for good:
/// the kernel would send to any other address by that interface as well, and so to
/// another machine than the one that has this address.
fn must_be_free(
    socket: &socket2::Socket,
    family: Family,
    addresses: impl IntoIterator<Item = SocketAddr>,
) -> io::Result<()> {
    let is_in_zone =
        |address: SocketAddr| matches!(address.ip(), IpAddr::V6(address) if has_zone(address));
    let needs_freedom = family == Family::Inet6 && !addresses.into_iter().all(is_in_zone);
    match needs_freedom && getsockopt(socket, BoundInterface)? != 0 {
        true => Err(Errno::INVAL.into()),
        false => Ok(()),
    }
}

sockopt_impl!(
    BoundInterface,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_BINDTOIFINDEX,
    i32
);

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
