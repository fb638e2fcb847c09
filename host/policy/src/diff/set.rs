//! Sets of addresses, on one axis. It must not round: a set holds exactly what
//! went into it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use crate::Group;
use crate::range::Range;

/// Addresses as numbers. IPv4 lies where its mapped addresses would (RFC 4291,
/// section 2.5.5.2): in canonical form no IPv6 address lies there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Set(Vec<Interval>);

pub(crate) type Interval = (u128, u128);

/// All of IPv4.
const V4: Interval = (0xffff << 32, 0xffff << 32 | 0xffff_ffff);

pub(crate) fn key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

pub(crate) fn address(key: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(key)).to_canonical()
}

/// The IPv4 address in a number.
fn low(key: u128) -> u32 {
    u32::try_from(key & 0xffff_ffff).unwrap_or_default()
}

impl Set {
    pub(crate) const fn empty() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn all() -> Self {
        Self(vec![(0, u128::MAX)])
    }

    pub(crate) fn v4() -> Self {
        Self(vec![V4])
    }

    pub(crate) fn intervals(&self) -> &[Interval] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn holds(&self, key: u128) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= key);
        after
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
            .is_some_and(|(_, end)| key <= *end)
    }

    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.minus(other).is_empty()
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        !self.and(other).is_empty()
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        self.minus(&Self::all().minus(other))
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).copied().collect()
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut holes = other.0.iter().peekable();
        for (start, end) in &self.0 {
            let mut start = Some(*start);
            while holes
                .next_if(|(_, hole_end)| Some(*hole_end) < start)
                .is_some()
            {}
            let mut ahead = holes.clone();
            while let (Some(from), Some((hole, hole_end))) = (start, ahead.next()) {
                if hole > end {
                    break;
                }
                if *hole > from {
                    left.push((from, hole - 1));
                }
                start = hole_end.checked_add(1).filter(|next| next <= end);
            }
            if let Some(from) = start {
                left.push((from, *end));
            }
        }
        Self(left)
    }

    /// The same without the intervals in which nothing of `core` is.
    pub(crate) fn around(&self, core: &Self) -> Self {
        let meets = |interval: &&Interval| Self(vec![**interval]).meets(core);
        Self(self.0.iter().filter(meets).copied().collect())
    }

    /// The fewest networks that make up the set, each of one family.
    pub(crate) fn networks(&self) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (start, end) in &self.and(&Self::v4()).0 {
            let [start, end] = [*start, *end].map(|key| Ipv4Addr::from_bits(low(key)));
            networks.extend(Ipv4Subnets::new(start, end, 0).map(IpNet::V4));
        }
        // No IPv6 address lies where IPv4 does, so that a network may span it.
        let v6 = self.minus(&Self::v4());
        for (start, end) in &v6.or(&Self::v4()).around(&v6).0 {
            let [start, end] = [*start, *end].map(Ipv6Addr::from_bits);
            networks.extend(Ipv6Subnets::new(start, end, 0).map(IpNet::V6));
        }
        networks
    }
}

/// How words are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reading {
    /// As the destinations of a grant: no word but its own holds metadata.
    Destinations,
    /// As everywhere else: a word holds all that lies there.
    Plain,
}

impl Set {
    pub(crate) fn of(range: Range, reading: Reading) -> Self {
        let whole = match range {
            Range::Group(group) => {
                let (networks, holes) = group.parts();
                union(networks).minus(&union(holes))
            }
            Range::Network(network) => network.into(),
        };
        match reading {
            Reading::Destinations if !range.names_metadata() => whole.minus(&Self::metadata()),
            Reading::Destinations | Reading::Plain => whole,
        }
    }

    pub(crate) fn metadata() -> Self {
        union(Group::Metadata.networks())
    }
}

fn union(networks: &[IpNet]) -> Set {
    let sets = networks.iter().map(|network| Set::from(*network));
    sets.flat_map(|set| set.0).collect()
}

impl From<IpNet> for Set {
    fn from(network: IpNet) -> Self {
        let whole = Self(vec![(key(network.network()), key(network.broadcast()))]);
        match network {
            IpNet::V4(_) => whole,
            IpNet::V6(_) => whole.minus(&Self::v4()),
        }
    }
}

impl From<IpAddr> for Set {
    fn from(address: IpAddr) -> Self {
        Self(vec![(key(address), key(address))])
    }
}

impl FromIterator<Interval> for Set {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Self {
        let mut intervals: Vec<Interval> = intervals.into_iter().collect();
        intervals.sort_unstable();
        let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
        for (start, end) in intervals {
            match merged.last_mut() {
                Some((_, last)) if start <= last.saturating_add(1) => *last = end.max(*last),
                Some(_) | None => merged.push((start, end)),
            }
        }
        Self(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(networks: &[&str]) -> Set {
        networks
            .iter()
            .flat_map(|text| Set::from(text.parse::<IpNet>().expect("a network")).0)
            .collect()
    }

    #[track_caller]
    fn check(set: &Set, networks: &[&str]) {
        let found: Vec<String> = set.networks().iter().map(IpNet::to_string).collect();
        assert_eq!(found, networks);
    }

    #[test]
    fn sets_are_made_up_of_the_fewest_networks() {
        check(&set(&["10.0.0.0/9", "10.128.0.0/9"]), &["10.0.0.0/8"]);
        check(&set(&["10.0.0.0/8", "10.1.0.0/16"]), &["10.0.0.0/8"]);
        check(&Set::all(), &["0.0.0.0/0", "::/0"]);
        check(&Set::all().minus(&Set::v4()), &["::/0"]);
        check(&set(&["::/0"]), &["::/0"]);
        check(&Set::default(), &[]);
    }

    #[test]
    fn a_difference_is_what_is_left() {
        let left = set(&["10.0.0.0/8"]).minus(&set(&["10.0.0.0/9"]));
        check(&left, &["10.128.0.0/9"]);
        let left = set(&["10.0.0.0/30"]).minus(&set(&["10.0.0.1/32", "10.0.0.2/32"]));
        check(&left, &["10.0.0.0/32", "10.0.0.3/32"]);
        check(&set(&["10.0.0.0/8"]).minus(&Set::all()), &[]);
        check(
            &Set::all().minus(&Set::all().minus(&Set::v4())),
            &["0.0.0.0/0"],
        );
        let left = set(&["::1/128", "::2/128"]).minus(&set(&["::1/128"]));
        check(&left, &["::2/128"]);
    }

    #[test]
    fn an_address_is_in_the_networks_that_hold_it() {
        let set = set(&["10.0.0.0/8", "fd00::/8"]);
        for (text, held) in [
            ("10.0.0.0", true),
            ("11.0.0.0", false),
            ("fd00::1", true),
            ("::", false),
        ] {
            let address: IpAddr = text.parse().expect("an address");
            assert_eq!(set.holds(key(address)), held, "{text}");
            assert_eq!(super::address(key(address)), address);
        }
    }
}
