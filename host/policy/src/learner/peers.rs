//! The peers of a listener, as a `from` of few words. It must not remember each
//! of a crowd.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::Group;
use crate::range::{Range, Ranges};

/// The peers that came, by the group that they are of.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers(BTreeMap<Option<Group>, Crowd>);

/// Peers of one group.
#[derive(Clone, Debug, Default)]
struct Crowd {
    /// Those who came, until they are too many.
    few: BTreeSet<IpAddr>,
    /// The networks that hold them all, one for each family.
    v4: Option<IpNet>,
    v6: Option<IpNet>,
}

/// How many addresses are written out.
const FEW: usize = 3;

/// The lengths of prefixes that people read at a glance.
const V4_LENGTHS: [u8; 3] = [24, 16, 8];
const V6_LENGTHS: [u8; 3] = [64, 48, 32];

impl Peers {
    pub(super) fn add(&mut self, peer: IpAddr) {
        let crowd = self.0.entry(Group::of(peer)).or_default();
        if crowd.few.len() <= FEW {
            crowd.few.insert(peer);
        }
        crowd.hold(peer.into());
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        for (group, others) in &other.0 {
            let crowd = self.0.entry(*group).or_default();
            crowd.few.extend(&others.few);
            (others.v4.into_iter().chain(others.v6)).for_each(|network| crowd.hold(network));
        }
    }

    /// What to write after `from`; nothing where nobody came.
    pub(super) fn ranges(&self) -> Option<Ranges> {
        let crowds = self.0.iter();
        let ranges = crowds.flat_map(|(group, crowd)| crowd.ranges(*group));
        (!self.0.is_empty()).then(|| ranges.collect())
    }
}

impl Crowd {
    /// Widens the network of a family to hold another one.
    fn hold(&mut self, network: IpNet) {
        let whole = match network {
            IpNet::V4(_) => &mut self.v4,
            IpNet::V6(_) => &mut self.v6,
        };
        let both = whole.map_or(network, |whole| smallest(whole, network));
        *whole = Some(both);
    }

    fn ranges(&self, group: Option<Group>) -> Vec<Range> {
        if self.few.len() <= FEW {
            return self.few.iter().copied().map(Range::from).collect();
        }
        let networks = self.v4.into_iter().chain(self.v6);
        let readable = networks.map(|network| readable(network, group));
        match (readable.collect::<Option<Vec<_>>>(), group) {
            (Some(networks), _) => networks.into_iter().map(Range::Network).collect(),
            (None, Some(group)) => vec![Range::Group(group)],
            // Special ranges have no word, and no network holds them but their
            // own.
            (None, None) => (self.v4.into_iter().chain(self.v6))
                .map(Range::Network)
                .collect(),
        }
    }
}

/// The network that people would write for one that holds the peers, if that is
/// in their group.
fn readable(network: IpNet, group: Option<Group>) -> Option<IpNet> {
    // There is one loopback, however it is cut.
    if group == Some(Group::Loopback) {
        return None;
    }
    let lengths = match network {
        IpNet::V4(_) => V4_LENGTHS,
        IpNet::V6(_) => V6_LENGTHS,
    };
    let length = lengths
        .into_iter()
        .find(|length| *length <= network.prefix_len())?;
    let wider = IpNet::new(network.addr(), length).ok()?.trunc();
    group?.spans(&wider).then_some(wider)
}

/// The longest prefix of both.
fn smallest(one: IpNet, other: IpNet) -> IpNet {
    let mut network = one;
    while !network.contains(&other) {
        match network.supernet() {
            Some(wider) => network = wider,
            None => break,
        }
    }
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peers: &[&str], expected: &str) {
        let mut seen = Peers::default();
        for peer in peers {
            seen.add(peer.parse().unwrap());
        }
        assert_eq!(seen.ranges().unwrap().to_string(), expected, "{peers:?}");
    }

    #[test]
    fn few_peers_stay_as_they_are() {
        check(&["127.0.0.1"], "127.0.0.1");
        check(&["10.0.0.9", "10.0.0.5", "10.0.0.9"], "10.0.0.5,10.0.0.9");
        check(&["1.1.1.1", "10.0.0.5", "::1"], "1.1.1.1,10.0.0.5,::1");
    }

    #[test]
    fn many_peers_become_their_network_or_their_group() {
        check(
            &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.200"],
            "10.0.0.0/24",
        );
        check(
            &["10.0.0.1", "10.0.1.2", "10.0.2.3", "10.0.3.4"],
            "10.0.0.0/16",
        );
        check(
            &["10.0.0.1", "10.1.1.2", "10.2.2.3", "10.3.3.4"],
            "10.0.0.0/8",
        );
        check(
            &["10.0.0.1", "10.0.0.2", "192.168.0.1", "192.168.0.2"],
            "private",
        );
        check(
            &["172.16.0.1", "172.17.0.1", "172.18.0.1", "172.31.0.1"],
            "private",
        );
        check(&["127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"], "loopback");
        check(&["1.1.1.1", "8.8.8.8", "9.9.9.9", "2606:4700::1"], "public");
        check(&["fd00::1", "fd00::2", "fd00::3", "fd00::4"], "fd00::/64");
    }

    #[test]
    fn peers_of_special_ranges_are_held_by_no_more_than_their_network() {
        check(
            &["100.64.0.1", "100.64.0.2", "100.64.0.3", "100.64.0.4"],
            "100.64.0.0/29",
        );
    }

    #[test]
    fn a_crowd_takes_no_more_memory_than_a_few() {
        let mut seen = Peers::default();
        for number in 0..100_000 {
            seen.add(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into());
        }
        let (_, crowd) = seen.0.first_key_value().unwrap();
        assert_eq!(crowd.few.len(), FEW + 1);
    }
}
