//! The calls that reach the network, each of which consumes the permit for it.
//!
//! There is no other way to the operating system's `bind`, `listen`, `connect`,
//! `accept` or `sendto` in the project. Addresses come out of the permit and
//! from nowhere else, so what was checked is what is used.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place that the others are kept away from"
)]

pub(crate) mod asked;
pub(crate) mod inet;
pub(crate) mod unix;
mod walk;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis_policy::{Accept, ListenUnix, Permit};
use rustix::net::{
    AddressFamily, Protocol, RawProtocol, SocketAddrAny, SocketFlags, SocketType as OsType,
    acceptfrom_with, socket_with,
};

use crate::address::{Family, SocketAddress, SocketType};
use crate::error::Error;

/// Opens a socket, which as yet has no address and reaches nothing.
pub(crate) fn open(
    family: Family,
    kind: SocketType,
    protocol: u16,
) -> Result<socket2::Socket, Error> {
    let (family, kind) = (os_family(family), os_type(kind));
    Ok(socket_with(family, kind, FLAGS, os_protocol(protocol))?.into())
}

/// Opens two sockets that are connected with each other and reach nothing else.
pub(crate) fn pair(
    family: Family,
    kind: SocketType,
    protocol: u16,
) -> Result<(socket2::Socket, socket2::Socket), Error> {
    let (family, kind) = (os_family(family), os_type(kind));
    let (one, other) = rustix::net::socketpair(family, kind, FLAGS, os_protocol(protocol))?;
    Ok((one.into(), other.into()))
}

fn os_family(family: Family) -> AddressFamily {
    match family {
        Family::Inet => AddressFamily::INET,
        Family::Inet6 => AddressFamily::INET6,
        Family::Unix => AddressFamily::UNIX,
    }
}

fn os_type(kind: SocketType) -> OsType {
    match kind {
        SocketType::Datagram => OsType::DGRAM,
        SocketType::Raw => OsType::RAW,
        SocketType::ReliableMessage => OsType::RDM,
        SocketType::Seqpacket => OsType::SEQPACKET,
        SocketType::Stream => OsType::STREAM,
    }
}

fn os_protocol(protocol: u16) -> Option<Protocol> {
    RawProtocol::new(protocol.into()).map(Protocol::from_raw)
}

/// Takes the next connection from the queue of a listening socket.
pub(crate) fn accept(socket: &socket2::Socket) -> io::Result<Arrival> {
    let (arrived, peer) = acceptfrom_with(socket, FLAGS)?;
    Ok(Arrival {
        socket: arrived.into(),
        peer: address(peer)?,
    })
}

/// A connection that has come in and has not been admitted yet.
#[derive(Debug)]
pub(crate) struct Arrival {
    socket: socket2::Socket,
    peer: SocketAddress,
}

impl Arrival {
    /// The internet address that it comes from.
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        match &self.peer {
            SocketAddress::Inet(peer) => Ok(*peer),
            SocketAddress::Unix(_) => Err(rustix::io::Errno::AFNOSUPPORT.into()),
        }
    }

    /// Lets it in.
    pub(crate) fn admit(self, _permit: &Permit<Accept>) -> (socket2::Socket, SocketAddress) {
        (self.socket, self.peer)
    }

    /// Lets it in from a unix socket, where whoever finds the name may come.
    pub(crate) fn admit_unix(
        self,
        _permit: &Permit<ListenUnix>,
    ) -> (socket2::Socket, SocketAddress) {
        (self.socket, self.peer)
    }

    /// Resets it, so that the peer learns at once and nothing lingers here.
    pub(crate) fn refuse(self) {
        reset(&self.socket);
    }
}

/// Has a connection reset when it is dropped.
pub(crate) fn reset(socket: &socket2::Socket) {
    // Where this fails the connection is closed in good order instead.
    let _ = socket.set_linger(Some(Duration::ZERO));
}

/// An address as the OS tells it; none is an unnamed unix socket.
pub(crate) fn address(told: Option<SocketAddrAny>) -> io::Result<SocketAddress> {
    match told {
        None => Ok(SocketAddress::UNNAMED),
        Some(told) if told.address_family() == AddressFamily::UNIX => {
            Ok(SocketAddress::Unix(unix::address(&told.try_into()?)))
        }
        Some(told) => Ok(SocketAddress::Inet(told.try_into()?)),
    }
}

/// Sockets never block their thread and are not inherited by other programs.
const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);
