//! Names to addresses and back, for programs that want to see them.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::address;
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{ErrorCode, error_code, from_host};
use crate::network::Network;
use crate::raw::network::{self, ResolveFlags, ResolveHints, default_network};
use crate::raw::types::Service;
use crate::socket::{Family, SocketType};

pub use crate::raw::network::ReverseFlags;

/// The addresses of a TCP endpoint, in the order to try them: POSIX
/// `getaddrinfo`.
///
/// Connecting does not need it: [`crate::TcpStream::connect`] takes names, and
/// the host then resolves, checks and connects in one step. For as long as the
/// answer is valid, the addresses may be connected to under the name's grant.
///
/// # Errors
///
/// `PermissionDenied` without a grant that covers the name; those of the
/// contract's `resolve`.
pub fn lookup(endpoint: impl ToEndpoint) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = match endpoint.to_endpoint()? {
        Endpoint::Address(address) => return Ok(vec![address]),
        Endpoint::Name { host, port } => (host, port),
    };
    let streams = LookupOptions::new().socket_type(SocketType::Stream);
    let found = streams.lookup(Some(&host), Some(&port))?;
    Ok(found.into_iter().map(|info| info.address).collect())
}

/// What to look for, and how: the hints of POSIX `getaddrinfo`. Without any,
/// every family and type.
///
/// ```no_run
/// use portcullis_guest::{Family, LookupOptions, SocketType};
///
/// # fn main() -> std::io::Result<()> {
/// let ipv4_streams = LookupOptions::new().family(Family::Inet).socket_type(SocketType::Stream);
/// for info in ipv4_streams.lookup(Some("example.com"), Some("www"))? {
///     println!("{}", info.address);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct LookupOptions(ResolveHints);

/// One way to open a socket and where to: `struct addrinfo`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressInfo {
    /// The type of socket to open.
    pub socket_type: SocketType,
    /// The protocol to open it with, by its number.
    pub protocol: u16,
    /// On the first of a list, where it was asked for.
    pub canonical_name: Option<String>,
    /// The address, which says the family as well.
    pub address: SocketAddr,
}

impl Default for LookupOptions {
    fn default() -> Self {
        Self(ResolveHints {
            family: Family::Unspecified,
            socket_type: None,
            protocol: 0,
            flags: ResolveFlags::empty(),
        })
    }
}

impl LookupOptions {
    /// Every family and type.
    pub fn new() -> Self {
        Self::default()
    }

    /// Addresses of one family only.
    pub fn family(mut self, family: Family) -> Self {
        self.0.family = family;
        self
    }

    /// Sockets of one type only.
    pub fn socket_type(mut self, socket_type: SocketType) -> Self {
        self.0.socket_type = Some(socket_type);
        self
    }

    /// Sockets of one protocol only, by its number.
    pub fn protocol(mut self, protocol: u16) -> Self {
        self.0.protocol = protocol;
        self
    }

    /// `AI_ALL`: with `map_ipv4`, IPv4 addresses beside the IPv6 ones.
    pub fn all(self, yes: bool) -> Self {
        self.flag(ResolveFlags::ALL, yes)
    }

    /// `AI_CANONNAME`: the canonical name as well.
    pub fn canonical_name(self, yes: bool) -> Self {
        self.flag(ResolveFlags::CANONICAL_NAME, yes)
    }

    /// `AI_ADDRCONFIG`: only families of which the machine has an address.
    pub fn configured_families(self, yes: bool) -> Self {
        self.flag(ResolveFlags::CONFIGURED_FAMILIES, yes)
    }

    /// `AI_V4MAPPED`: where there is no IPv6 address, IPv4 ones in its form.
    pub fn map_ipv4(self, yes: bool) -> Self {
        self.flag(ResolveFlags::MAP_IPV4, yes)
    }

    /// `AI_NUMERICHOST`: the host must be an address; nothing is looked up.
    pub fn numeric_host(self, yes: bool) -> Self {
        self.flag(ResolveFlags::NUMERIC_HOST, yes)
    }

    /// `AI_NUMERICSERV`: the service must be a number.
    pub fn numeric_service(self, yes: bool) -> Self {
        self.flag(ResolveFlags::NUMERIC_SERVICE, yes)
    }

    /// `AI_PASSIVE`: without a host, the addresses to bind to rather than those
    /// of loopback.
    pub fn passive(self, yes: bool) -> Self {
        self.flag(ResolveFlags::PASSIVE, yes)
    }

    fn flag(mut self, flag: ResolveFlags, yes: bool) -> Self {
        if yes {
            self.0.flags |= flag;
        } else {
            self.0.flags -= flag;
        }
        self
    }

    /// Looks up a host and a service, at least one of them: POSIX `getaddrinfo`.
    ///
    /// # Errors
    ///
    /// As [`lookup`].
    pub fn lookup(
        &self,
        host: Option<&str>,
        service: Option<&str>,
    ) -> io::Result<Vec<AddressInfo>> {
        self.lookup_in(None, host, service)
    }

