//! Values of the contract and of `net`, one into the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use portcullis_net::{
    AddressInfo, Datagram, Endpoint, ErrorCode, Family, Ready, ReceiveOptions, ResolveHints,
    ReverseOptions, SendOptions, Service, SocketAddress, SocketType, UnixAddress,
};

use crate::bindings::portcullis::sockets::{network, socket, types};

/// The family, where it is one of those that are served.
pub(super) fn family(family: types::AddressFamily) -> Result<Family, ErrorCode> {
    use types::AddressFamily as From;
    match family {
        From::Inet => Ok(Family::Inet),
        From::Inet6 => Ok(Family::Inet6),
        From::Unix => Ok(Family::Unix),
        From::Unspecified
        | From::Alg
        | From::Appletalk
        | From::Ax25
        | From::Bluetooth
        | From::Can
        | From::Ipx
        | From::Netlink
        | From::Packet
        | From::Qipcrtr
        | From::Rds
        | From::Tipc
        | From::Vsock
        | From::X25 => Err(ErrorCode::AddressFamilyNotSupported),
    }
}

impl From<Family> for types::AddressFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::Inet => Self::Inet,
            Family::Inet6 => Self::Inet6,
            Family::Unix => Self::Unix,
        }
    }
}

impl From<types::SocketType> for SocketType {
    fn from(kind: types::SocketType) -> Self {
        match kind {
            types::SocketType::Datagram => Self::Datagram,
            types::SocketType::Raw => Self::Raw,
            types::SocketType::ReliableMessage => Self::ReliableMessage,
            types::SocketType::Seqpacket => Self::Seqpacket,
            types::SocketType::Stream => Self::Stream,
        }
    }
}

impl From<SocketType> for types::SocketType {
    fn from(kind: SocketType) -> Self {
        match kind {
            SocketType::Datagram => Self::Datagram,
            SocketType::Raw => Self::Raw,
            SocketType::ReliableMessage => Self::ReliableMessage,
            SocketType::Seqpacket => Self::Seqpacket,
            SocketType::Stream => Self::Stream,
        }
    }
}

impl From<types::SocketAddress> for SocketAddress {
    fn from(address: types::SocketAddress) -> Self {
        match address {
            types::SocketAddress::Ipv4(types::Ipv4SocketAddress {
                port,
                address: (a, b, c, d),
            }) => Self::Inet(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port).into()),
            types::SocketAddress::Ipv6(types::Ipv6SocketAddress {
                port,
                flow_info,
                address,
                scope_id,
            }) => {
                let (a, b, c, d, e, f, g, h) = address;
                let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
                Self::Inet(SocketAddrV6::new(ip, port, flow_info, scope_id).into())
            }
            types::SocketAddress::Unix(address) => Self::Unix(match address {
                types::UnixAddress::Abstract(name) => UnixAddress::Abstract(name),
                types::UnixAddress::Path(path) => UnixAddress::Path(path),
                types::UnixAddress::Unnamed => UnixAddress::Unnamed,
            }),
        }
    }
}

impl From<SocketAddress> for types::SocketAddress {
    fn from(address: SocketAddress) -> Self {
        match address {
            SocketAddress::Inet(SocketAddr::V4(address)) => {
                let [a, b, c, d] = address.ip().octets();
                Self::Ipv4(types::Ipv4SocketAddress {
                    port: address.port(),
                    address: (a, b, c, d),
                })
            }
            SocketAddress::Inet(SocketAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h] = address.ip().segments();
                Self::Ipv6(types::Ipv6SocketAddress {
                    port: address.port(),
                    flow_info: address.flowinfo(),
                    address: (a, b, c, d, e, f, g, h),
                    scope_id: address.scope_id(),
                })
            }
            SocketAddress::Unix(address) => Self::Unix(match address {
                UnixAddress::Abstract(name) => types::UnixAddress::Abstract(name),
                UnixAddress::Path(path) => types::UnixAddress::Path(path),
                UnixAddress::Unnamed => types::UnixAddress::Unnamed,
            }),
        }
    }
}

impl From<types::Service> for Service {
    fn from(service: types::Service) -> Self {
        match service {
            types::Service::Name(name) => Self::Name(name),
            types::Service::Port(port) => Self::Port(port),
        }
    }
}

impl From<types::Endpoint> for Endpoint {
    fn from(endpoint: types::Endpoint) -> Self {
        match endpoint {
            types::Endpoint::Address(address) => Self::Address(address.into()),
            types::Endpoint::Name(types::NamedEndpoint { host, port }) => Self::Name {
                host,
                port: port.into(),
            },
        }
    }
}

