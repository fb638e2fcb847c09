//! The compiled grants of one verb, one protocol and one role. It must not
//! weigh grants against denies.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::Name;
use crate::endpoint::Query;
use crate::group::meets_metadata;
use crate::name_index::NameIndex;
use crate::network_index::NetworkIndex;
use crate::place::{self, Place};
use crate::port_index::PortIndex;
use crate::range::Range;
use crate::socket_grant::Role;
use crate::socket_rule::SocketRule;

/// Grants to be found by name and by address, and among those by port.
#[derive(Debug, Default)]
pub(crate) struct Table {
    names: NameIndex<PortIndex>,
    networks: NetworkIndex<PortIndex>,
    /// The allows whatever their hosts, to find those that come near.
    every: PortIndex,
    /// The denies that hold some address of a family, for who hears all of it.
    v4: PortIndex,
    v6: PortIndex,
}

impl Table {
    /// Compiles grants that come in their order.
    pub(crate) fn new(role: Role, grants: impl Iterator<Item = SocketRule>) -> Self {
        let mut table = Self::default();
        grants.for_each(|rule| table.insert(role, &rule));
        table
    }

    fn insert(&mut self, role: Role, rule: &SocketRule) {
        let (names, addresses) = (rule.grant.names(role), rule.grant.addresses(role));
        if let Some(names) = names {
            self.names.entry(names).insert(rule);
        }
        if let Some(range) = addresses {
            (self.networks).for_each_part(range, |ports| ports.insert(rule));
        }
        match role {
            Role::Allow => self.every.insert(rule),
            Role::Deny => self.insert_by_family(rule, names.is_some(), addresses),
        }
    }

    fn insert_by_family(&mut self, rule: &SocketRule, has_names: bool, range: Option<Range>) {
        // Who hears a whole family may hear any name's address.
        if has_names || range.is_some_and(|range| range.has_v4()) {
            self.v4.insert(rule);
        }
        if has_names || range.is_some_and(|range| range.has_v6()) {
            self.v6.insert(rule);
        }
    }

    /// The first grant of each way to come near to what the query asks for: by
    /// host and port, by host, by port, and neither.
    pub(crate) fn near(&self, query: &Query<'_>) -> impl Iterator<Item = Place> {
        let port = query.port;
        let (mut both, mut host) = (None, None);
        let mut note = |ports: &PortIndex, is_metadata| {
            both = place::first(both, first_holding(ports, port, is_metadata));
            host = place::first(host, first(ports, is_metadata));
            None::<()>
        };
        if let Some(name) = query.name {
            self.names.find_matching(name, |ports| note(ports, false));
        }
        if let Some(reach) = query.reach {
            let is_metadata = is_metadata(&reach);
            (self.networks).find_covering(reach, |ports| note(ports, is_metadata));
        }
        [
            both,
            host,
            self.every.first_holding(port),
            self.every.first(),
        ]
        .into_iter()
        .flatten()
    }

    /// The same where ports do not matter: by host, and not.
    pub(crate) fn near_host(&self, address: IpAddr) -> impl Iterator<Item = Place> {
        let (mut host, network) = (None, address.into());
        let is_metadata = is_metadata(&network);
        self.networks.find_covering(network, |ports| {
            host = place::first(host, first(ports, is_metadata));
            None::<()>
        });
        host.into_iter().chain(self.every.first())
    }

    /// A grant that covers all that the query asks for, read as an allow, and that
    /// `is_it` takes.
    pub(crate) fn find_granting(
        &self,
        query: &Query<'_>,
        mut is_it: impl FnMut(&SocketRule) -> bool,
    ) -> Option<Place> {
        let by_name = query.name.and_then(|name| {
            self.find_naming(name, query.port, |rule| {
                query.reach.is_none_or(|reach| rule.leads_to(&reach)) && is_it(rule)
            })
        });
        by_name.or_else(|| {
            let reach = query.reach?;
            let is_metadata = is_metadata(&reach);
            let mut means = |rule: &SocketRule| rule.means(is_metadata) && is_it(rule);
            self.networks
                .find_covering(reach, |ports| ports.find(query.port, &mut means))
        })
    }

    /// A grant that covers any of what the query asks for, read as a deny, and that
    /// `is_it` takes.
    pub(crate) fn find_denying(
        &self,
        query: &Query<'_>,
        mut is_it: impl FnMut(&SocketRule) -> bool,
    ) -> Option<Place> {
        let by_name = query
            .name
            .and_then(|name| self.find_naming(name, query.port, &mut is_it));
        by_name.or_else(|| match query.reach? {
            reach if reach.prefix_len() > 0 => {
                let find = |ports| PortIndex::find(ports, query.port, &mut is_it);
                self.networks.find_catching(reach.addr(), find)
            }
            IpNet::V4(_) => self.v4.find(query.port, &mut is_it),
            IpNet::V6(_) => self.v6.find(query.port, &mut is_it),
        })
    }

    /// A grant that matches a name on a port, wherever it leads, and that `is_it`
    /// takes.
    pub(crate) fn find_naming(
        &self,
        name: &Name,
        port: u16,
        mut is_it: impl FnMut(&SocketRule) -> bool,
    ) -> Option<Place> {
        let find = |ports| PortIndex::find(ports, port, &mut is_it);
        self.names.find_matching(name, find)
    }

    /// A grant that matches a name, read as an allow, on whatever port.
    pub(crate) fn naming_somewhere(&self, name: &Name) -> Option<Place> {
        self.names.find_matching(name, PortIndex::first)
    }

    /// A grant that matches a name, read as a deny, on every port.
    pub(crate) fn naming_everywhere(&self, name: &Name) -> Option<Place> {
        self.names.find_matching(name, PortIndex::complete)
    }

    /// A grant that covers an address, read as an allow, on whatever port.
    pub(crate) fn covering_somewhere(&self, address: IpAddr) -> Option<Place> {
        let network = address.into();
        let is_metadata = is_metadata(&network);
        (self.networks).find_covering(network, |ports| first(ports, is_metadata))
    }

    /// A grant that catches an address, read as a deny, on every port.
    pub(crate) fn catching_everywhere(&self, address: IpAddr) -> Option<Place> {
        (self.networks).find_catching(address, PortIndex::complete)
    }
}

/// Whether an address is one that grants do not hold by every word. All of a family is
/// none: it is what a socket hears.
fn is_metadata(reach: &IpNet) -> bool {
    reach.prefix_len() > 0 && meets_metadata(reach)
}

/// The allow that stands first over an address, on whatever port.
fn first(ports: &PortIndex, is_metadata: bool) -> Option<Place> {
    match is_metadata {
        true => ports.find_somewhere(|rule| rule.means(true)),
        false => ports.first(),
    }
}

/// The first of the grants that hold the port.
fn first_holding(ports: &PortIndex, port: u16, is_metadata: bool) -> Option<Place> {
    match is_metadata {
        true => ports.find_somewhere(|rule| rule.means(true) && rule.grant.ports.contain(port)),
        false => ports.first_holding(port),
    }
}
