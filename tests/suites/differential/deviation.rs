//! Where the host is not Linux, on purpose: each with what says so. Everything
//! else has to be the same.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::result;

use portcullis_test_operations::{Family, Kind, OptionName, OptionValue, Place, ReceiveFlags};

use crate::native::{Failure, Shared, Socket};
use crate::os::{self, Sockaddr};
use crate::sockaddr::sockaddr;

type Result<T> = result::Result<T, Failure>;

/// What the contract has a socket remember and Linux does not.
#[derive(Default)]
pub(crate) struct State {
    /// `bind` succeeds once, though `shutdown` may free the port.
    pub(crate) bound: Cell<bool>,
    /// The socket is connected to port zero, which `getpeername` does not tell.
    peer_without_port: RefCell<Option<Place>>,
    /// Linux takes an index for `IP_MULTICAST_IF` and tells an address.
    multicast_interface: Cell<u64>,
}

impl State {
    pub(crate) fn inherit(&self) -> Self {
        Self {
            bound: Cell::new(false),
            peer_without_port: RefCell::default(),
            multicast_interface: self.multicast_interface.clone(),
        }
    }
}

/// `SO_LINGER` with a time is the host's to remember (ARCHITECTURE.md), so a
/// connection has it as the listener has it when it is accepted, and not as it
/// had it when the peer connected.
pub(crate) fn inherit_linger(listener: &Socket, connection: &OwnedFd) -> Result<()> {
    let (level, name) = (libc::SOL_SOCKET, libc::SO_LINGER);
    let is_timed = |linger: [u8; 8]| linger[..4] != [0; 4] && linger[4..] != [0; 4];
    let is_zero = |linger: [u8; 8]| linger[..4] != [0; 4] && linger[4..] == [0; 4];
    let own: [u8; 8] = os::getsockopt(connection, level, name)?;
    if listener.shared.family == Family::Unix || is_zero(own) {
        return Ok(());
    }
    let listeners: [u8; 8] = os::getsockopt(&listener.shared.os, level, name)?;
    let remembered = if is_timed(listeners) {
        listeners
    } else {
        [0; 8]
    };
    Ok(os::setsockopt(connection, level, name, &remembered)?)
}

/// Only what the policy has words for is served: three families, TCP and UDP.
/// Raw sockets are refused to everybody, as Linux does without `CAP_NET_RAW`
/// (`types.wit`; `served` in `host/net/src/network.rs`).
pub(crate) fn served(family: Family, kind: Kind, protocol: u16) -> Result<()> {
    let code = match (family, kind, protocol) {
        (Family::Unix, _, _)
        | (Family::Inet | Family::Inet6, Kind::Seqpacket | Kind::ReliableMessage, _)
        | (Family::Inet | Family::Inet6, Kind::Stream, 0 | 6)
        | (Family::Inet | Family::Inet6, Kind::Datagram, 0 | 17) => return Ok(()),
        (Family::Inet | Family::Inet6, Kind::Raw, _) => "PermissionRequired",
        (Family::Inet | Family::Inet6, _, _) => "ProtocolNotSupported",
        (_, _, _) => "AddressFamilyNotSupported",
    };
    Err(Failure::Contract(code))
}

/// `IP_MULTICAST_ALL` is off: a socket hears the groups that it joined itself.
pub(crate) fn prepare(shared: &Shared) -> Result<()> {
    let off = 0_i32.to_ne_bytes();
    if shared.kind == Kind::Datagram && shared.family != Family::Unix {
        os::setsockopt(&shared.os, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, &off)?;
    }
    if shared.kind == Kind::Datagram && shared.family == Family::Inet6 {
        // `IPV6_MULTICAST_ALL`, which the libc crate does not have for all.
        os::setsockopt(&shared.os, libc::IPPROTO_IPV6, 29, &off)?;
    }
    Ok(())
}

/// `bind`, of which each socket has one that succeeds (`socket.wit`). Linux looks
/// whether a unix path is taken before it says so, and has unnamed ones succeed.
pub(crate) fn own_address(socket: &Socket, place: &Place) -> Result<Sockaddr> {
    must_fit(socket, place)?;
    if socket.shared.contract.bound.get() {
        return Err(Failure::Contract("InvalidArgument"));
    }
    Ok(sockaddr(place))
}

/// An internet socket takes addresses of its own family. Linux says so too, or
/// `EINVAL`, or takes an IPv4 address as a mapped one, by the function.
///
/// What does not fit into `sockaddr_un` cannot be shown to Linux; libraries say
/// `ENAMETOOLONG`. One byte is always for the NUL.
fn must_fit(socket: &Socket, place: &Place) -> Result<()> {
    let fits = match (socket.shared.family, place) {
        (Family::Inet, Place::Inet(address)) => address.is_ipv4(),
        (Family::Inet6, Place::Inet(address)) => address.is_ipv6(),
        (Family::Inet | Family::Inet6, _) => false,
        (_, _) => true,
    };
    if !fits {
        return Err(Failure::Contract("AddressFamilyNotSupported"));
    }
    if let Place::Path(name) | Place::Abstract(name) = place
        && name.len() > 107
    {
        return Err(Failure::Contract("NameTooLong"));
    }
    Ok(())
}

