//! What may be written where an address goes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::address;
use crate::raw::types::{self, NamedEndpoint, Service};

/// Where in the internet to bind, connect or send: an address, or a name that the
/// host will resolve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// An address.
    Address(SocketAddr),
    /// A name with a port.
    Name {
        /// A name; the host takes an address in text as well, and the empty
        /// text for every address of the machine.
        host: String,
        /// A number, or the name of a service such as `http`.
        port: String,
    },
}

impl Endpoint {
    pub(crate) fn to_contract(&self) -> types::Endpoint {
        match self {
            Self::Address(address) => types::Endpoint::Address(address::to_contract(*address)),
            Self::Name { host, port } => {
                let port = match port.parse() {
                    Ok(port) => Service::Port(port),
                    Err(_) => Service::Name(port.clone()),
                };
                types::Endpoint::Name(NamedEndpoint {
                    host: host.clone(),
                    port,
                })
            }
        }
    }
}

/// What [`std::net::ToSocketAddrs`] is to `std::net`, except that nothing is
/// looked up: that is for the host, when it checks and connects.
///
/// | for | write |
/// |---|---|
/// | a name | `"example.com:80"`, `"example.com:http"`, `("example.com", 80)` |
/// | every address of this machine, to bind to (Python's `''`) | `":80"`, `("", 80)` |
/// | one family of them | `(Ipv4Addr::UNSPECIFIED, 80)`, `(Ipv6Addr::UNSPECIFIED, 80)` |
/// | everybody on the network (Python's `'<broadcast>'`) | `(Ipv4Addr::BROADCAST, 80)` |
///
/// ```
/// use portcullis_guest::{Endpoint, ToEndpoint};
///
/// # fn main() -> std::io::Result<()> {
/// assert_eq!("127.0.0.1:80".to_endpoint()?, Endpoint::Address(([127, 0, 0, 1], 80).into()));
/// let named = Endpoint::Name { host: "example.com".into(), port: "http".into() };
/// assert_eq!("example.com:http".to_endpoint()?, named);
/// assert!("example.com".to_endpoint().is_err());
/// # Ok(())
/// # }
/// ```
pub trait ToEndpoint {
    /// Says where.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for text that is not a host and a port.
    fn to_endpoint(&self) -> io::Result<Endpoint>;
}

impl ToEndpoint for Endpoint {
    fn to_endpoint(&self) -> io::Result<Endpoint> {
        Ok(self.clone())
    }
}

impl ToEndpoint for str {
    fn to_endpoint(&self) -> io::Result<Endpoint> {
        if let Ok(address) = self.parse() {
            return Ok(Endpoint::Address(address));
        }
        match self.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && !host.contains(':') => Ok(Endpoint::Name {
                host: host.into(),
                port: port.into(),
            }),
            _ => {
                let message = format!(
                    "{self:?} is not a host and a port, as in \"127.0.0.1:80\" or \"[::1]:80\""
                );
                Err(io::Error::new(io::ErrorKind::InvalidInput, message))
            }
        }
    }
}

impl ToEndpoint for String {
    fn to_endpoint(&self) -> io::Result<Endpoint> {
        self.as_str().to_endpoint()
    }
}

impl ToEndpoint for (&str, u16) {
    fn to_endpoint(&self) -> io::Result<Endpoint> {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => Ok(Endpoint::Address((ip, port).into())),
            Err(_) => Ok(Endpoint::Name {
                host: host.into(),
                port: port.to_string(),
            }),
        }
    }
}

impl ToEndpoint for (String, u16) {
    fn to_endpoint(&self) -> io::Result<Endpoint> {
        (self.0.as_str(), self.1).to_endpoint()
    }
}

impl<T: ToEndpoint + ?Sized> ToEndpoint for &T {
    fn to_endpoint(&self) -> io::Result<Endpoint> {
        (**self).to_endpoint()
    }
}

macro_rules! address_to_endpoint {
    ($($address:ty),*) => {
        $(impl ToEndpoint for $address {
            fn to_endpoint(&self) -> io::Result<Endpoint> {
                Ok(Endpoint::Address((*self).into()))
            }
        })*
    };
}

address_to_endpoint!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_without_brackets_is_refused() {
        let error = "::1:80".to_endpoint().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#""::1:80" is not a host and a port, as in "127.0.0.1:80" or "[::1]:80""#
        );
    }

    #[test]
    fn an_empty_host_stands_for_every_address() {
        let everywhere = Endpoint::Name {
            host: String::new(),
            port: "80".into(),
        };
        assert_eq!(":80".to_endpoint().unwrap(), everywhere);
    }
}
