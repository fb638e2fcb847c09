//! What a guest may write where a host goes: an address or a name. It must not
//! guess: what is not exactly an address is held to the rules of names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Name, NameError};

/// A host as a guest writes it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Host {
    /// An address, in the family in which it was written: requests make it
    /// canonical, sockets may still need the IPv4-mapped form.
    Address(IpAddr),
    /// A name to be looked up.
    Name(Name),
}

impl Host {
    /// Reads a dotted quad of four decimal numbers, an IPv6 address as in
    /// RFC 4291 section 2.2 (in brackets or not), or else a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        if !text.contains([':', '[', ']']) {
            return Name::parse(text).map(Self::Name);
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(text);
        match bare.parse::<Ipv6Addr>() {
            Ok(address) => Ok(Self::Address(address.into())),
            Err(_) if bare.contains('%') => Err(NameError::Zone),
            Err(_) => Err(NameError::Address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => name.fmt(f),
        }
    }
}
