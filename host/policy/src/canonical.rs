//! One form for each address, so that no second spelling slips past a deny. It
//! must not change where an address leads.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The form in which addresses are compared.
///
/// An IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) becomes IPv4. Flow
/// information is dropped. A scope is kept only where it distinguishes
/// addresses: on link-local ones (RFC 4007).
pub fn canonical<A: Canonical>(address: A) -> A {
    address.into_canonical()
}

/// An address that has a canonical form; see [`canonical`].
pub trait Canonical: Sized {
    #[doc(hidden)]
    fn into_canonical(self) -> Self;
}

impl Canonical for IpAddr {
    fn into_canonical(self) -> Self {
        self.to_canonical()
    }
}

impl Canonical for SocketAddr {
    fn into_canonical(self) -> Self {
        match (self.ip().to_canonical(), self) {
            (IpAddr::V6(address), Self::V6(whole)) if has_zone(address) => {
                SocketAddrV6::new(address, whole.port(), 0, whole.scope_id()).into()
            }
            (address, whole) => Self::new(address, whole.port()),
        }
    }
}

/// Whether an address means another machine on each link: `fe80::/10`, and
/// multicast of link-local scope (RFC 4291, section 2.7).
pub fn has_zone(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local() || address.segments()[0] & 0xff0f == 0xff02
}
