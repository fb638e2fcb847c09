//! Finding the grants that hold a port without a scan. It must not look at
//! their hosts.

use std::mem;
use std::ops::RangeInclusive;

use crate::footprint;
use crate::place::Place;
use crate::port_blocks::PortBlocks;
use crate::ports::Ports;
use crate::socket_rule::SocketRule;

/// Grants by their ports. There is one of these for each host of a policy, and
/// nearly all of them hold one grant: it is found without leaving the index.
#[derive(Debug, Default)]
pub(crate) enum PortIndex {
    #[default]
    Empty,
    /// One grant, whose ports are one range.
    One {
        ports: RangeInclusive<u16>,
        rule: SocketRule,
    },
    Many(Box<PortBlocks>),
}

impl PortIndex {
    /// How much memory one more grant with these ports takes at the most.
    pub(crate) fn footprint(ports: &Ports) -> usize {
        let grants = PortBlocks::footprint(ports);
        match ports.range() {
            // It lies here until there is another, which takes the other half.
            Some(_) => Self::OF_MANY.div_ceil(2) + grants,
            None => Self::OF_MANY + grants,
        }
    }

    /// How much memory it takes that there are many.
    pub(crate) const OF_MANY: usize =
        footprint::shared(size_of::<PortBlocks>()) + PortBlocks::EMPTY;

    /// Adds a grant that stands behind all that are there.
    pub(crate) fn insert(&mut self, rule: &SocketRule) {
        *self = match (mem::take(self), rule.grant.ports.range()) {
            (Self::Empty, Some(ports)) => Self::One {
                ports,
                rule: rule.clone(),
            },
            (Self::Empty, None) => Self::many([rule]),
            (Self::One { rule: first, .. }, _) => Self::many([&first, rule]),
            (Self::Many(mut blocks), _) => {
                blocks.insert(rule);
                Self::Many(blocks)
            }
        };
    }

    fn many<const N: usize>(rules: [&SocketRule; N]) -> Self {
        let mut blocks = PortBlocks::default();
        rules.into_iter().for_each(|rule| blocks.insert(rule));
        Self::Many(blocks.into())
    }

    /// The first grant that holds the port and that `is_it` takes, the most exact
    /// ones before others.
    pub(crate) fn find(
        &self,
        port: u16,
        is_it: &mut impl FnMut(&SocketRule) -> bool,
    ) -> Option<Place> {
        match self {
            Self::Empty => None,
            Self::One { ports, rule } => {
                (ports.contains(&port) && is_it(rule)).then_some(rule.place)
            }
            Self::Many(blocks) => blocks.find(port, is_it),
        }
    }

    /// Of the grants that hold the port, the one that stands first.
    pub(crate) fn first_holding(&self, port: u16) -> Option<Place> {
        match self {
            Self::Empty => None,
            Self::One { ports, rule } => ports.contains(&port).then_some(rule.place),
            Self::Many(blocks) => blocks.first_holding(port),
        }
    }

    /// The grant that stands first, on whatever port.
    pub(crate) fn first(&self) -> Option<Place> {
        match self {
            Self::Empty => None,
            Self::One { rule, .. } => Some(rule.place),
            Self::Many(blocks) => blocks.first(),
        }
    }

    /// A grant that `is_it` takes, on whatever port.
    pub(crate) fn find_somewhere(&self, is_it: impl FnMut(&&SocketRule) -> bool) -> Option<Place> {
        match self {
            Self::Empty => None,
            Self::One { rule, .. } => Some(rule).filter(is_it).map(|rule| rule.place),
            Self::Many(blocks) => blocks.find_somewhere(is_it),
        }
    }

    /// A grant that leaves no port out.
    pub(crate) fn complete(&self) -> Option<Place> {
        match self {
            Self::Empty => None,
            Self::One { rule, .. } => rule.grant.ports.are_complete().then_some(rule.place),
            Self::Many(blocks) => blocks.complete(),
        }
    }
}
