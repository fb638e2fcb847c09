//! What changes for looking up names, and the names of addresses, and for
//! broadcasts: mostly it goes with another change, and without saying. It must not
//! decide: the policies do.

use std::collections::BTreeSet;
use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::diff::change::{Change, Effect, Extent};
use crate::diff::items::{Items, Scope};
use crate::diff::names::NameClasses;
use crate::diff::set::key;
use crate::diff::space::Space;
use crate::diff::tree::{Block, Cells};
use crate::diff::wording::{addresses, except};
use crate::diff::{Comparison, Verdicts};
use crate::embedded::embedded;
use crate::grant::Kind;
use crate::name_pattern::NamePattern;
use crate::range::Range;
use crate::socket_grant::Role;
use crate::verb::Verb;
use crate::zone::zone;
use crate::{AnyRequest, Broadcast, Grant, Lookup, Name, Protocol, Purpose, Reverse};

/// All addresses.
const EVERYWHERE: [Range; 2] = [
    Range::Network(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))),
    Range::Network(IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0))),
];

/// Lookups that two policies do not tell apart.
#[derive(Debug)]
pub(crate) struct Lookups {
    pub(crate) names: NameClasses,
    /// The first is to know the addresses.
    purposes: Vec<Aim>,
    pub(crate) items: Items,
}

/// What names are looked up for: one of a class of ports.
#[derive(Debug)]
struct Aim {
    purpose: Purpose,
    /// The space of what follows, and the ports there; none where nothing does.
    place: Option<(usize, Verb, usize)>,
}

