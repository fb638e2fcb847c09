//! Finding the grants that hold a port, of many, without a scan. It must not
//! look at their hosts.

use std::collections::BTreeMap;
use std::iter;
use std::ops::RangeInclusive;

use crate::footprint;
use crate::place::Place;
use crate::ports::Ports;
use crate::socket_rule::SocketRule;

/// Grants by the blocks that make up their ports.
#[derive(Debug, Default)]
pub(crate) struct PortBlocks {
    first: Option<Place>,
    complete: Option<Place>,
    all: Vec<SocketRule>,
    blocks: BTreeMap<Block, Vec<SocketRule>>,
    /// A bit for each width that a block has: few do, and only those are worth
    /// a search.
    widths: u32,
}

/// The ports that share all but their last `bits` bits with `start`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Block {
    bits: u32,
    start: u16,
}

impl PortBlocks {
    /// How much memory it takes before there is a grant, but for its own place.
    pub(crate) const EMPTY: usize = footprint::tree::<Block, Vec<SocketRule>>();

    /// How much memory one more grant with these ports takes at the most.
    pub(crate) fn footprint(ports: &Ports) -> usize {
        let rule = footprint::list::<SocketRule>(1);
        match ports {
            Ports::All => rule,
            Ports::List(items) => {
                let blocks = items.iter().flat_map(blocks).count();
                blocks * (footprint::branch::<Block, Vec<SocketRule>>() + rule)
            }
        }
    }

    /// Adds a grant that stands behind all that are there.
    pub(crate) fn insert(&mut self, rule: &SocketRule) {
        self.first.get_or_insert(rule.place);
        if rule.grant.ports.are_complete() {
            self.complete.get_or_insert(rule.place);
        }
        match &rule.grant.ports {
            Ports::All => self.all.push(rule.clone()),
            Ports::List(items) => {
                for block in items.iter().flat_map(blocks) {
                    self.blocks.entry(block).or_default().push(rule.clone());
                    self.widths |= 1 << block.bits;
                }
            }
        }
    }

    /// The first grant that holds the port and that `is_it` takes, the most exact
    /// ones before others.
    pub(crate) fn find(
        &self,
        port: u16,
        is_it: &mut impl FnMut(&SocketRule) -> bool,
    ) -> Option<Place> {
        let mut rules = self.blocks_around(port).chain([self.all.as_slice()]);
        let found = rules.find_map(|rules| rules.iter().find(|rule| is_it(rule)));
        found.map(|rule| rule.place)
    }

    /// Of the grants that hold the port, the one that stands first.
    pub(crate) fn first_holding(&self, port: u16) -> Option<Place> {
        let lists = self.blocks_around(port).chain([self.all.as_slice()]);
        lists.filter_map(|rules| Some(rules.first()?.place)).min()
    }

    /// The grant that stands first, on whatever port.
    pub(crate) fn first(&self) -> Option<Place> {
        self.first
    }

    /// A grant that `is_it` takes, on whatever port.
    pub(crate) fn find_somewhere(&self, is_it: impl FnMut(&&SocketRule) -> bool) -> Option<Place> {
        let rules = self.blocks.values().flatten().chain(&self.all);
        rules.filter(is_it).map(|rule| rule.place).min()
    }

    /// A grant that leaves no port out.
    pub(crate) fn complete(&self) -> Option<Place> {
        self.complete
    }

    /// The rules of each block that the port is in, the narrowest first.
    fn blocks_around(&self, port: u16) -> impl Iterator<Item = &[SocketRule]> {
        let mut widths = self.widths;
        iter::from_fn(move || {
            while widths != 0 {
                let block = Block::around(port, widths.trailing_zeros());
                widths &= widths - 1;
                if let Some(rules) = self.blocks.get(&block) {
                    return Some(rules.as_slice());
                }
            }
            None
        })
    }
}

impl Block {
    fn around(port: u16, bits: u32) -> Self {
        let low = u16::MAX.checked_shr(u16::BITS - bits).unwrap_or_default();
        Self {
            bits,
            start: port & !low,
        }
    }

    fn last(self) -> u16 {
        self.start | !Self::around(u16::MAX, self.bits).start
    }
}

/// The fewest blocks that make up a range, at most thirty.
fn blocks(range: &RangeInclusive<u16>) -> impl Iterator<Item = Block> {
    let last = *range.end();
    let widest_from = move |start: u16| {
        (0..=u16::BITS)
            .map(|bits| Block::around(start, bits))
            .take_while(|block| block.start == start && block.last() <= last)
            .last()
    };
    iter::successors(widest_from(*range.start()), move |block| {
        widest_from(block.last().checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: RangeInclusive<u16>, count: usize) {
        let blocks: Vec<Block> = blocks(&range).collect();
        assert_eq!(blocks.len(), count, "{range:?}");
        let ports: Vec<u16> = blocks
            .iter()
            .flat_map(|block| block.start..=block.last())
            .collect();
        assert_eq!(ports, range.clone().collect::<Vec<_>>(), "{range:?}");
        for port in [0, 1, 79, 80, 81, 1023, 1024, 32768, 65534, 65535] {
            let found = (0..=u16::BITS)
                .filter(|bits| blocks.contains(&Block::around(port, *bits)))
                .count();
            assert_eq!(found, usize::from(range.contains(&port)), "{port}");
        }
    }

    #[test]
    fn blocks_make_up_a_range_and_nothing_else() {
        check(0..=0, 1);
        check(80..=80, 1);
        check(80..=81, 1);
        check(81..=82, 2);
        check(1..=1023, 10);
        check(1..=65535, 16);
        check(1..=65534, 30);
        check(0..=65535, 1);
        check(65535..=65535, 1);
        check(32767..=32768, 2);
    }
}
