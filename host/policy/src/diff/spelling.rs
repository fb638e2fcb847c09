//! Sets of addresses as grants would write them. It must not write more than
//! there is, nor less.

use std::fmt;

use ipnet::IpNet;

use crate::Group;
use crate::diff::set::{Reading, Set, address};
use crate::range::{Range, Ranges};

/// A range, and what of it is left out.
#[derive(Clone, Debug)]
pub(crate) struct Spelled {
    pub(crate) range: Range,
    pub(crate) but: Vec<Range>,
}

const GROUPS: [Group; 7] = [
    Group::Any,
    Group::Public,
    Group::Private,
    Group::Loopback,
    Group::LinkLocal,
    Group::Multicast,
    Group::Metadata,
];

/// A short way to write the set. Whether it holds what is `ignored` does not
/// matter.
pub(crate) fn spell(set: &Set, ignored: &Set, reading: Reading) -> Vec<Spelled> {
    let whole = |range| Spelled {
        range,
        but: Vec::new(),
    };
    let plainly: Vec<Spelled> = ranges(set, ignored, reading)
        .into_iter()
        .map(whole)
        .collect();
    let mut best = plainly;
    for (base, range) in bases(reading).chain(enclosing(set, reading)) {
        let missing = base.minus(set).minus(ignored);
        // A base that is mostly left out says little, and costs the most to find.
        if !base.meets(set) || missing.intervals().len() >= cost(&best) {
            continue;
        }
        let but = ranges(&missing, ignored, reading);
        let others = ranges(&set.minus(&base), ignored, reading);
        let based = [Spelled { range, but }].into_iter();
        let based: Vec<Spelled> = based.chain(others.into_iter().map(whole)).collect();
        if cost(&based) < cost(&best) {
            best = based;
        }
    }
    best
}

/// How much there is to read.
fn cost(spelled: &[Spelled]) -> usize {
    spelled.iter().map(|spelled| 1 + spelled.but.len()).sum()
}

/// The ranges that make up the set, groups if it holds all of them.
pub(crate) fn ranges(set: &Set, ignored: &Set, reading: Reading) -> Vec<Range> {
    let mut left = set.or(ignored).around(set);
    let mut ranges = Vec::new();
    for group in GROUPS {
        let range = Range::Group(group);
        let whole = Set::of(range, reading);
        if whole.meets(&left) && whole.is_within(&left) {
            left = left.minus(&whole).around(set);
            ranges.push(range);
        }
    }
    ranges.extend(left.networks().into_iter().map(Range::Network));
    ranges
}

fn bases(reading: Reading) -> impl Iterator<Item = (Set, Range)> {
    let families = ["0.0.0.0/0", "::/0"];
    let families = families
        .into_iter()
        .filter_map(|text| text.parse().ok().map(Range::Network));
    let groups = GROUPS.into_iter().map(Range::Group);
    groups
        .chain(families)
        .map(move |range| (Set::of(range, reading), range))
}

/// Of each family the smallest network that holds all of the set's.
fn enclosing(set: &Set, reading: Reading) -> impl Iterator<Item = (Set, Range)> {
    let [v4, v6] = [set.and(&Set::v4()), set.minus(&Set::v4())];
    [v4, v6].into_iter().filter_map(move |family| {
        let (start, end) = (family.intervals().first()?.0, family.intervals().last()?.1);
        let first = IpNet::from(address(start));
        let network = (0..=first.max_prefix_len())
            .rev()
            .filter_map(|length| IpNet::new(first.addr(), length).ok())
            .find(|network| network.contains(&address(end)))?;
        let range = Range::Network(network.trunc());
        Some((Set::of(range, reading), range))
    })
}

/// As after `in`, and after `from`.
impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.range.fmt(f)?;
        match self.but.is_empty() {
            true => Ok(()),
            false => write!(f, " but not {}", list(&self.but)),
        }
    }
}

/// Ranges, with commas.
pub(crate) fn list(ranges: &[Range]) -> Ranges {
    ranges.iter().copied().collect()
}