impl TryFrom<network::ResolveHints> for ResolveHints {
    type Error = ErrorCode;

    fn try_from(hints: network::ResolveHints) -> Result<Self, ErrorCode> {
        use network::ResolveFlags as Flags;
        let family = if hints.family == types::AddressFamily::Unspecified {
            None
        } else {
            Some(family(hints.family).map_err(|_| ErrorCode::NameFamilyNotSupported)?)
        };
        Ok(Self {
            family,
            socket_type: hints.socket_type.map(SocketType::from),
            protocol: hints.protocol,
            all: hints.flags.contains(Flags::ALL),
            canonical_name: hints.flags.contains(Flags::CANONICAL_NAME),
            configured_families: hints.flags.contains(Flags::CONFIGURED_FAMILIES),
            map_ipv4: hints.flags.contains(Flags::MAP_IPV4),
            numeric_host: hints.flags.contains(Flags::NUMERIC_HOST),
            numeric_service: hints.flags.contains(Flags::NUMERIC_SERVICE),
            passive: hints.flags.contains(Flags::PASSIVE),
        })
    }
}

impl From<network::ReverseFlags> for ReverseOptions {
    fn from(flags: network::ReverseFlags) -> Self {
        use network::ReverseFlags as Flags;
        Self {
            datagram: flags.contains(Flags::DATAGRAM),
            name_required: flags.contains(Flags::NAME_REQUIRED),
            numeric_host: flags.contains(Flags::NUMERIC_HOST),
            numeric_service: flags.contains(Flags::NUMERIC_SERVICE),
        }
    }
}

impl From<AddressInfo> for network::AddressInfo {
    fn from(info: AddressInfo) -> Self {
        let family = match info.address {
            SocketAddr::V4(_) => types::AddressFamily::Inet,
            SocketAddr::V6(_) => types::AddressFamily::Inet6,
        };
        Self {
            family,
            socket_type: info.socket_type.into(),
            protocol: info.protocol,
            canonical_name: info.canonical_name,
            address: SocketAddress::Inet(info.address).into(),
        }
    }
}

impl From<socket::SendFlags> for SendOptions {
    fn from(flags: socket::SendFlags) -> Self {
        Self {
            dont_route: flags.contains(socket::SendFlags::DONT_ROUTE),
            dont_wait: flags.contains(socket::SendFlags::DONT_WAIT),
            end_of_record: flags.contains(socket::SendFlags::END_OF_RECORD),
            more: flags.contains(socket::SendFlags::MORE),
            out_of_band: flags.contains(socket::SendFlags::OUT_OF_BAND),
        }
    }
}

impl From<socket::ReceiveFlags> for ReceiveOptions {
    fn from(flags: socket::ReceiveFlags) -> Self {
        Self {
            dont_wait: flags.contains(socket::ReceiveFlags::DONT_WAIT),
            out_of_band: flags.contains(socket::ReceiveFlags::OUT_OF_BAND),
            peek: flags.contains(socket::ReceiveFlags::PEEK),
            wait_all: flags.contains(socket::ReceiveFlags::WAIT_ALL),
        }
    }
}

impl From<Datagram> for socket::Datagram {
    fn from(datagram: Datagram) -> Self {
        Self {
            length: datagram.length as u64,
            data: datagram.data,
            source: datagram.source.into(),
        }
    }
}

impl From<socket::Readiness> for Ready {
    fn from(flags: socket::Readiness) -> Self {
        Self {
            readable: flags.contains(socket::Readiness::READABLE),
            writable: flags.contains(socket::Readiness::WRITABLE),
            urgent: flags.contains(socket::Readiness::URGENT),
            failed: flags.contains(socket::Readiness::FAILED),
            hung_up: flags.contains(socket::Readiness::HUNG_UP),
        }
    }
}

impl From<Ready> for socket::Readiness {
    fn from(ready: Ready) -> Self {
        let flags = [
            (ready.readable, Self::READABLE),
            (ready.writable, Self::WRITABLE),
            (ready.urgent, Self::URGENT),
            (ready.failed, Self::FAILED),
            (ready.hung_up, Self::HUNG_UP),
        ];
        let set = flags.into_iter().filter(|(set, _)| *set);
        set.fold(Self::empty(), |all, (_, flag)| all | flag)
    }
}

impl From<types::IpAddress> for IpAddr {
    fn from(address: types::IpAddress) -> Self {
        match address {
            types::IpAddress::Ipv4((a, b, c, d)) => Ipv4Addr::new(a, b, c, d).into(),
            types::IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => {
                Ipv6Addr::new(a, b, c, d, e, f, g, h).into()
            }
        }
    }
}
