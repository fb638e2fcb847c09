//! Addresses that a set of grants does not tell apart. It must not forget the
//! IPv6 addresses that carry an IPv4 address: denies see through them.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::diff::set::{Interval, Reading, Set, address, key};
use crate::embedded::embedded;
use crate::grant::Kind;
use crate::range::Range;
use crate::socket_grant::Role;
use crate::{Grant, Group};

/// Addresses in classes. Each range that they were made from holds all of a class
/// or nothing of it.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) items: Vec<Item>,
    /// How words are read that stand for them.
    pub(crate) reading: Reading,
    /// Addresses that no request has.
    pub(crate) ignored: Set,
    classes: Vec<Set>,
    /// IPv4 addresses that some deny holds, by the denies that do, and metadata.
    carriers: Vec<Set>,
}

/// The addresses of a class; if they are of IPv6, those that carry no IPv4 address
/// that is denied or metadata, or those that carry one of a certain class.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) class: usize,
    pub(crate) carried: Option<usize>,
    /// One of them.
    pub(crate) address: IpAddr,
    /// Whether this is about the socket that hears both families.
    pub(crate) dual: bool,
}

/// What addresses are for, and so which there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// A destination: the unspecified address is none.
    Destination,
    /// A multicast group.
    Group,
    /// An address of this machine: the unspecified ones stand for all of them,
    /// and there is one more for both families.
    Local,
    /// Whose name is looked up: who may be connected to.
    Named,
    /// A peer.
    Peer,
}

impl Scope {
    fn reading(self) -> Reading {
        match self {
            Self::Destination | Self::Named => Reading::Destinations,
            Self::Group | Self::Local | Self::Peer => Reading::Plain,
        }
    }
}

const UNSPECIFIED: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

impl Items {
    /// Classes for `ranges`. What is `denied` is so for those who carry it too.
    pub(crate) fn new(scope: Scope, ranges: &BTreeSet<Range>, denied: &BTreeSet<Range>) -> Self {
        let reading = scope.reading();
        let unspecified = UNSPECIFIED.map(Set::from);
        let mut sets = vec![Set::v4()];
        let plain = |range: &Range| Set::of(*range, Reading::Plain);
        sets.extend(ranges.iter().map(|range| Set::of(*range, reading)));
        sets.extend(denied.iter().map(plain));
        // No word of a grant holds it, nor what carries it.
        let is_named = reading == Reading::Plain || ranges.iter().all(Range::names_metadata);
        let metadata = match is_named {
            true => Set::default(),
            false => Set::metadata(),
        };
        sets.push(metadata.clone());
        let (mut ignored, mut space) = (Set::default(), Set::all());
        match scope {
            Scope::Destination => {
                ignored = unspecified.iter().fold(ignored, |all, one| all.or(one));
                space = space.minus(&ignored);
                sets.push(ignored.clone());
            }
            Scope::Group => {
                space = plain(&Range::Group(Group::Multicast));
                sets.push(space.clone());
            }
            // As a destination it is another, and so says nothing of its neighbours.
            Scope::Local | Scope::Named | Scope::Peer => sets.extend(unspecified),
        }
        let classes = partition(&sets)
            .into_iter()
            .map(|(class, _)| class)
            .filter(|class| class.is_within(&space))
            .collect();
        let carried = denied.iter().map(plain).chain([metadata]);
        let carried: Vec<Set> = carried.map(|set| set.and(&Set::v4())).collect();
        let carriers = partition(&carried)
            .into_iter()
            .filter(|(_, held)| held.contains(&true))
            .map(|(class, _)| class)
            .collect();
        let mut items = Self {
            items: Vec::new(),
            reading,
            ignored,
            classes,
            carriers,
        };
        items.items = items.found(scope);
        items
    }

