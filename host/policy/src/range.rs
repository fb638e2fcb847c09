//! Ranges of addresses, alone or in the lists after `from` and `in`. It must
//! not know what a range is used for.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::Group;
use crate::embedded::embedded;

/// A network or a group.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Range {
    Group(Group),
    Network(IpNet),
}

impl Range {
    /// Whether all of `network` lies in the range, as the destinations of a grant.
    pub(crate) fn covers(&self, network: &IpNet) -> bool {
        match self {
            Self::Group(group) => group.covers(network),
            Self::Network(own) => own.contains(network),
        }
    }

    /// Whether all of `network` lies in the range, with the metadata in it.
    pub(crate) fn spans(&self, network: &IpNet) -> bool {
        match self {
            Self::Group(group) => group.spans(network),
            Self::Network(own) => own.contains(network),
        }
    }

    /// Whether what it holds of metadata is meant: it is written in numbers, or by its
    /// own word.
    pub(crate) fn names_metadata(&self) -> bool {
        match self {
            Self::Group(group) => *group == Group::Metadata,
            Self::Network(_) => true,
        }
    }

    /// Of how many networks it is made up; `public`, which is none of them, is one part.
    pub(crate) fn parts(self) -> usize {
        match self {
            Self::Group(group) => group.networks().len().max(1),
            Self::Network(_) => 1,
        }
    }

    /// Whether it holds IPv4 addresses, as every group does.
    pub(crate) fn has_v4(&self) -> bool {
        match self {
            Self::Group(_) | Self::Network(IpNet::V4(_)) => true,
            Self::Network(IpNet::V6(_)) => false,
        }
    }

    /// Whether it holds IPv6 addresses, as every group does.
    pub(crate) fn has_v6(&self) -> bool {
        match self {
            Self::Group(_) | Self::Network(IpNet::V6(_)) => true,
            Self::Network(IpNet::V4(_)) => false,
        }
    }
}

impl From<IpAddr> for Range {
    fn from(address: IpAddr) -> Self {
        Self::Network(address.into())
    }
}

/// An address alone is printed without its prefix length.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => group.fmt(f),
            Self::Network(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Network(net) => net.fmt(f),
        }
    }
}

/// A list of ranges, sorted and without repetition.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Ranges(Vec<Range>);

impl Ranges {
    /// Whether one of the ranges holds all of `network`, with the metadata in it.
    pub(crate) fn span(&self, network: &IpNet) -> bool {
        self.0.iter().any(|range| range.spans(network))
    }

    /// Whether one of the ranges holds all of `network`, as the destinations of a
    /// grant.
    pub(crate) fn cover(&self, network: &IpNet) -> bool {
        self.0.iter().any(|range| range.covers(network))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range> {
        self.0.iter().copied()
    }

    /// Whether the address, or an IPv4 address that it carries, is in the
    /// list: the question that denies ask.
    pub(crate) fn catch(&self, address: IpAddr) -> bool {
        self.span(&address.into()) || embedded(address).any(|v4| self.span(&IpAddr::V4(v4).into()))
    }
}

impl FromIterator<Range> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_unstable();
        ranges.dedup();
        Self(ranges)
    }
}

impl From<Range> for Ranges {
    fn from(range: Range) -> Self {
        Self(vec![range])
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            range.fmt(f)?;
        }
        Ok(())
    }
}
