//! Blocks of requests as lines. It must not leave out what is excepted.

use crate::diff::change::Doing;
use crate::diff::items::Items;
use crate::diff::set::{Reading, Set};
use crate::diff::space::Space;
use crate::diff::spelling::{Spelled, list, ranges, spell};
use crate::diff::tree::{Block, Tree};
use crate::group::Group;
use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::range::Range;
use crate::verb::Verb;

/// The lines for a block, and the addresses in them.
#[derive(Default)]
pub(crate) struct Wording {
    pub(crate) lines: Vec<String>,
    pub(crate) reach: Set,
    pub(crate) star: bool,
}

/// Addresses of a block, to be written together.
struct Span {
    set: Set,
    /// The IPv4 addresses that they carry, where only such are meant.
    carrying: Set,
    /// Those that they may not carry.
    sparing: Set,
}

impl Span {
    /// What they carry and what not. That a word holds nothing that carries metadata
    /// goes without saying.
    fn carrying(&self, spelled: &[Spelled]) -> String {
        let is_numeric = spelled.iter().any(|spelled| spelled.range.names_metadata());
        let sparing = match is_numeric {
            true => self.sparing.clone(),
            false => self.sparing.minus(&Set::metadata()),
        };
        carried(" carrying", &self.carrying) + &carried(" except carrying", &sparing)
    }
}

/// Writes a block. What is `settled` was before as it is now, and need not be
/// excepted; `any_name` says that whoever is public may be looked up as well.
pub(crate) fn words(
    space: &Space,
    verb: Verb,
    block: &Block<Doing>,
    settled: impl Fn(usize, usize) -> bool,
    any_name: bool,
) -> Wording {
    let items = &space.items;
    let act = if block.value.act {
        verb.to_string()
    } else {
        "accept".to_owned()
    };
    let protocol = space.protocol;
    let ports = space.ports.union(&block.ports);
    let peers = if verb == Verb::Listen {
        peers(&space.peers, &block.value)
    } else {
        String::new()
    };
    let is_excepted = |node: &&usize| !block.items.iter().all(|item| settled(**node, *item));
    let excepted: Vec<usize> = block.excepted.iter().filter(is_excepted).copied().collect();
    let excepted = except(&space.names.tree, &excepted);
    let mut wording = Wording::default();
    let is_settled = |item| settled(block.node, item);
    for span in spans(items, &block.items, is_settled) {
        let spelled = spell(&span.set, &items.ignored, items.reading);
        let carrying = span.carrying(&spelled);
        wording.reach = spelled.iter().fold(wording.reach, |reach, spelled| {
            reach.or(&reach_of(spelled, items.reading))
        });
        if block.node == 0 {
            for spelled in spelled {
                let mut host = HostPattern::Addresses(spelled.range);
                let everything = match spelled.range {
                    Range::Group(Group::Any) => verb.is_local(),
                    Range::Group(Group::Public) => any_name && spelled.but.is_empty(),
                    Range::Group(_) | Range::Network(_) => false,
                };
                if everything {
                    host = HostPattern::Names(NamePattern::Any);
                    wording.star = !verb.is_local();
                }
                let but = but(&spelled);
                wording.lines.push(format!(
                    "{act} {protocol}://{host}:{ports}{peers}{but}{carrying}{excepted}"
                ));
            }
        } else {
            let name = space.names.tree.label(block.node);
            for within in joined(&spelled) {
                wording.lines.push(format!(
                    "{act} {protocol}://{name}:{ports}{peers} in {within}{carrying}{excepted}"
                ));
            }
        }
    }
    if wording.lines.is_empty() {
        // Only the socket that hears both families is left.
        let name = match block.node {
            0 => "[::]",
            _ => space.names.tree.label(block.node),
        };
        let line = format!("{act} {protocol}://{name}:{ports} on both families at once{excepted}");
        wording.lines.push(line);
    }
    wording
}

/// Names that are left out.
pub(crate) fn except<T>(tree: &Tree<T>, nodes: &[usize]) -> String {
    if nodes.is_empty() {
        return String::new();
    }
    let labels: Vec<&str> = nodes.iter().map(|node| tree.label(*node)).collect();
    format!(" except {}", labels.join(","))
}

/// Items without what they are for: what is after `resolve`.
pub(crate) fn addresses(items: &Items, chosen: &[usize]) -> Vec<String> {
    let mut lines = Vec::new();
    for span in spans(items, chosen, |_| false) {
        let spelled = spell(&span.set, &items.ignored, items.reading);
        let carrying = span.carrying(&spelled);
        for within in joined(&spelled) {
            lines.push(format!("{within}{carrying}"));
        }
    }
    lines
}

