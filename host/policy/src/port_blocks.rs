//! Finding the grants that hold a port, of many, without a scan. It must not
//! look at their hosts.

use std::collections::BTreeMap;
use std::iter;
use std::ops::RangeInclusive;

use crate::placed::{self, Placed};
use crate::ports::Ports;
use crate::socket_grant::SocketGrant;

/// Grants by the blocks that make up their ports.
#[derive(Debug, Default)]
pub(crate) struct PortBlocks {
    first: Option<Placed<SocketGrant>>,
    complete: Option<Placed<SocketGrant>>,
    all: Vec<Placed<SocketGrant>>,
    blocks: BTreeMap<Block, Vec<Placed<SocketGrant>>>,
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
    /// Adds a grant that stands behind all that are there.
    pub(crate) fn insert(&mut self, placed: &Placed<SocketGrant>) {
        let new = || placed.clone();
        self.first.get_or_insert_with(new);
        if placed.grant.ports.are_complete() {
            self.complete.get_or_insert_with(new);
        }
        match &placed.grant.ports {
            Ports::All => self.all.push(new()),
            Ports::List(items) => {
                for block in items.iter().flat_map(blocks) {
                    self.blocks.entry(block).or_default().push(new());
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
        is_it: &mut impl FnMut(&SocketGrant) -> bool,
    ) -> Option<&Placed<SocketGrant>> {
        for grants in self.blocks_around(port) {
            let found = grants.iter().find(|placed| is_it(&placed.grant));
            if found.is_some() {
                return found;
            }
        }
        self.all.iter().find(|placed| is_it(&placed.grant))
    }

    /// Of the grants that hold the port, the one that stands first.
    pub(crate) fn first_holding(&self, port: u16) -> Option<&Placed<SocketGrant>> {
        let lists = self.blocks_around(port).chain([self.all.as_slice()]);
        placed::first(lists.filter_map(<[_]>::first))
    }

    /// The grant that stands first, on whatever port.
    pub(crate) fn first(&self) -> Option<&Placed<SocketGrant>> {
        self.first.as_ref()
    }

    /// A grant that leaves no port out.
    pub(crate) fn complete(&self) -> Option<&Placed<SocketGrant>> {
        self.complete.as_ref()
    }

    /// The grants by each block that the port is in, the narrowest first.
    fn blocks_around(&self, port: u16) -> impl Iterator<Item = &[Placed<SocketGrant>]> {
        let mut widths = self.widths;
        iter::from_fn(move || {
            while widths != 0 {
                let block = Block::around(port, widths.trailing_zeros());
                widths &= widths - 1;
                if let Some(grants) = self.blocks.get(&block) {
                    return Some(grants.as_slice());
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
