//! Finding what stands over an address without a scan. It must not know what
//! it holds.

use std::iter;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::Group;
use crate::embedded::embedded;
use crate::range::Range;

/// One `T` for each range of addresses.
#[derive(Debug)]
pub(crate) struct NetworkIndex<T> {
    networks: JointPrefixMap<IpNet, T>,
    /// `public` is no union of networks, and so has a place of its own.
    public: Option<T>,
}

impl<T: Default> NetworkIndex<T> {
    /// Hands out what stands over each part of the range.
    pub(crate) fn for_each_part(&mut self, range: Range, mut visit: impl FnMut(&mut T)) {
        match range {
            Range::Group(Group::Public) => visit(self.public.get_or_insert_default()),
            Range::Group(group) => {
                for network in group.networks() {
                    visit(self.networks.entry(*network).or_default());
                }
            }
            Range::Network(network) => visit(self.networks.entry(network).or_default()),
        }
    }
}

impl<T> NetworkIndex<T> {
    /// What stands over ranges that hold all of `network`.
    pub(crate) fn covering(&self, network: IpNet) -> impl Iterator<Item = &T> {
        let public = self
            .public
            .iter()
            .filter(move |_| Group::Public.covers(&network));
        self.networks.cover_values(&network).chain(public)
    }

    /// What stands over ranges that hold the address, or an IPv4 address that it
    /// carries.
    pub(crate) fn catching(&self, address: IpAddr) -> impl Iterator<Item = &T> {
        iter::once(address)
            .chain(embedded(address).map(IpAddr::V4))
            .flat_map(|address| self.covering(address.into()))
    }
}

impl<T> Default for NetworkIndex<T> {
    fn default() -> Self {
        Self {
            networks: JointPrefixMap::default(),
            public: None,
        }
    }
}
