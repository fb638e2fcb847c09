//! The compiled grants of one verb, one protocol and one role. It must not
//! weigh grants against denies.

use std::iter;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::Name;
use crate::endpoint::Query;
use crate::name_index::NameIndex;
use crate::network_index::{NetworkIndex, Networks};
use crate::placed::{self, Placed};
use crate::port_index::PortIndex;
use crate::range::Range;
use crate::socket_grant::{Role, SocketGrant};

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
    pub(crate) fn new(role: Role, grants: impl Iterator<Item = Placed<SocketGrant>>) -> Self {
        let mut table = Self::default();
        let mut networks = Networks::default();
        for grant in grants {
            table.insert(&mut networks, role, &grant);
        }
        table.networks = networks.into();
        table
    }

    fn insert(
        &mut self,
        networks: &mut Networks<PortIndex>,
        role: Role,
        placed: &Placed<SocketGrant>,
    ) {
        let (names, addresses) = (placed.grant.names(role), placed.grant.addresses(role));
        if let Some(names) = names {
            self.names.entry(names).insert(placed);
        }
        if let Some(range) = addresses {
            networks.for_each_part(range, |ports| ports.insert(placed));
        }
        match role {
            Role::Allow => self.every.insert(placed),
            Role::Deny => self.insert_by_family(placed, names.is_some(), addresses),
        }
    }

    fn insert_by_family(
        &mut self,
        placed: &Placed<SocketGrant>,
        has_names: bool,
        range: Option<Range>,
    ) {
        // Who hears a whole family may hear any name's address.
        if has_names || range.is_some_and(|range| range.has_v4()) {
            self.v4.insert(placed);
        }
        if has_names || range.is_some_and(|range| range.has_v6()) {
            self.v6.insert(placed);
        }
    }

    /// The first grant of each way to come near to what the query asks for: by
    /// host and port, by host, by port, and neither.
    pub(crate) fn near(&self, query: &Query<'_>) -> impl Iterator<Item = &Placed<SocketGrant>> {
        let hosts = || {
            let by_name = query
                .name
                .into_iter()
                .flat_map(|name| self.names.matching(name));
            let reach = query.reach.into_iter();
            by_name.chain(reach.flat_map(|reach| self.networks.covering(reach)))
        };
        let port = query.port;
        let both = placed::first(hosts().filter_map(move |ports| ports.first_holding(port)));
        let host = placed::first(hosts().filter_map(PortIndex::first));
        iter::once(both)
            .chain([host, self.every.first_holding(port), self.every.first()])
            .flatten()
    }

    /// The same where ports do not matter: by host, and not.
    pub(crate) fn near_host(&self, address: IpAddr) -> impl Iterator<Item = &Placed<SocketGrant>> {
        let covering = self.networks.covering(address.into());
        let host = placed::first(covering.filter_map(PortIndex::first));
        host.into_iter().chain(self.every.first())
    }

    /// The grants that cover all that the query asks for, read as allows.
    pub(crate) fn granting(&self, query: &Query<'_>) -> impl Iterator<Item = &Placed<SocketGrant>> {
        let by_name = query
            .name
            .into_iter()
            .flat_map(|name| self.naming(name, query.port));
        let by_name = by_name.filter(|placed| {
            query
                .reach
                .is_none_or(|reach| placed.grant.leads_to(&reach))
        });
        let by_address = query
            .reach
            .into_iter()
            .flat_map(|reach| self.networks.covering(reach))
            .flat_map(|ports| ports.holding(query.port));
        by_name.chain(by_address)
    }

    /// The grants that cover any of what the query asks for, read as denies.
    pub(crate) fn denying(&self, query: &Query<'_>) -> impl Iterator<Item = &Placed<SocketGrant>> {
        let by_name = query
            .name
            .into_iter()
            .flat_map(|name| self.naming(name, query.port));
        let (address, family) = match query.reach {
            None => (None, None),
            Some(reach) if reach.prefix_len() > 0 => (Some(reach.addr()), None),
            Some(IpNet::V4(_)) => (None, Some(&self.v4)),
            Some(IpNet::V6(_)) => (None, Some(&self.v6)),
        };
        let by_address = address
            .into_iter()
            .flat_map(|address| self.networks.catching(address))
            .chain(family)
            .flat_map(|ports| ports.holding(query.port));
        by_name.chain(by_address)
    }

    /// The grants that match a name on a port, wherever it leads.
    pub(crate) fn naming(
        &self,
        name: &Name,
        port: u16,
    ) -> impl Iterator<Item = &Placed<SocketGrant>> {
        let matching = self.names.matching(name);
        matching.flat_map(move |ports| ports.holding(port))
    }

    /// A grant that matches a name, read as an allow, on whatever port.
    pub(crate) fn naming_somewhere(&self, name: &Name) -> Option<&Placed<SocketGrant>> {
        self.names.matching(name).find_map(PortIndex::first)
    }

    /// A grant that matches a name, read as a deny, on every port.
    pub(crate) fn naming_everywhere(&self, name: &Name) -> Option<&Placed<SocketGrant>> {
        self.names.matching(name).find_map(PortIndex::complete)
    }

    /// A grant that covers an address, read as an allow, on whatever port.
    pub(crate) fn covering_somewhere(&self, address: IpAddr) -> Option<&Placed<SocketGrant>> {
        let mut covering = self.networks.covering(address.into());
        covering.find_map(PortIndex::first)
    }

    /// A grant that catches an address, read as a deny, on every port.
    pub(crate) fn catching_everywhere(&self, address: IpAddr) -> Option<&Placed<SocketGrant>> {
        let mut catching = self.networks.catching(address);
        catching.find_map(PortIndex::complete)
    }
}
