//! The compiled grants of one verb, one protocol and one role. It must not
//! weigh grants against denies.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::Name;
use crate::endpoint::Query;
use crate::name_index::NameIndex;
use crate::network_index::NetworkIndex;
use crate::port_index::PortIndex;
use crate::range::Range;
use crate::socket_grant::{Role, SocketGrant};

/// Grants to be found by name and by address, and among those by port.
#[derive(Debug, Default)]
pub(crate) struct Table {
    names: NameIndex<PortIndex>,
    networks: NetworkIndex<PortIndex>,
    /// The denies that hold some address of a family, for who hears all of it.
    v4: PortIndex,
    v6: PortIndex,
}

impl Table {
    pub(crate) fn insert(&mut self, role: Role, grant: &Arc<SocketGrant>) {
        let (names, addresses) = (grant.names(role), grant.addresses(role));
        if let Some(names) = names {
            self.names.entry(names).insert(grant);
        }
        if let Some(range) = addresses {
            let insert = |ports: &mut PortIndex| ports.insert(grant);
            self.networks.for_each_part(range, insert);
        }
        match role {
            Role::Allow => {}
            Role::Deny => self.insert_by_family(grant, names.is_some(), addresses),
        }
    }

    fn insert_by_family(
        &mut self,
        grant: &Arc<SocketGrant>,
        has_names: bool,
        range: Option<Range>,
    ) {
        // Who hears a whole family may hear any name's address.
        if has_names || range.is_some_and(|range| range.has_v4()) {
            self.v4.insert(grant);
        }
        if has_names || range.is_some_and(|range| range.has_v6()) {
            self.v6.insert(grant);
        }
    }

    /// The grants that cover all that the query asks for, read as allows.
    pub(crate) fn granting(&self, query: &Query<'_>) -> impl Iterator<Item = &Arc<SocketGrant>> {
        let by_name = query
            .name
            .into_iter()
            .flat_map(|name| self.naming(name, query.port));
        let by_name =
            by_name.filter(|grant| query.reach.is_none_or(|reach| grant.leads_to(&reach)));
        let by_address = query
            .reach
            .into_iter()
            .flat_map(|reach| self.networks.covering(reach))
            .flat_map(|ports| ports.holding(query.port));
        by_name.chain(by_address)
    }

    /// The grants that cover any of what the query asks for, read as denies.
    pub(crate) fn denying(&self, query: &Query<'_>) -> impl Iterator<Item = &Arc<SocketGrant>> {
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
    pub(crate) fn naming(&self, name: &Name, port: u16) -> impl Iterator<Item = &Arc<SocketGrant>> {
        let matching = self.names.matching(name);
        matching.flat_map(move |ports| ports.holding(port))
    }

    /// A grant that matches a name, read as an allow, on whatever port.
    pub(crate) fn naming_somewhere(&self, name: &Name) -> Option<&Arc<SocketGrant>> {
        self.names.matching(name).find_map(PortIndex::first)
    }

    /// A grant that matches a name, read as a deny, on every port.
    pub(crate) fn naming_everywhere(&self, name: &Name) -> Option<&Arc<SocketGrant>> {
        self.names.matching(name).find_map(PortIndex::complete)
    }

    /// A grant that covers an address, read as an allow, on whatever port.
    pub(crate) fn covering_somewhere(&self, address: IpAddr) -> Option<&Arc<SocketGrant>> {
        let mut covering = self.networks.covering(address.into());
        covering.find_map(PortIndex::first)
    }

    /// A grant that catches an address, read as a deny, on every port.
    pub(crate) fn catching_everywhere(&self, address: IpAddr) -> Option<&Arc<SocketGrant>> {
        let mut catching = self.networks.catching(address);
        catching.find_map(PortIndex::complete)
    }
}
