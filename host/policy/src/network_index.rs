//! Finding what stands over an address without a scan. It must not know what
//! it holds.

use std::collections::BTreeMap;
use std::iter;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::Group;
use crate::embedded::embedded;
use crate::range::Range;

/// One `T` for each range of addresses.
#[derive(Debug, Default)]
pub(crate) struct NetworkIndex<T> {
    v4: Nest<u32, T>,
    v6: Nest<u128, T>,
    /// `public` is no union of networks, and so has a place of its own.
    public: Option<T>,
}

/// What goes into an index, while it is gathered.
#[derive(Debug, Default)]
pub(crate) struct Networks<T> {
    v4: BTreeMap<(u32, u8), T>,
    v6: BTreeMap<(u128, u8), T>,
    public: Option<T>,
}

/// Networks by where they start, each with the next wider one around it: of two
/// networks that meet, one holds the other.
#[derive(Debug)]
struct Nest<B, T> {
    starts: Vec<B>,
    networks: Vec<Network<B, T>>,
}

#[derive(Debug)]
struct Network<B, T> {
    last: B,
    /// The index of the network around it.
    around: Option<usize>,
    item: T,
}

impl<T: Default> Networks<T> {
    /// Hands out what stands over each part of the range.
    pub(crate) fn for_each_part(&mut self, range: Range, mut visit: impl FnMut(&mut T)) {
        match range {
            Range::Group(Group::Public) => visit(self.public.get_or_insert_default()),
            Range::Group(group) => {
                for network in group.networks() {
                    visit(self.entry(network));
                }
            }
            Range::Network(network) => visit(self.entry(&network)),
        }
    }

    fn entry(&mut self, network: &IpNet) -> &mut T {
        let length = network.prefix_len();
        match network.network() {
            IpAddr::V4(start) => self.v4.entry((start.to_bits(), length)).or_default(),
            IpAddr::V6(start) => self.v6.entry((start.to_bits(), length)).or_default(),
        }
    }
}

impl<T> From<Networks<T>> for NetworkIndex<T> {
    fn from(Networks { v4, v6, public }: Networks<T>) -> Self {
        let v4_last = |start: u32, length| start | u32::MAX.checked_shr(length).unwrap_or(0);
        let v6_last = |start: u128, length| start | u128::MAX.checked_shr(length).unwrap_or(0);
        Self {
            v4: Nest::new(v4, v4_last),
            v6: Nest::new(v6, v6_last),
            public,
        }
    }
}

impl<T> NetworkIndex<T> {
    /// What `pick` makes of the first of what stands over ranges that hold all of
    /// `network` that it takes, the narrowest first.
    pub(crate) fn find_covering<'a, R>(
        &'a self,
        network: IpNet,
        mut pick: impl FnMut(&'a T) -> Option<R>,
    ) -> Option<R> {
        let found = match network {
            IpNet::V4(network) => {
                let (first, last) = (network.network(), network.broadcast());
                let mut around = self.v4.around(first.to_bits(), last.to_bits());
                around.find_map(&mut pick)
            }
            IpNet::V6(network) => {
                let (first, last) = (network.network(), network.broadcast());
                let mut around = self.v6.around(first.to_bits(), last.to_bits());
                around.find_map(&mut pick)
            }
        };
        found.or_else(|| {
            let public = self.public.as_ref()?;
            Group::Public.covers(&network).then(|| pick(public))?
        })
    }

    /// The same of what stands over ranges that hold the address, or an IPv4
    /// address that it carries.
    pub(crate) fn find_catching<'a, R>(
        &'a self,
        address: IpAddr,
        mut pick: impl FnMut(&'a T) -> Option<R>,
    ) -> Option<R> {
        if self.is_empty() {
            return None;
        }
        self.find_covering(address.into(), &mut pick).or_else(|| {
            embedded(address).find_map(|v4| self.find_covering(IpAddr::V4(v4).into(), &mut pick))
        })
    }

    fn is_empty(&self) -> bool {
        self.v4.starts.is_empty() && self.v6.starts.is_empty() && self.public.is_none()
    }
}

impl<B: Copy + Ord, T> Nest<B, T> {
    /// Of networks in their order, wider ones before those that they hold.
    fn new(networks: BTreeMap<(B, u8), T>, last: impl Fn(B, u32) -> B) -> Self {
        let mut nest = Self::default();
        for ((start, length), item) in networks {
            let last = last(start, length.into());
            let before = nest.networks.len().checked_sub(1);
            let around = nest
                .out_from(before)
                .find(|(_, network)| last <= network.last);
            let around = around.map(|(index, _)| index);
            nest.starts.push(start);
            nest.networks.push(Network { last, around, item });
        }
        nest
    }

    /// What stands over networks from `first` or before to `last` or beyond.
    fn around(&self, first: B, last: B) -> impl Iterator<Item = &T> {
        let starting = self.starts.partition_point(|start| *start <= first);
        self.out_from(starting.checked_sub(1))
            .filter(move |(_, network)| last <= network.last)
            .map(|(_, network)| &network.item)
    }

    /// A network, and those around it, with their indices.
    fn out_from(&self, index: Option<usize>) -> impl Iterator<Item = (usize, &Network<B, T>)> {
        let at = |index: usize| Some((index, self.networks.get(index)?));
        iter::successors(index.and_then(at), move |(_, network)| {
            network.around.and_then(at)
        })
    }
}

impl<B, T> Default for Nest<B, T> {
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            networks: Vec::new(),
        }
    }
}
