//! POSIX `getaddrinfo`: a name and a service, with hints, to what can be opened
//! and connected.
//!
//! Finding the addresses is for `Network::locate`, which asks the policy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portcullis_policy::{Host, Protocol, Purpose};

use crate::address::{Family, Service, SocketType};
use crate::error::{Error, ErrorCode};
use crate::network::Network;
use crate::os::inet as os;
use crate::resolver::Families;
use crate::service;

/// What to look for, and how: `getaddrinfo`'s `hints`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResolveHints {
    /// One family, or both.
    pub family: Option<Family>,
    /// One type, or every one that is served.
    pub socket_type: Option<SocketType>,
    /// A protocol by its number; zero for any.
    pub protocol: u16,
    /// `AI_ALL`
    pub all: bool,
    /// `AI_CANONNAME`
    pub canonical_name: bool,
    /// `AI_ADDRCONFIG`
    pub configured_families: bool,
    /// `AI_V4MAPPED`
    pub map_ipv4: bool,
    /// `AI_NUMERICHOST`
    pub numeric_host: bool,
    /// `AI_NUMERICSERV`
    pub numeric_service: bool,
    /// `AI_PASSIVE`
    pub passive: bool,
}

impl ResolveHints {
    /// The families of addresses that can come of it. IPv4 addresses in the form of
    /// IPv6 are IPv4 addresses.
    fn families(&self) -> Families {
        match self.family {
            Some(Family::Inet6) if self.map_ipv4 => Families::Both,
            family => Families::of(family),
        }
    }
}

/// `struct addrinfo`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressInfo {
    /// The type of socket to open.
    pub socket_type: SocketType,
    /// The protocol to open it with.
    pub protocol: u16,
    /// On the first of a list, where it was asked for.
    pub canonical_name: Option<String>,
    /// The address, which says the family as well.
    pub address: SocketAddr,
}

/// The kinds of sockets that names can lead to, in `getaddrinfo`'s order.
const KINDS: [(SocketType, Protocol, u16); 2] = [
    (SocketType::Stream, Protocol::Tcp, 6),
    (SocketType::Datagram, Protocol::Udp, 17),
];

impl Network {
    /// POSIX `getaddrinfo`.
    ///
    /// # Errors
    ///
    /// See `resolve` in `wit/network.wit`.
    pub async fn resolve(
        &self,
        host: Option<&str>,
        service: Option<&Service>,
        hints: ResolveHints,
    ) -> Result<Vec<AddressInfo>, Error> {
        let kinds = kinds(service, hints)?;
        let (addresses, canonical) = match host {
            None if service.is_none() => return Err(ErrorCode::NameNotFound.into()),
            None if hints.canonical_name => return Err(ErrorCode::NameBadFlags.into()),
            None => (here(hints.passive), None),
            Some(host) => self.addresses(host, hints).await?,
        };
        let mut addresses = in_family(addresses, hints);
        if hints.configured_families {
            let (four, six) = (os::has_ipv4(), os::has_ipv6());
            addresses.retain(|address| if address.is_ipv4() { four } else { six });
        }
        if addresses.is_empty() {
            return Err(ErrorCode::NameFamilyNotSupported.into());
        }
        let mut canonical_name = canonical.filter(|_| hints.canonical_name);
        let found = addresses.into_iter().flat_map(|ip| {
            kinds
                .iter()
                .map(move |(socket_type, protocol, port)| (ip, *socket_type, *protocol, *port))
        });
        Ok(found
            .map(|(ip, socket_type, protocol, port)| AddressInfo {
                socket_type,
                protocol,
                canonical_name: canonical_name.take(),
                address: (ip, port).into(),
            })
            .collect())
    }

    async fn addresses(
        &self,
        host: &str,
        hints: ResolveHints,
    ) -> Result<(Vec<IpAddr>, Option<String>), Error> {
        let parsed = Host::parse(host)?;
        if let (Host::Name(_), true) = (&parsed, hints.numeric_host) {
            return Err(ErrorCode::NameNotFound.into());
        }
        match parsed {
            Host::Address(ip) => Ok((vec![ip], Some(ip.to_string()))),
            Host::Name(name) => {
                let (purpose, families) = (Purpose::Resolve, hints.families());
                let (answer, _) = self.look_up(None, &name, purpose, families).await?;
                let canonical = answer.chain.last().unwrap_or(&name).to_string();
                Ok((answer.addresses, Some(canonical)))
            }
        }
    }
}

/// The kinds of sockets that the hints leave, each with the service's port.
fn kinds(
    service: Option<&Service>,
    hints: ResolveHints,
) -> Result<Vec<(SocketType, u16, u16)>, Error> {
    let numbered = match service {
        Some(Service::Name(name)) => name.parse().ok().map(Service::Port),
        Some(Service::Port(_)) | None => None,
    };
    let service = numbered.as_ref().or(service);
    if let (Some(Service::Name(_)), true) = (service, hints.numeric_service) {
        return Err(ErrorCode::NameNotFound.into());
    }
    let mut known = KINDS
        .iter()
        .filter(|(kind, ..)| hints.socket_type.is_none_or(|wanted| wanted == *kind))
        .filter(|(.., number)| hints.protocol == 0 || hints.protocol == *number)
        .peekable();
    if known.peek().is_none() {
        return Err(ErrorCode::NameSocketTypeNotSupported.into());
    }
    let kinds: Vec<_> = known
        .filter_map(|(kind, protocol, number)| {
            let port = service.map_or(Ok(0), |service| service::port(service, *protocol));
            Some((*kind, *number, port.ok()?))
        })
        .collect();
    if kinds.is_empty() {
        return Err(ErrorCode::NameServiceNotFound.into());
    }
    Ok(kinds)
}

/// Where no host is named: this machine, to bind to or to connect to.
fn here(passive: bool) -> Vec<IpAddr> {
    if passive {
        return vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    }
    vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
}

fn in_family(addresses: Vec<IpAddr>, hints: ResolveHints) -> Vec<IpAddr> {
    match hints.family {
        None => addresses,
        Some(Family::Inet) => addresses.into_iter().filter(IpAddr::is_ipv4).collect(),
        Some(Family::Inet6) => {
            let map = hints.map_ipv4 && (hints.all || !addresses.iter().any(IpAddr::is_ipv6));
            let six = addresses.into_iter().filter_map(|address| match address {
                IpAddr::V6(_) => Some(address),
                IpAddr::V4(ip) => map.then(|| ip.to_ipv6_mapped().into()),
            });
            six.collect()
        }
        Some(Family::Unix) => Vec::new(),
    }
}