    /// Classes for all the ranges of some grants and denies, whatever they are for.
    pub(crate) fn of_all<'a>(lines: impl Iterator<Item = (Role, &'a Grant)>) -> Self {
        let (mut ranges, mut denied) = (BTreeSet::new(), BTreeSet::new());
        for (role, line) in lines {
            let Kind::Socket(grant) = line.kind() else {
                continue;
            };
            let within = grant.within.iter().flat_map(|ranges| ranges.iter());
            let home = grant.names(role).map(|names| Range::Group(names.home()));
            ranges.extend(grant.addresses(role).into_iter().chain(within).chain(home));
            denied.extend(grant.addresses(role).filter(|_| role == Role::Deny));
        }
        Self::new(Scope::Destination, &ranges, &denied)
    }

    fn found(&self, scope: Scope) -> Vec<Item> {
        let mut items = Vec::new();
        for (class, set) in self.classes.iter().enumerate() {
            let mut add = |carried, address, dual| {
                items.push(Item {
                    class,
                    carried,
                    address,
                    dual,
                });
            };
            if let Some(address) = self.plain(set) {
                add(None, address, false);
                if scope == Scope::Local && address == Ipv6Addr::UNSPECIFIED {
                    add(None, address, true);
                }
            }
            if set.is_within(&Set::v4()) {
                continue;
            }
            for carried in 0..self.carriers.len() {
                if let Some(address) = self.carrying(set, carried) {
                    add(Some(carried), address, false);
                }
            }
        }
        items
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn set(&self, item: &Item) -> &Set {
        static NONE: Set = Set::empty();
        self.classes.get(item.class).unwrap_or(&NONE)
    }

    /// The IPv4 addresses that the addresses of an item carry.
    pub(crate) fn carried(&self, class: usize) -> &Set {
        static NONE: Set = Set::empty();
        self.carriers.get(class).unwrap_or(&NONE)
    }

    /// The items that an address belongs to: more than one only if it carries more
    /// than one.
    pub(crate) fn of(&self, address: IpAddr) -> Vec<usize> {
        let Some(class) = self.classes.iter().position(|set| set.holds(key(address))) else {
            return Vec::new();
        };
        let carried = self.carried_by(address);
        let is_its = |item: &Item| match item.carried {
            None => carried.is_empty(),
            Some(one) => carried.contains(&one),
        };
        let items = self.items.iter().enumerate();
        items
            .filter(|(_, item)| item.class == class && !item.dual && is_its(item))
            .map(|(index, _)| index)
            .collect()
    }

    /// The item of the socket that hears both families.
    pub(crate) fn dual(&self) -> Option<usize> {
        self.items.iter().position(|item| item.dual)
    }

    fn carried_by(&self, address: IpAddr) -> BTreeSet<usize> {
        let class_of = |v4: Ipv4Addr| {
            let key = key(v4.into());
            self.carriers.iter().position(|set| set.holds(key))
        };
        embedded(address).filter_map(class_of).collect()
    }

    /// An address of the set that carries nothing that is denied.
    fn plain(&self, set: &Set) -> Option<IpAddr> {
        let likely = set.intervals().iter().flat_map(|(start, end)| {
            let middle = start + (end - start) / 2;
            [
                *start,
                *end,
                middle,
                start | 0x1111_2222_3333,
                middle | 0x1111_2222_3333,
            ]
        });
        likely
            .filter(|key| set.holds(*key))
            .map(address)
            .find(|address| self.carried_by(*address).is_empty())
    }

    /// An address of the set that carries an IPv4 address of the class, and none of
    /// another.
    fn carrying(&self, set: &Set, carried: usize) -> Option<IpAddr> {
        let carriers = self.carried(carried).intervals();
        let v4: Vec<u128> = carriers
            .iter()
            .flat_map(|(start, end)| [start & 0xffff_ffff, end & 0xffff_ffff])
            .collect();
        let wanted = BTreeSet::from([carried]);
        let intervals = set.intervals().iter();
        intervals
            .flat_map(|(start, end)| v4.iter().flat_map(|v4| carriers_of(*v4, *start, *end)))
            .filter(|key| set.holds(*key))
            .map(address)
            .find(|address| self.carried_by(*address) == wanted)
    }
}

/// Addresses that carry an IPv4 address, and may lie between the two. See
/// `embedded` for the layouts.
fn carriers_of(v4: u128, start: u128, end: u128) -> impl Iterator<Item = u128> {
    let inverted = !v4 & 0xffff_ffff;
    // ISATAP's interface identifiers go with any prefix.
    let prefixes = [start >> 64, (start >> 64).saturating_add(1), end >> 64];
    let isatap = prefixes
        .into_iter()
        .flat_map(move |prefix| [0x5efe, 0x0200_5efe].map(|id| prefix << 64 | id << 32 | v4));
    let within = [start >> 32, end >> 32]
        .into_iter()
        .flat_map(move |prefix| [prefix << 32 | v4, prefix << 32 | inverted]);
    let elsewhere = [
        v4,
        0xffff << 48 | v4,
        0x0064_ff9b << 96 | v4,
        0x0064_ff9b_0001 << 80 | v4,
        0x2001_0000 << 96 | v4 << 64 | inverted,
        0x2002 << 112 | v4 << 80 | 1,
    ];
    [start, end]
        .into_iter()
        .chain(isatap)
        .chain(within)
        .chain(elsewhere)
}

/// The classes of addresses that the sets do not tell apart, and which of the sets
/// hold each.
fn partition(sets: &[Set]) -> Vec<(Set, Vec<bool>)> {
    let mut starts = vec![0];
    for (start, end) in sets.iter().flat_map(|set| set.intervals()) {
        starts.push(*start);
        starts.extend(end.checked_add(1));
    }
    starts.sort_unstable();
    starts.dedup();
    let mut known = HashMap::new();
    let mut classes: Vec<(Vec<Interval>, Vec<bool>)> = Vec::new();
    let ends = starts.iter().skip(1).map(|next| next - 1);
    for (start, end) in starts.iter().copied().zip(ends.chain([u128::MAX])) {
        let held: Vec<bool> = sets.iter().map(|set| set.holds(start)).collect();
        let class = *known.entry(held.clone()).or_insert(classes.len());
        match classes.get_mut(class) {
            Some((class, _)) => class.push((start, end)),
            None => classes.push((vec![(start, end)], held)),
        }
    }
    let set = |(class, held): (Vec<_>, _)| (class.into_iter().collect(), held);
    classes.into_iter().map(set).collect()
}
