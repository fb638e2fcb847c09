//! The address of a socket of any family, and addresses of the contract and of
//! `std::net`, one into the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::{fmt, io};

use crate::raw::types::{IpAddress, Ipv4SocketAddress, Ipv6SocketAddress, SocketAddress};
use crate::unix::UnixAddr;

/// The address of a socket of any family: `struct sockaddr`.
///
/// ```
/// use portcullis_guest::{SockAddr, UnixAddr};
///
/// # fn main() -> std::io::Result<()> {
/// let inet = SockAddr::Inet(([127, 0, 0, 1], 80).into());
/// assert_eq!(inet.to_string(), "127.0.0.1:80");
/// let unix = SockAddr::Unix(UnixAddr::from_pathname("/run/echo.sock")?);
/// assert_eq!(unix.to_string(), "/run/echo.sock");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum SockAddr {
    /// Of the internet.
    Inet(SocketAddr),
    /// Within one machine.
    Unix(UnixAddr),
}

impl SockAddr {
    /// The address, if it is one of the internet.
    pub fn as_socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The address, if it is one of a unix socket.
    pub fn as_unix(&self) -> Option<&UnixAddr> {
        match self {
            Self::Inet(_) => None,
            Self::Unix(address) => Some(address),
        }
    }

    pub(crate) fn to_contract(&self) -> SocketAddress {
        match self {
            Self::Inet(address) => to_contract(*address),
            Self::Unix(address) => SocketAddress::Unix(address.to_contract()),
        }
    }
}

impl fmt::Display for SockAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(address) => address.fmt(f),
        }
    }
}

impl From<SocketAddr> for SockAddr {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl From<UnixAddr> for SockAddr {
    fn from(address: UnixAddr) -> Self {
        Self::Unix(address)
    }
}

impl From<SocketAddress> for SockAddr {
    fn from(address: SocketAddress) -> Self {
        match address {
            SocketAddress::Ipv4(address) => Self::Inet(from_ipv4(&address)),
            SocketAddress::Ipv6(address) => Self::Inet(from_ipv6(&address)),
            SocketAddress::Unix(address) => Self::Unix(address.into()),
        }
    }
}

impl TryFrom<SockAddr> for SocketAddr {
    type Error = io::Error;

    /// # Errors
    ///
    /// `Unsupported` for an address of a unix socket.
    fn try_from(address: SockAddr) -> io::Result<Self> {
        address
            .as_socket()
            .ok_or_else(|| unsupported("the address of a unix socket is not an internet address"))
    }
}

impl TryFrom<SockAddr> for UnixAddr {
    type Error = io::Error;

    /// # Errors
    ///
    /// `Unsupported` for an address of the internet.
    fn try_from(address: SockAddr) -> io::Result<Self> {
        match address {
            SockAddr::Unix(address) => Ok(address),
            SockAddr::Inet(_) => Err(unsupported(
                "an internet address is not the address of a unix socket",
            )),
        }
    }
}

fn unsupported(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, message)
}

pub(crate) fn to_contract(address: SocketAddr) -> SocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            SocketAddress::Ipv4(Ipv4SocketAddress {
                port: address.port(),
                address: (a, b, c, d),
            })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            SocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: address.scope_id(),
            })
        }
    }
}

pub(crate) fn ip_to_contract(address: IpAddr) -> IpAddress {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            IpAddress::Ipv4((a, b, c, d))
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments();
            IpAddress::Ipv6((a, b, c, d, e, f, g, h))
        }
    }
}

/// # Errors
///
/// `Unsupported` for an address of a unix socket, which `std::net` has no word
/// for.
pub(crate) fn from_contract(address: &SocketAddress) -> io::Result<SocketAddr> {
    SockAddr::from(address.clone()).try_into()
}

fn from_ipv4(address: &Ipv4SocketAddress) -> SocketAddr {
    let (a, b, c, d) = address.address;
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), address.port).into()
}

fn from_ipv6(address: &Ipv6SocketAddress) -> SocketAddr {
    let (a, b, c, d, e, f, g, h) = address.address;
    let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
    SocketAddrV6::new(ip, address.port, address.flow_info, address.scope_id).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internet_addresses_come_back_as_they_went() {
        for text in ["1.2.3.4:5", "[2001:db8::1]:65535", "[fe80::1%3]:80"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(from_contract(&to_contract(address)).unwrap(), address);
        }
    }

    #[test]
    fn unix_addresses_come_back_as_they_went() {
        for address in [
            UnixAddr::unnamed(),
            UnixAddr::from_pathname("/run/echo.sock").unwrap(),
            UnixAddr::from_abstract_name(b"echo\0\xff").unwrap(),
        ] {
            let address = SockAddr::Unix(address);
            assert_eq!(SockAddr::from(address.to_contract()), address);
        }
    }

    #[test]
    fn an_address_of_the_other_family_is_refused() {
        let unix = SockAddr::Unix(UnixAddr::unnamed());
        let error = SocketAddr::try_from(unix).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let inet = SockAddr::Inet(([127, 0, 0, 1], 80).into());
        let error = UnixAddr::try_from(inet).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
