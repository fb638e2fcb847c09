//! Finding what stands over an address without a scan. It must not know what
//! it holds.

use std::hash::Hash;
use std::net::IpAddr;
use std::ops::BitAnd;

use ipnet::IpNet;

use crate::Group;
use crate::embedded::embedded;
use crate::footprint;
use crate::keyed::KeyedMap;
use crate::range::Range;

/// One `T` for each range of addresses.
#[derive(Debug)]
pub(crate) struct NetworkIndex<T> {
    v4: Family<u32, T>,
    v6: Family<u128, T>,
    /// `public` is no union of networks, and so has a place of its own.
    public: Option<T>,
}

/// The networks of a family by their mask, the narrowest first, and then by where
/// they start: few masks are in use, and only those are worth a search.
#[derive(Debug)]
struct Family<B, T>(Vec<(B, KeyedMap<B, T>)>);

impl<T> NetworkIndex<T> {
    /// How much memory the place of one more range takes at the most.
    pub(crate) const FOOTPRINT: usize =
        footprint::entry::<u128, T>() + footprint::list::<(u128, KeyedMap<u128, T>)>(1);
}

impl<T: Default> NetworkIndex<T> {
    /// Hands out what stands over each part of the range.
    pub(crate) fn for_each_part(&mut self, range: Range, mut visit: impl FnMut(&mut T)) {
        match range {
            Range::Group(Group::Public) => visit(self.public.get_or_insert_default()),
            Range::Group(group) => {
                for network in group.networks() {
                    self.enter(network, &mut visit);
                }
            }
            Range::Network(network) => self.enter(&network, visit),
        }
    }

    fn enter(&mut self, network: &IpNet, visit: impl FnOnce(&mut T)) {
        match network {
            IpNet::V4(v4) => {
                let (start, mask) = (v4.network().to_bits(), v4.netmask().to_bits());
                self.v4.enter(start, mask, visit);
            }
            IpNet::V6(v6) => {
                let (start, mask) = (v6.network().to_bits(), v6.netmask().to_bits());
                self.v6.enter(start, mask, visit);
            }
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
            IpNet::V4(v4) => {
                let (address, mask) = (v4.addr().to_bits(), v4.netmask().to_bits());
                self.v4.around(address, mask).find_map(&mut pick)
            }
            IpNet::V6(v6) => {
                let (address, mask) = (v6.addr().to_bits(), v6.netmask().to_bits());
                self.v6.around(address, mask).find_map(&mut pick)
            }
        };
        found.or_else(|| {
            let public = self.public.as_ref()?;
            Group::Public.spans(&network).then(|| pick(public))?
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
        self.v4.0.is_empty() && self.v6.0.is_empty() && self.public.is_none()
    }
}

impl<B: BitAnd<Output = B> + Copy + Hash + Ord, T> Family<B, T> {
    fn enter(&mut self, start: B, mask: B, visit: impl FnOnce(&mut T))
    where
        T: Default,
    {
        let Self(masks) = self;
        let place = masks.partition_point(|(own, _)| *own > mask);
        match masks.get_mut(place) {
            Some((own, networks)) if *own == mask => visit(networks.entry(start).or_default()),
            Some(_) | None => {
                let mut networks = KeyedMap::default();
                visit(networks.entry(start).or_default());
                masks.insert(place, (mask, networks));
            }
        }
    }

    /// What stands over networks that hold all of the one of `mask` around
    /// `address`, the narrowest first.
    fn around(&self, address: B, mask: B) -> impl Iterator<Item = &T> {
        let wider = self.0.iter().filter(move |(own, _)| *own <= mask);
        wider.filter_map(move |(own, networks)| networks.get(&(address & *own)))
    }
}

impl<T> Default for NetworkIndex<T> {
    fn default() -> Self {
        Self {
            v4: Family(Vec::new()),
            v6: Family(Vec::new()),
            public: None,
        }
    }
}
