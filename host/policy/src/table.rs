//! The compiled grants of one verb, one protocol and one role. It must not
//! weigh grants against denies.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Name;
use crate::endpoint::Query;
use crate::name_index::NameIndex;
use crate::network_index::NetworkIndex;
use crate::socket_grant::{Role, SocketGrant};

/// Grants to be found by name and by address.
#[derive(Debug, Default)]
pub(crate) struct Table {
    names: NameIndex<Arc<SocketGrant>>,
    networks: NetworkIndex<Arc<SocketGrant>>,
}

impl Table {
    pub(crate) fn insert(&mut self, role: Role, grant: &Arc<SocketGrant>) {
        if let Some(names) = grant.names(role) {
            self.names.insert(names, Arc::clone(grant));
        }
        if let Some(range) = grant.addresses(role) {
            self.networks.insert(range, Arc::clone(grant));
        }
    }

    /// The grants that cover all that the query asks for, read as allows.
    pub(crate) fn granting(&self, query: &Query<'_>) -> impl Iterator<Item = &Arc<SocketGrant>> {
        let by_name = query
            .name
            .into_iter()
            .flat_map(|name| self.names.matching(name));
        let by_name =
            by_name.filter(|grant| query.reach.is_none_or(|reach| grant.leads_to(&reach)));
        let by_address = query
            .reach
            .into_iter()
            .flat_map(|reach| self.networks.covering(reach));
        by_name
            .chain(by_address)
            .filter(|grant| grant.ports.contain(query.port))
    }

    /// The grants that cover any of what the query asks for, read as denies.
    pub(crate) fn denying(&self, query: &Query<'_>) -> impl Iterator<Item = &Arc<SocketGrant>> {
        let by_name = query
            .name
            .into_iter()
            .flat_map(|name| self.names.matching(name));
        let by_address = query
            .reach
            .into_iter()
            .flat_map(|reach| self.networks.touching(reach));
        // Who hears a whole family may hear any name's address.
        let whole_family = query.reach.is_some_and(|reach| reach.prefix_len() == 0);
        let by_any_name = whole_family.then(|| self.names.all());
        by_name
            .chain(by_address)
            .chain(by_any_name.into_iter().flatten())
            .filter(|grant| grant.ports.contain(query.port))
    }

    /// The grants that cover an address, read as allows, on whatever port.
    pub(crate) fn reaching(&self, address: IpAddr) -> impl Iterator<Item = &Arc<SocketGrant>> {
        self.networks.covering(address.into())
    }

    /// The grants that catch an address, read as denies, on whatever port.
    pub(crate) fn catching(&self, address: IpAddr) -> impl Iterator<Item = &Arc<SocketGrant>> {
        self.networks.touching(address.into())
    }

    /// The grants that match a name, wherever it leads and on whatever port.
    pub(crate) fn naming(&self, name: &Name) -> impl Iterator<Item = &Arc<SocketGrant>> {
        self.names.matching(name)
    }
}