    /// Looks a name up within `network`, or within the default network.
    pub(crate) fn lookup_in(
        &self,
        network: Option<&Network>,
        host: Option<&str>,
        service: Option<&str>,
    ) -> io::Result<Vec<AddressInfo>> {
        let service = service.map(|service| Service::Name(service.into()));
        let found = match network {
            Some(network) => network.as_raw().resolve(host, service.as_ref(), self.0),
            None => default_network().resolve(host, service.as_ref(), self.0),
        };
        let found = found.map_err(from_host)?;
        found.into_iter().map(AddressInfo::from_contract).collect()
    }
}

impl AddressInfo {
    fn from_contract(info: network::AddressInfo) -> io::Result<Self> {
        Ok(Self {
            socket_type: info.socket_type,
            protocol: info.protocol,
            canonical_name: info.canonical_name,
            address: address::from_contract(&info.address)?,
        })
    }
}

/// What is known of a host: `struct hostent`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostEntry {
    /// Its canonical name.
    pub name: String,
    /// The name that was asked for, where that is another.
    pub aliases: Vec<String>,
    /// Its addresses of both families, in the order to try them.
    pub addresses: Vec<IpAddr>,
}

/// What is known of a host by its name: POSIX `gethostbyname`, for both
/// families.
///
/// # Errors
///
/// As [`lookup`].
pub fn host_by_name(host: &str) -> io::Result<HostEntry> {
    let options = LookupOptions::new().socket_type(SocketType::Stream);
    let found = options.canonical_name(true).lookup(Some(host), None)?;
    let canonical = found.iter().find_map(|info| info.canonical_name.clone());
    let name = canonical.unwrap_or_else(|| host.to_owned());
    let asked = host.strip_suffix('.').unwrap_or(host);
    let is_alias = !asked.eq_ignore_ascii_case(&name);
    Ok(HostEntry {
        aliases: is_alias.then(|| asked.to_owned()).into_iter().collect(),
        addresses: found.iter().map(|info| info.address.ip()).collect(),
        name,
    })
}

/// What is known of a host by its address: POSIX `gethostbyaddr`.
///
/// # Errors
///
/// As [`reverse_lookup`]; an address without a name is one.
pub fn host_by_address(address: IpAddr) -> io::Result<HostEntry> {
    let flags = ReverseFlags::NAME_REQUIRED | ReverseFlags::NUMERIC_SERVICE;
    let (name, _) = reverse_lookup_with((address, 0).into(), flags)?;
    Ok(HostEntry {
        name,
        aliases: Vec::new(),
        addresses: vec![address],
    })
}

/// The name that a name is an alias of, or the name itself: `AI_CANONNAME` of
/// POSIX `getaddrinfo`.
///
/// # Errors
///
/// As [`lookup`].
pub fn canonical_name(host: &str) -> io::Result<String> {
    Ok(host_by_name(host)?.name)
}

/// The name of a host with its domain, as far as it can be found out: what its
/// address is called, or else the host as given. Without a host, that of this
/// machine. `getfqdn` in Python.
///
/// # Errors
///
/// As [`lookup`] and [`reverse_lookup`], except for names and addresses that are
/// not known.
pub fn fully_qualified_name(host: &str) -> io::Result<String> {
    let host = match host.trim() {
        "" | "0.0.0.0" | "::" => Network::default().host_name(),
        host => host.to_owned(),
    };
    let found = host_by_name(&host).and_then(|entry| match entry.addresses.first() {
        Some(address) => host_by_address(*address),
        None => Ok(entry),
    });
    match found {
        Ok(entry) => Ok(entry.name),
        Err(error) => match error_code(&error) {
            Some(ErrorCode::NameNoData | ErrorCode::NameNotFound) => Ok(host),
            _ => Err(error),
        },
    }
}

/// The host and the service of an address; the address and the port as text
/// where they have no name: POSIX `getnameinfo`.
///
/// The name is what the holder of the address says. [`lookup`] tells whether it
/// leads back.
///
/// # Errors
///
/// `PermissionDenied` without a grant; those of the contract's `reverse`.
pub fn reverse_lookup(address: SocketAddr) -> io::Result<(String, String)> {
    reverse_lookup_with(address, ReverseFlags::empty())
}

/// The same, where some is to be left as it is: the `NI_` flags.
///
/// # Errors
///
/// As [`reverse_lookup`].
pub fn reverse_lookup_with(
    address: SocketAddr,
    flags: ReverseFlags,
) -> io::Result<(String, String)> {
    default_network()
        .reverse(&address::to_contract(address), flags)
        .map_err(from_host)
}

/// The port of a service for `"tcp"`, `"udp"` or either: POSIX `getservbyname`.
///
/// # Errors
///
/// Those of the contract's `service-by-name`.
pub fn service_port(name: &str, protocol: Option<&str>) -> io::Result<u16> {
    default_network()
        .service_by_name(name, protocol)
        .map_err(from_host)
}

/// The service of a port: POSIX `getservbyport`.
///
/// # Errors
///
/// Those of the contract's `service-by-port`.
pub fn service_name(port: u16, protocol: Option<&str>) -> io::Result<String> {
    default_network()
        .service_by_port(port, protocol)
        .map_err(from_host)
}

/// The number of a protocol: POSIX `getprotobyname`.
///
/// # Errors
///
/// Those of the contract's `protocol-by-name`.
pub fn protocol_number(name: &str) -> io::Result<u16> {
    default_network().protocol_by_name(name).map_err(from_host)
}
