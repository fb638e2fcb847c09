//! Finding the grants that hold a port without a scan. It must not look at
//! their hosts.

use std::mem;
use std::ops::RangeInclusive;

use crate::placed::Placed;
use crate::port_blocks::PortBlocks;
use crate::socket_grant::SocketGrant;

/// Grants by their ports. There is one of these for each host of a policy, and
/// nearly all of them hold one grant: it is found without leaving the index.
#[derive(Debug, Default)]
pub(crate) enum PortIndex {
    #[default]
    Empty,
    /// One grant, whose ports are one range.
    One {
        ports: RangeInclusive<u16>,
        placed: Placed<SocketGrant>,
    },
    Many(Box<PortBlocks>),
}

impl PortIndex {
    /// Adds a grant that stands behind all that are there.
    pub(crate) fn insert(&mut self, placed: &Placed<SocketGrant>) {
        *self = match (mem::take(self), placed.grant.ports.range()) {
            (Self::Empty, Some(ports)) => Self::One {
                ports,
                placed: placed.clone(),
            },
            (Self::Empty, None) => Self::many([placed]),
            (Self::One { placed: first, .. }, _) => Self::many([&first, placed]),
            (Self::Many(mut blocks), _) => {
                blocks.insert(placed);
                Self::Many(blocks)
            }
        };
    }

    fn many<const N: usize>(grants: [&Placed<SocketGrant>; N]) -> Self {
        let mut blocks = PortBlocks::default();
        grants.into_iter().for_each(|placed| blocks.insert(placed));
        Self::Many(blocks.into())
    }

    /// The first grant that holds the port and that `is_it` takes, the most exact
    /// ones before others.
    pub(crate) fn find(
        &self,
        port: u16,
        is_it: &mut impl FnMut(&SocketGrant) -> bool,
    ) -> Option<&Placed<SocketGrant>> {
        match self {
            Self::Empty => None,
            Self::One { ports, placed } => {
                (ports.contains(&port) && is_it(&placed.grant)).then_some(placed)
            }
            Self::Many(blocks) => blocks.find(port, is_it),
        }
    }

    /// Of the grants that hold the port, the one that stands first.
    pub(crate) fn first_holding(&self, port: u16) -> Option<&Placed<SocketGrant>> {
        match self {
            Self::Empty => None,
            Self::One { ports, placed } => ports.contains(&port).then_some(placed),
            Self::Many(blocks) => blocks.first_holding(port),
        }
    }

    /// The grant that stands first, on whatever port.
    pub(crate) fn first(&self) -> Option<&Placed<SocketGrant>> {
        match self {
            Self::Empty => None,
            Self::One { placed, .. } => Some(placed),
            Self::Many(blocks) => blocks.first(),
        }
    }

    /// A grant that leaves no port out.
    pub(crate) fn complete(&self) -> Option<&Placed<SocketGrant>> {
        match self {
            Self::Empty => None,
            Self::One { placed, .. } => placed.grant.ports.are_complete().then_some(placed),
            Self::Many(blocks) => blocks.complete(),
        }
    }
}
