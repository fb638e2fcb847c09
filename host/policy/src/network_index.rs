//! Finding what stands over an address without a scan. It must not know what
//! it holds.

use std::iter;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::Group;
use crate::embedded::embedded;
use crate::range::Range;

/// Items by range of addresses.
#[derive(Debug)]
pub(crate) struct NetworkIndex<T> {
    networks: JointPrefixMap<IpNet, Vec<T>>,
    /// `public` is no union of networks, and so has a place of its own.
    public: Vec<T>,
}

impl<T: Clone> NetworkIndex<T> {
    pub(crate) fn insert(&mut self, range: Range, item: T) {
        match range {
            Range::Group(Group::Public) => self.public.push(item),
            Range::Group(group) => {
                for network in group.networks() {
                    self.insert(Range::Network(*network), item.clone());
                }
            }
            Range::Network(network) => self.networks.entry(network).or_default().push(item),
        }
    }
}

impl<T> NetworkIndex<T> {
    /// The items whose range holds all of `network`.
    pub(crate) fn covering(&self, network: IpNet) -> impl Iterator<Item = &T> {
        let public = Group::Public.covers(&network).then_some(&self.public);
        self.networks.cover_values(&network).chain(public).flatten()
    }

    /// The items whose range holds any of `network`, which is an address or a
    /// whole family, or an IPv4 address that the address carries.
    pub(crate) fn touching(&self, network: IpNet) -> impl Iterator<Item = &T> {
        let carried = embedded(network.addr()).map(|v4| IpNet::from(IpAddr::V4(v4)));
        let within = (network.prefix_len() == 0).then(|| {
            let networks = self.networks.children(&network).map(|(_, items)| items);
            networks.chain([&self.public]).flatten()
        });
        iter::once(network)
            .chain(carried)
            .flat_map(|network| self.covering(network))
            .chain(within.into_iter().flatten())
    }
}

impl<T> Default for NetworkIndex<T> {
    fn default() -> Self {
        Self {
            networks: JointPrefixMap::default(),
            public: Vec::new(),
        }
    }
}
