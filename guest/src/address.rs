//! Addresses of the contract and of `std::net`, one into the other.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::raw::types::{Ipv4SocketAddress, Ipv6SocketAddress, SocketAddress};

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

/// # Errors
///
/// `Unsupported` for an address of a unix socket, which `std::net` has no word
/// for.
pub(crate) fn from_contract(address: &SocketAddress) -> io::Result<SocketAddr> {
    match address {
        SocketAddress::Ipv4(Ipv4SocketAddress {
            port,
            address: (a, b, c, d),
        }) => Ok(SocketAddrV4::new(Ipv4Addr::new(*a, *b, *c, *d), *port).into()),
        SocketAddress::Ipv6(Ipv6SocketAddress {
            port,
            flow_info,
            address,
            scope_id,
        }) => {
            let (a, b, c, d, e, f, g, h) = *address;
            let ip = Ipv6Addr::new(a, b, c, d, e, f, g, h);
            Ok(SocketAddrV6::new(ip, *port, *flow_info, *scope_id).into())
        }
        SocketAddress::Unix(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the address of a unix socket is not an internet address",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["1.2.3.4:5", "[2001:db8::1]:65535", "[fe80::1%3]:80"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(from_contract(&to_contract(address)).unwrap(), address);
        }
    }
}