fn spans(items: &Items, chosen: &[usize], settled: impl Fn(usize) -> bool) -> Vec<Span> {
    let plain = |class: usize| {
        let mut chosen = chosen.iter().filter_map(|item| items.items.get(*item));
        chosen.any(|item| item.class == class && item.carried.is_none() && !item.dual)
    };
    // By what is carried or spared.
    let mut spans: Vec<Span> = Vec::new();
    let mut add = |set: &Set, carrying: Set, sparing: Set| {
        let mut known = spans.iter_mut();
        match known.find(|span| span.carrying == carrying && span.sparing == sparing) {
            Some(span) => span.set = span.set.or(set),
            None => spans.push(Span {
                set: set.clone(),
                carrying,
                sparing,
            }),
        }
    };
    let v4 = chosen
        .iter()
        .filter_map(|item| items.items.get(*item))
        .filter(|item| item.address.is_ipv4())
        .fold(Set::default(), |all, item| all.or(items.set(item)));
    for item in chosen.iter().filter_map(|item| items.items.get(*item)) {
        if item.dual {
            continue;
        }
        let with_it = |keep: &dyn Fn(usize) -> bool| {
            let others = items.items.iter().enumerate();
            others
                .filter(|(index, other)| other.class == item.class && keep(*index))
                .filter_map(|(_, other)| other.carried)
                .fold(Set::default(), |all, class| all.or(items.carried(class)))
        };
        match item.carried {
            None => {
                let spared = with_it(&|index| !chosen.contains(&index) && !settled(index));
                add(items.set(item), Set::default(), spared);
            }
            Some(_) if plain(item.class) => {}
            Some(_) => {
                let carried = with_it(&|index| chosen.contains(&index));
                // Whoever hears of IPv4 addresses hears of those who carry them.
                if !carried.is_within(&v4) {
                    add(items.set(item), carried, Set::default());
                }
            }
        }
    }
    merged(spans)
}

/// IPv4 addresses carry nothing, and so go with others that are alike but for that.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    let is_v4 = |span: &Span| span.set.is_within(&Set::v4());
    let only = |span: &Span| span.carrying.is_empty();
    if let [one, other] = spans.as_mut_slice()
        && only(one)
        && only(other)
        && is_v4(one) != is_v4(other)
    {
        let (v4, v6) = if is_v4(one) {
            (one, other)
        } else {
            (other, one)
        };
        v6.set = v6.set.or(&v4.set);
        v4.set = Set::default();
        spans.retain(|span| !span.set.is_empty());
    }
    spans
}

fn reach_of(spelled: &Spelled, reading: Reading) -> Set {
    let but = spelled.but.iter().map(|range| Set::of(*range, reading));
    but.fold(Set::of(spelled.range, reading), |set, but| set.minus(&but))
}

fn but(spelled: &Spelled) -> String {
    match spelled.but.as_slice() {
        [] => String::new(),
        but => format!(" but not {}", list(but)),
    }
}

/// Ranges in one list, those of which something is left out by themselves.
fn joined(spelled: &[Spelled]) -> Vec<String> {
    let whole: Vec<Range> = spelled
        .iter()
        .filter(|spelled| spelled.but.is_empty())
        .map(|spelled| spelled.range)
        .collect();
    let whole = (!whole.is_empty()).then(|| list(&whole).to_string());
    let others = spelled.iter().filter(|spelled| !spelled.but.is_empty());
    whole
        .into_iter()
        .chain(others.map(Spelled::to_string))
        .collect()
}

fn carried(words: &str, set: &Set) -> String {
    if set.is_empty() {
        return String::new();
    }
    format!(
        "{words} {}",
        list(&ranges(set, &Set::default(), Reading::Plain))
    )
}

fn peers(items: &Items, doing: &Doing) -> String {
    if doing.act && !doing.peers.contains(&false) {
        return String::new();
    }
    let accepted = doing
        .peers
        .iter()
        .enumerate()
        .filter(|(_, accepted)| **accepted);
    let accepted: Vec<usize> = accepted.map(|(index, _)| index).collect();
    match addresses(items, &accepted).as_slice() {
        [] => " from nobody".to_owned(),
        lists => format!(" from {}", lists.join(" and from ")),
    }
}