impl Aim {
    /// Whether a lookup has this purpose.
    fn is_of(&self, lookup: &Lookup, spaces: &[Space]) -> bool {
        match (self.place, lookup.purpose().operation()) {
            (None, None) => true,
            (Some((space, verb, class)), Some((asked, protocol, port))) => {
                spaces.get(space).is_some_and(|space| {
                    verb == asked
                        && space.protocol == protocol
                        && space.ports.class_of(port) == class
                })
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

/// What both policies say, by name and by purpose.
pub(crate) type Told = Vec<Vec<Option<Verdicts>>>;

impl Lookups {
    pub(crate) fn new(lines: &[(Role, &Grant)], spaces: &[Space]) -> Self {
        let localhost = Name::parse("localhost").ok();
        let localhost: Vec<NamePattern> = localhost
            .into_iter()
            .flat_map(|name| [NamePattern::Exact(name.clone()), NamePattern::Under(name)])
            .collect();
        let mut patterns: Vec<&NamePattern> = localhost.iter().collect();
        let (mut ranges, mut denied) = (BTreeSet::new(), BTreeSet::new());
        for (role, line) in lines {
            match line.kind() {
                Kind::Resolve(names) => patterns.push(names),
                Kind::Socket(grant) => {
                    patterns.extend(grant.names(*role));
                    if grant.verb == Verb::Connect {
                        let range = grant.addresses(*role);
                        ranges.extend(range);
                        denied.extend(range.filter(|_| *role == Role::Deny));
                    }
                }
                Kind::Unix(_) => {}
            }
        }
        ranges.extend(patterns.iter().flat_map(|pattern| match pattern {
            // Every address has a name.
            NamePattern::Any => EVERYWHERE.to_vec(),
            NamePattern::Exact(name) | NamePattern::Under(name) => {
                zone(name).map(Range::Network).into_iter().collect()
            }
        }));
        let purposes = spaces
            .iter()
            .enumerate()
            .flat_map(|(index, space)| aims(index, space));
        let resolve = Aim {
            purpose: Purpose::Resolve,
            place: None,
        };
        Self {
            names: NameClasses::new(patterns),
            purposes: [resolve].into_iter().chain(purposes).collect(),
            items: Items::new(Scope::Named, &ranges, &denied),
        }
    }

    pub(crate) fn size(&self) -> usize {
        let lookups = self.names.tree.0.len().saturating_mul(self.purposes.len());
        lookups.saturating_add(self.items.len())
    }

    /// What both policies say to each lookup.
    pub(crate) fn told(&self, comparison: &Comparison<'_>) -> Told {
        let nodes = 0..self.names.tree.0.len();
        let by_purpose = |node| {
            let purposes = 0..self.purposes.len();
            purposes
                .map(|aim| {
                    self.request(node, aim)
                        .map(|request| comparison.verdicts(&request))
                })
                .collect()
        };
        nodes.map(by_purpose).collect()
    }

    /// Whether it changes for all names that nothing calls, for a class of ports to
    /// connect to.
    pub(crate) fn changes_for_any(
        &self,
        told: &Told,
        effect: Effect,
        space: usize,
        port: usize,
    ) -> bool {
        let others = told.iter().flatten().take(self.purposes.len());
        others.zip(&self.purposes).any(|(seen, aim)| {
            aim.place == Some((space, Verb::Connect, port))
                && seen.is_some_and(|seen| seen.change(effect))
        })
    }

    fn request(&self, node: usize, aim: usize) -> Option<AnyRequest> {
        let name = self.names.tree.sample(node)?.clone();
        let purpose = self.purposes.get(aim)?.purpose;
        Some(AnyRequest::Lookup(Lookup::new(name, purpose)))
    }

    /// The changes that go with none of `others`.
    pub(crate) fn changes(
        &self,
        told: &Told,
        effect: Effect,
        spaces: &[Space],
        others: &[Change],
    ) -> Vec<Change> {
        let mut cells = Cells::new(told.len(), 1, 1);
        for (node, seen) in told.iter().enumerate() {
            let Some(name) = self.names.tree.sample(node) else {
                continue;
            };
            let changed = seen
                .iter()
                .map(|seen| seen.is_some_and(|seen| seen.change(effect)));
            let mut changed: Vec<bool> = changed.collect();
            let goes_along = |aim: &Aim| {
                others
                    .iter()
                    .any(|other| other.effect == effect && goes_with(aim, name, other, spaces))
            };
            let left: Vec<bool> = changed
                .iter()
                .zip(&self.purposes)
                .map(|(changes, aim)| *changes && !goes_along(aim))
                .collect();
            if !left.contains(&true) {
                continue;
            }
            // Knowing the addresses goes with every purpose, and so the others with it.
            let is_settled =
                |seen: &Option<Verdicts>| seen.is_none_or(|seen| seen.is_settled(effect));
            if changed.first() == Some(&true) || seen.iter().all(is_settled) {
                changed = vec![true];
            } else {
                changed = left;
            }
            cells.set((node, 0, 0), Some(changed));
        }
        let blocks = self.names.tree.blocks(cells).into_iter();
        blocks
            .filter_map(|block| self.change(told, effect, spaces, block))
            .collect()
    }

    fn change(
        &self,
        told: &Told,
        effect: Effect,
        spaces: &[Space],
        block: Block<Vec<bool>>,
    ) -> Option<Change> {
        let for_all = block.value.first() == Some(&true);
        let is_chosen = |aim: usize| for_all || block.value.get(aim) == Some(&true);
        let own = told.get(block.node)?;
        let sample = own.iter().enumerate().find_map(|(aim, seen)| {
            let changes = seen.is_some_and(|seen| seen.change(effect));
            (is_chosen(aim) && changes).then_some(aim)
        });
        let sample = self.request(block.node, sample?)?;
        let is_excepted = |node: &&usize| {
            let seen = told.get(**node).into_iter().flatten().enumerate();
            let mut about = seen.filter(|(aim, _)| is_chosen(*aim));
            !about.all(|(_, seen)| seen.is_none_or(|seen| seen.is_settled(effect)))
        };
        let excepted: Vec<usize> = block.excepted.iter().filter(is_excepted).copied().collect();
        let name = self.names.tree.label(block.node);
        let excepted = except(&self.names.tree, &excepted);
        let lines = match for_all {
            true => vec![format!("resolve {name}{excepted}")],
            false => self
                .aimed(&block.value, spaces)
                .into_iter()
                .map(|aim| format!("resolve {name} for {aim}{excepted}"))
                .collect(),
        };
        Some(Change {
            effect,
            lines,
            sample,
            extent: Extent::Lookup(block),
        })
    }

    /// Purposes as text, those together that differ in their ports alone.
    fn aimed(&self, chosen: &[bool], spaces: &[Space]) -> Vec<String> {
        let mut aimed = Vec::new();
        for (index, space) in spaces.iter().enumerate() {
            for verb in space.verbs {
                let aims = self
                    .purposes
                    .iter()
                    .zip(chosen)
                    .filter(|(_, chosen)| **chosen);
                let places = aims.filter_map(|(aim, _)| aim.place);
                let ports: Vec<usize> = places
                    .filter(|(space, aimed, _)| *space == index && aimed == verb)
                    .map(|(_, _, port)| port)
                    .collect();
                if !ports.is_empty() {
                    let ports = space.ports.union(&ports);
                    aimed.push(format!("{verb} {}:{ports}", space.protocol));
                }
            }
        }
        aimed
    }

    /// Whether a change of lookups is about this one.
    pub(crate) fn holds(
        &self,
        block: &Block<Vec<bool>>,
        lookup: &Lookup,
        spaces: &[Space],
    ) -> bool {
        let for_all = block.value.first() == Some(&true);
        let mut chosen = self
            .purposes
            .iter()
            .zip(&block.value)
            .filter(|(_, chosen)| **chosen);
        block.nodes.contains(&self.names.of(lookup.name()))
            && (for_all || chosen.any(|(aim, _)| aim.is_of(lookup, spaces)))
    }

    /// Whether a lookup goes with a change of something else.
    pub(crate) fn goes_with(&self, lookup: &Lookup, other: &Change, spaces: &[Space]) -> bool {
        let mut aims = self.purposes.iter().filter(|aim| aim.is_of(lookup, spaces));
        aims.any(|aim| goes_with(aim, lookup.name(), other, spaces))
    }

    /// Whether a change of lookups, for all purposes, is about a name.
    pub(crate) fn names(&self, block: &Block<Vec<bool>>, name: &Name) -> bool {
        block.value.first() == Some(&true) && block.nodes.contains(&self.names.of(name))
    }

    /// What changes for the names of addresses, and goes with none of `others`.
    pub(crate) fn reverse(
        &self,
        effect: Effect,
        comparison: &Comparison<'_>,
        others: &[Change],
    ) -> Option<Change> {
        let changes = |address: IpAddr| {
            let reverse = Reverse::new(address);
            let goes_along = || {
                others
                    .iter()
                    .any(|other| other.effect == effect && self.goes_with_reverse(&reverse, other))
            };
            let request = AnyRequest::Reverse(reverse.clone());
            comparison.verdicts(&request).change(effect) && !goes_along()
        };
        let items = self.items.items.iter().enumerate();
        let changed: Vec<usize> = items
            .filter(|(_, item)| changes(item.address))
            .map(|(index, _)| index)
            .collect();
        let sample = self.items.items.get(*changed.first()?)?.address;
        Some(Change {
            effect,
            lines: addresses(&self.items, &changed)
                .into_iter()
                .map(|addresses| format!("resolve {addresses}"))
                .collect(),
            sample: AnyRequest::Reverse(Reverse::new(sample)),
            extent: Extent::Reverse(changed),
        })
    }

    /// Whether another change is one of the address's name as well.
    pub(crate) fn goes_with_reverse(&self, reverse: &Reverse, other: &Change) -> bool {
        match &other.extent {
            Extent::Socket {
                verb: Verb::Connect,
                block,
                reach,
                ..
            } => {
                let address = reverse.address();
                let mut all = iter::once(address).chain(embedded(address).map(IpAddr::V4));
                block.node == 0 && all.any(|address| reach.holds(key(address)))
            }
            Extent::Lookup(block) => self.names(block, reverse.name()),
            Extent::Broadcast
            | Extent::Reverse(_)
            | Extent::Socket { .. }
            | Extent::Unix { .. } => false,
        }
    }
}

/// Whether a lookup changes with something else: with what it is for, by that name.
fn goes_with(aim: &Aim, name: &Name, other: &Change, spaces: &[Space]) -> bool {
    let Extent::Socket {
        space,
        verb,
        block,
        star,
        ..
    } = &other.extent
    else {
        return false;
    };
    let Some(names) = spaces.get(*space).map(|space| &space.names) else {
        return false;
    };
    let by_name = (block.node != 0 || *star) && block.nodes.contains(&names.of(name));
    let fits = match aim.place {
        None => *verb == Verb::Connect,
        Some((aimed, purpose, port)) => {
            aimed == *space && purpose.covered_by().contains(verb) && block.ports.contains(&port)
        }
    };
    by_name && fits && block.value.act
}

/// What names are looked up for so that a request of the space may follow.
fn aims(index: usize, space: &Space) -> impl Iterator<Item = Aim> {
    let protocol = space.protocol;
    space.verbs.iter().flat_map(move |verb| {
        (0..space.ports.len()).filter_map(move |class| {
            let port = space.ports.sample(class);
            let purpose = match verb {
                Verb::Bind => Purpose::Bind { protocol, port },
                Verb::Connect => Purpose::Connect { protocol, port },
                Verb::Listen => Purpose::Listen { protocol, port },
                Verb::Join => return None,
            };
            Some(Aim {
                purpose,
                place: Some((index, *verb, class)),
            })
        })
    })
}

/// What changes for broadcasts, if it goes with none of `others`.
pub(crate) fn broadcast(
    effect: Effect,
    comparison: &Comparison<'_>,
    spaces: &[Space],
    others: &[Change],
) -> Option<Change> {
    let sample = AnyRequest::Broadcast(Broadcast::new());
    let mut others = others.iter().filter(|other| other.effect == effect);
    let changes = comparison.verdicts(&sample).change(effect)
        && !others.any(|other| broadcast_goes_with(other, spaces));
    changes.then(|| Change {
        effect,
        lines: vec![format!("{sample} for broadcasts to be switched on")],
        sample,
        extent: Extent::Broadcast,
    })
}

/// Whether another change is one of broadcasts as well.
pub(crate) fn broadcast_goes_with(other: &Change, spaces: &[Space]) -> bool {
    let everybody = key(Ipv4Addr::BROADCAST.into());
    match &other.extent {
        Extent::Socket {
            space,
            verb: Verb::Connect,
            block,
            reach,
            ..
        } => {
            let is_udp = spaces
                .get(*space)
                .is_some_and(|space| space.protocol == Protocol::Udp);
            is_udp && block.node == 0 && reach.holds(everybody)
        }
        Extent::Broadcast
        | Extent::Lookup(_)
        | Extent::Reverse(_)
        | Extent::Socket { .. }
        | Extent::Unix { .. } => false,
    }
}
