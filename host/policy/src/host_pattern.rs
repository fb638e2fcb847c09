//! What socket grants write where the host goes. It must not know verbs: what
//! `*` stands for is for the grant to say.

use std::fmt;
use std::net::IpAddr;

use crate::name_pattern::NamePattern;
use crate::range::Range;

/// The host of a grant. The pattern `*` is `Names(NamePattern::Any)`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum HostPattern {
    Addresses(Range),
    Names(NamePattern),
}

/// IPv6 addresses stand in brackets, a prefix length after them.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(Range::Network(net)) => match net.addr() {
                IpAddr::V6(address) if net.prefix_len() == net.max_prefix_len() => {
                    write!(f, "[{address}]")
                }
                IpAddr::V6(address) => write!(f, "[{address}]/{}", net.prefix_len()),
                IpAddr::V4(_) => Range::Network(*net).fmt(f),
            },
            Self::Addresses(Range::Group(group)) => group.fmt(f),
            Self::Names(names) => names.fmt(f),
        }
    }
}
