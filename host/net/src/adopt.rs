//! Listening sockets that others have opened for the host: a service manager, or
//! the process that it takes over from.
//!
//! Nothing of such a socket is believed: the kernel is asked what it is and where.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use portcullis_policy::{
    Act, Bind, Canonical, Grant, Host, Listen, ListenUnix, Opening, Place, Protocol, Request,
    UnixKind,
};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{
    AddressFamily, SocketType as OsType, getpeername, getsockname, ipproto, sockopt,
};

use crate::address::{Family, SocketAddress, SocketType};
use crate::error::{Error, ErrorCode};
use crate::network::Network;
use crate::os;
use crate::preopen::PreopenError;
use crate::socket::Socket;
use crate::unix;

/// What a grant calls the place where a descriptor listens:
/// `listen tcp://127.0.0.1:8080`.
///
/// # Errors
///
/// `invalid-argument`, with what it is instead, where it is no TCP or unix socket
/// that listens, and no UDP or unix datagram socket that is bound.
pub fn listens_at(descriptor: impl AsFd) -> Result<Grant, Error> {
    let grant = match Foreign::of(&descriptor)?.listening {
        Listening::Inet(listening) => listening.narrowest(),
        Listening::Unix(listening) => listening.narrowest(),
    };
    grant.ok_or_else(|| ErrorCode::InvalidArgument.into())
}

/// A socket as the kernel tells of it.
#[derive(Debug)]
struct Foreign {
    family: Family,
    kind: SocketType,
    listening: Listening,
}

#[derive(Debug)]
enum Listening {
    Inet(Listen),
    Unix(ListenUnix),
}

impl Network {
    /// The socket that a grant to listen is for, which others have opened and which
    /// listens there already. As with [`Network::preopen`], it keeps to that grant,
    /// and to the denies and ceilings of this network.
    ///
    /// # Errors
    ///
    /// Where the text is not a grant to listen at one endpoint, the descriptor is
    /// not a socket that listens there ([`listens_at`]), or this network is against
    /// it.
    pub fn preopen_from(&self, grant: &str, descriptor: OwnedFd) -> Result<Socket, PreopenError> {
        let (opening, network) = self.opening(grant)?;
        if opening.act != Act::Listen {
            return Err(PreopenError::NotOne);
        }
        Ok(network.take_in(&opening, descriptor)?)
    }

    fn take_in(&self, opening: &Opening, descriptor: OwnedFd) -> Result<Socket, Error> {
        let foreign = Foreign::of(&descriptor)?;
        let usage = self.usage()?;
        // Whoever opened it may have it block, and handed on to other programs.
        fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
        fcntl_setfl(&descriptor, fcntl_getfl(&descriptor)? | OFlags::NONBLOCK)?;
        let socket = self.adopt(descriptor.into(), foreign.family, foreign.kind, usage)?;
        // Whoever opened it may have set timeouts, which connections then have.
        socket.shared.settings.lock().has_timers = true;
        match (&foreign.listening, &opening.place) {
            (
                Listening::Inet(came),
                Place::Inet {
                    protocol,
                    host,
                    port,
                },
            ) if is_at(came, *protocol, host.as_ref(), *port) => {
                // Port zero stays zero.
                let asked = (came.address().ip(), *port).into();
                let mut listening = Listen::new(*protocol, asked, came.is_dual_stack());
                let mut bound = Bind::new(*protocol, asked);
                if let Some(Host::Name(name)) = host {
                    listening = listening.named(name.clone());
                    bound = bound.named(name.clone());
                }
                if came.is_dual_stack() {
                    bound = bound.dual_stack();
                }
                socket.listen_beside_inet(bound, listening)?;
            }
            (Listening::Unix(came), Place::Unix { kind, name })
                if came.kind() == *kind && came.name() == name =>
            {
                socket.listen_beside_unix(unix::Bound::at(name)?)?;
            }
            (Listening::Inet(came), _) => return Err(elsewhere(came)),
            (Listening::Unix(came), _) => return Err(elsewhere(came)),
        }
        Ok(socket)
    }
}

/// Whether somebody who was to listen at a place does. A name is taken at its word:
/// where it leads may have changed since.
fn is_at(came: &Listen, protocol: Protocol, host: Option<&Host>, port: u16) -> bool {
    let address = came.address();
    let is_host = match host {
        Some(Host::Address(host)) => host.into_canonical() == address.ip(),
        Some(Host::Name(_)) => true,
        None => address.ip().is_unspecified(),
    };
    is_host && came.protocol() == protocol && (port == 0 || port == address.port())
}

fn elsewhere(came: &impl fmt::Display) -> Error {
    invalid(format_args!("it is another: {came}"))
}

impl Foreign {
    fn of(descriptor: &impl AsFd) -> Result<Self, Error> {
        let family = match sockopt::socket_domain(descriptor) {
            Ok(AddressFamily::INET) => Family::Inet,
            Ok(AddressFamily::INET6) => Family::Inet6,
            Ok(AddressFamily::UNIX) => Family::Unix,
            Ok(_) => return Err(invalid("it is neither an internet nor a unix socket")),
            Err(Errno::NOTSOCK) => return Err(invalid("it is no socket")),
            Err(error) => return Err(error.into()),
        };
        let protocol = sockopt::socket_protocol(descriptor)?;
        let is_stream = match (sockopt::socket_type(descriptor)?, family) {
            (OsType::STREAM, Family::Unix) => true,
            (OsType::DGRAM, Family::Unix) => false,
            // For what else there is of them the policy has no words.
            (OsType::STREAM, _) if protocol == Some(ipproto::TCP) => true,
            (OsType::DGRAM, _) if protocol == Some(ipproto::UDP) => false,
            _ => {
                return Err(invalid(
                    "it is neither TCP, UDP nor a unix socket of theirs",
                ));
            }
        };
        if getpeername(descriptor).is_ok() {
            return Err(invalid("it is connected"));
        }
        if is_stream && !sockopt::socket_acceptconn(descriptor)? {
            return Err(invalid("it does not listen"));
        }
        let listening = match os::address(Some(getsockname(descriptor)?))? {
            SocketAddress::Inet(address) if address.port() == 0 => {
                return Err(invalid("it has no port"));
            }
            SocketAddress::Inet(address) => {
                let is_dual_stack = family == Family::Inet6 && !sockopt::ipv6_v6only(descriptor)?;
                let protocol = match is_stream {
                    true => Protocol::Tcp,
                    false => Protocol::Udp,
                };
                Listening::Inet(Listen::new(protocol, address, is_dual_stack))
            }
            SocketAddress::Unix(address) => {
                let kind = match is_stream {
                    true => UnixKind::Stream,
                    false => UnixKind::Datagram,
                };
                Listening::Unix(ListenUnix::new(kind, unix::name(&address)?))
            }
        };
        Ok(Self {
            family,
            kind: match is_stream {
                true => SocketType::Stream,
                false => SocketType::Datagram,
            },
            listening,
        })
    }
}

fn invalid(why: impl fmt::Display) -> Error {
    let message = format!("this is no socket to serve at: {why}");
    Error::new(ErrorCode::InvalidArgument, message)
}
