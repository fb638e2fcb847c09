//! Options as Linux keeps them, and the constants of families and types.

use std::os::fd::OwnedFd;
use std::time::Duration;
use std::{io, result};

use portcullis_test_operations::{Family, Kind, OptionName, OptionValue};

use crate::native::{Failure, Socket};
use crate::{deviation, os};

type Result<T> = result::Result<T, Failure>;

/// How the OS writes a value down.
#[derive(Clone, Copy)]
enum Form {
    /// An `int` of as many of the contract's units.
    Int(u64),
    Linger,
    Timeval,
}

const SECOND: u64 = 1_000_000_000;

pub(crate) fn get(socket: &Socket, name: OptionName) -> Result<OptionValue> {
    let (level, constant, form) = constant(name, socket.shared.family);
    let os = &socket.shared.os;
    let value = match form {
        Form::Int(unit) => {
            let value = os::getsockopt(os, level, constant);
            let value = i32::from_ne_bytes(deviation::option_error(value)?);
            match name {
                OptionName::Domain => position(&Family::ALL.map(family), value),
                OptionName::SocketType => position(&Kind::ALL.map(kind), value),
                _ => Some(u64::from(value.cast_unsigned()) * unit),
            }
        }
        Form::Linger => {
            let value: [u8; 8] = os::getsockopt(os, level, constant)?;
            let [on, seconds] = pair(value);
            (on != 0).then(|| u64::from(seconds.cast_unsigned()) * SECOND)
        }
        Form::Timeval => timeval(os, constant)?.map(|time| time.as_nanos().try_into().unwrap()),
    };
    Ok(deviation::option(socket, name, value))
}

pub(crate) fn set(socket: &Socket, name: OptionName, value: OptionValue) -> Result<()> {
    let (level, constant, form) = constant(name, socket.shared.family);
    let os = &socket.shared.os;
    deviation::option_value(socket, name, value)?;
    match form {
        Form::Int(unit) => {
            let bytes = match name {
                OptionName::MulticastInterface if socket.shared.family == Family::Inet => {
                    let index = u32::try_from(value.unwrap()).unwrap();
                    [[0; 4], [0; 4], index.to_ne_bytes()].concat()
                }
                _ => {
                    let value = u32::try_from(value.unwrap() / unit).unwrap();
                    value.to_ne_bytes().to_vec()
                }
            };
            let result = os::setsockopt(os, level, constant, &bytes);
            deviation::option_error(result)?;
        }
        Form::Linger => {
            let seconds = i32::try_from(value.unwrap_or_default() / SECOND).unwrap();
            let bytes = [i32::from(value.is_some()), seconds].map(i32::to_ne_bytes);
            os::setsockopt(os, level, constant, &bytes.concat())?;
        }
        Form::Timeval => set_timeval(os, constant, value.map(Duration::from_nanos))?,
    }
    deviation::option_was_set(socket, name, value);
    Ok(())
}

/// `SO_RCVTIMEO` or `SO_SNDTIMEO`: none is for ever.
pub(crate) fn timeval(socket: &OwnedFd, name: i32) -> io::Result<Option<Duration>> {
    let value: [u8; 16] = os::getsockopt(socket, libc::SOL_SOCKET, name)?;
    let (seconds, micros) = value.split_at(8);
    let seconds = u64::from_ne_bytes(seconds.try_into().unwrap());
    let micros = u64::from_ne_bytes(micros.try_into().unwrap());
    let time = Duration::from_secs(seconds) + Duration::from_micros(micros);
    Ok((!time.is_zero()).then_some(time))
}

pub(crate) fn set_timeval(socket: &OwnedFd, name: i32, time: Option<Duration>) -> io::Result<()> {
    let time = time.unwrap_or_default();
    let value = [time.as_secs(), time.subsec_micros().into()].map(u64::to_ne_bytes);
    os::setsockopt(socket, libc::SOL_SOCKET, name, &value.concat())
}

fn pair(value: [u8; 8]) -> [i32; 2] {
    let (one, other) = value.split_at(4);
    [one, other].map(|half| i32::from_ne_bytes(half.try_into().unwrap()))
}

fn position(all: &[i32], value: i32) -> OptionValue {
    let position = all.iter().position(|one| *one == value);
    position.map(|position| position as u64)
}