/// To connect to the unspecified address is to connect to loopback
/// (docs/policy.md): to IPv6's, where Linux takes the one of the family that the
/// socket has come to use.
pub(crate) fn peer_address(socket: &Socket, place: &Place) -> Result<Sockaddr> {
    must_fit(socket, place)?;
    if let Place::Inet(SocketAddr::V6(address)) = place
        && address.ip().is_unspecified()
    {
        let loopback = (Ipv6Addr::LOCALHOST, address.port()).into();
        return Ok(sockaddr(&Place::Inet(loopback)));
    }
    Ok(sockaddr(place))
}

pub(crate) fn was_connected(socket: &Socket, place: &Place) {
    let has_no_port = matches!(place, Place::Inet(address) if address.port() == 0);
    let peer = has_no_port.then(|| place.clone());
    *socket.shared.contract.peer_without_port.borrow_mut() = peer;
}

/// As `peer_address`, where the OS heeds it: not of connected kinds. A path is
/// found before anything else is asked (`os/unix.rs` of the host); where it leads
/// nowhere, that is the error, whatever else is wrong.
pub(crate) fn destination(socket: &Socket, place: &Place) -> Result<Sockaddr> {
    match socket.shared.kind {
        Kind::Datagram | Kind::Raw => {
            let address = peer_address(socket, place)?;
            if let (Family::Unix, Place::Path(path)) = (socket.shared.family, place) {
                fs::metadata(OsStr::from_bytes(path))?;
            }
            Ok(address)
        }
        // What the OS passes over may as well be short.
        Kind::Stream | Kind::Seqpacket | Kind::ReliableMessage => Ok(sockaddr(&Place::Unnamed)),
    }
}

/// The destination of a datagram that is given none.
///
/// It goes where the policy was asked about, or nowhere: without a peer it is
/// `destination-address-required`, whatever else is wrong with it, and has no
/// effect, where Linux gives the socket a port all the same. Linux lets a peer
/// have port zero, and sends there what `sendto` would not.
pub(crate) fn peer(socket: &Socket) -> Result<Option<Sockaddr>> {
    let Shared {
        os, family, kind, ..
    } = &*socket.shared;
    if *kind != Kind::Datagram || *family == Family::Unix || os::getpeername(os).is_ok() {
        return Ok(None);
    }
    match &*socket.shared.contract.peer_without_port.borrow() {
        Some(peer) => Ok(Some(sockaddr(peer))),
        None => Err(Failure::Contract("DestinationAddressRequired")),
    }
}

/// What is no group is `invalid-argument` (`join-group` in `socket.wit`), before
/// the socket is looked at: no grant could be for it.
pub(crate) fn must_be_group(socket: &Socket, group: IpAddr) -> Result<()> {
    if socket.shared.family != Family::Unix && !group.is_multicast() {
        return Err(Failure::Contract("InvalidArgument"));
    }
    Ok(())
}

/// Where a stream's data came from, which always has to be told: what the OS
/// would leave empty is unspecified.
pub(crate) fn source(socket: &Socket, peer: Option<Place>) -> Place {
    peer.unwrap_or_else(|| match socket.shared.family {
        Family::Inet => Place::Inet("0.0.0.0:0".parse().unwrap()),
        Family::Inet6 => Place::Inet("[::]:0".parse().unwrap()),
        _ => Place::Unnamed,
    })
}

/// A peek, and what is not datagrams, is received as `receive-from` does it.
pub(crate) fn is_one_by_one(socket: &Socket, flags: ReceiveFlags) -> bool {
    flags.peek || !matches!(socket.shared.kind, Kind::Datagram | Kind::Raw)
}

/// An option that a kind of socket does not have is `option-not-supported`
/// (`socket.wit`); Linux says `EOPNOTSUPP` as well, depending on which layer it asks.
pub(crate) fn option_error<T>(result: io::Result<T>) -> Result<T> {
    result.map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => Failure::Contract("OptionNotSupported"),
        _ => Failure::Os(error),
    })
}

/// Hop limits are 1 to 255 (`socket.wit`); Linux has zero for IPv6.
pub(crate) fn option_value(socket: &Socket, name: OptionName, value: OptionValue) -> Result<()> {
    match (name, socket.shared.family, value) {
        (OptionName::HopLimit, Family::Inet6, Some(0)) => Err(Failure::Contract("InvalidArgument")),
        _ => Ok(()),
    }
}

pub(crate) fn option_was_set(socket: &Socket, name: OptionName, value: OptionValue) {
    if let (OptionName::MulticastInterface, Some(index)) = (name, value) {
        socket.shared.contract.multicast_interface.set(index);
    }
}

/// The interface for multicast is an index for every family.
pub(crate) fn option(socket: &Socket, name: OptionName, value: OptionValue) -> OptionValue {
    match (name, socket.shared.family) {
        (OptionName::MulticastInterface, Family::Inet) => {
            Some(socket.shared.contract.multicast_interface.get())
        }
        _ => value,
    }
}