fn constant(name: OptionName, family: Family) -> (i32, i32, Form) {
    let socket = |name| (libc::SOL_SOCKET, name, Form::Int(1));
    let tcp = |name, unit| (libc::IPPROTO_TCP, name, Form::Int(unit));
    let ip = |four, six| match family {
        Family::Inet6 => (libc::IPPROTO_IPV6, six, Form::Int(1)),
        _ => (libc::IPPROTO_IP, four, Form::Int(1)),
    };
    match name {
        OptionName::AcceptingConnections => socket(libc::SO_ACCEPTCONN),
        OptionName::AnswerAsAsked => ip(libc::IP_PKTINFO, libc::IPV6_RECVPKTINFO),
        OptionName::Broadcast => socket(libc::SO_BROADCAST),
        OptionName::Domain => socket(libc::SO_DOMAIN),
        OptionName::DoNotRoute => socket(libc::SO_DONTROUTE),
        OptionName::HopLimit => ip(libc::IP_TTL, libc::IPV6_UNICAST_HOPS),
        OptionName::KeepAlive => socket(libc::SO_KEEPALIVE),
        OptionName::KeepAliveCount => tcp(libc::TCP_KEEPCNT, 1),
        OptionName::KeepAliveIdle => tcp(libc::TCP_KEEPIDLE, SECOND),
        OptionName::KeepAliveInterval => tcp(libc::TCP_KEEPINTVL, SECOND),
        OptionName::Linger => (libc::SOL_SOCKET, libc::SO_LINGER, Form::Linger),
        OptionName::MaximumSegmentSize => tcp(libc::TCP_MAXSEG, 1),
        OptionName::MulticastHopLimit => ip(libc::IP_MULTICAST_TTL, libc::IPV6_MULTICAST_HOPS),
        OptionName::MulticastInterface => ip(libc::IP_MULTICAST_IF, libc::IPV6_MULTICAST_IF),
        OptionName::MulticastLoop => ip(libc::IP_MULTICAST_LOOP, libc::IPV6_MULTICAST_LOOP),
        OptionName::NoDelay => tcp(libc::TCP_NODELAY, 1),
        OptionName::OutOfBandInline => socket(libc::SO_OOBINLINE),
        OptionName::Protocol => socket(libc::SO_PROTOCOL),
        OptionName::ReceiveBufferSize => socket(libc::SO_RCVBUF),
        OptionName::ReceiveLowWaterMark => socket(libc::SO_RCVLOWAT),
        OptionName::ReceiveTimeout => (libc::SOL_SOCKET, libc::SO_RCVTIMEO, Form::Timeval),
        OptionName::ReuseAddress => socket(libc::SO_REUSEADDR),
        OptionName::ReusePort => socket(libc::SO_REUSEPORT),
        OptionName::SendBufferSize => socket(libc::SO_SNDBUF),
        OptionName::SendTimeout => (libc::SOL_SOCKET, libc::SO_SNDTIMEO, Form::Timeval),
        OptionName::SocketType => socket(libc::SO_TYPE),
        OptionName::TrafficClass => ip(libc::IP_TOS, libc::IPV6_TCLASS),
        OptionName::UserTimeout => tcp(libc::TCP_USER_TIMEOUT, 1_000_000),
        OptionName::V6Only => (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, Form::Int(1)),
    }
}

pub(crate) fn family(family: Family) -> i32 {
    match family {
        Family::Unspecified => libc::AF_UNSPEC,
        Family::Inet => libc::AF_INET,
        Family::Inet6 => libc::AF_INET6,
        Family::Unix => libc::AF_UNIX,
        Family::Alg => libc::AF_ALG,
        Family::Appletalk => libc::AF_APPLETALK,
        Family::Ax25 => libc::AF_AX25,
        Family::Bluetooth => libc::AF_BLUETOOTH,
        Family::Can => libc::AF_CAN,
        Family::Ipx => libc::AF_IPX,
        Family::Netlink => libc::AF_NETLINK,
        Family::Packet => libc::AF_PACKET,
        // Of the kernel's `socket.h`; the libc crate has it for some targets.
        Family::Qipcrtr => 42,
        Family::Rds => libc::AF_RDS,
        Family::Tipc => libc::AF_TIPC,
        Family::Vsock => libc::AF_VSOCK,
        Family::X25 => libc::AF_X25,
    }
}

pub(crate) fn kind(kind: Kind) -> i32 {
    match kind {
        Kind::Stream => libc::SOCK_STREAM,
        Kind::Datagram => libc::SOCK_DGRAM,
        Kind::Seqpacket => libc::SOCK_SEQPACKET,
        Kind::Raw => libc::SOCK_RAW,
        Kind::ReliableMessage => libc::SOCK_RDM,
    }
}
