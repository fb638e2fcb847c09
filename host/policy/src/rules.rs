//! All the allows or all the denies of a layer, compiled. It must not weigh
//! one against the other.

use std::net::IpAddr;
use std::sync::Arc;

use crate::endpoint::Query;
use crate::grant::Kind;
use crate::name_index::NameIndex;
use crate::name_pattern::NamePattern;
use crate::placed::{self, Placed};
use crate::socket_grant::{Role, SocketGrant};
use crate::table::Table;
use crate::unix_grant::UnixGrant;
use crate::unix_table::UnixTable;
use crate::verb::Verb;
use crate::{Grant, Name, Protocol, UnixKind, UnixName};

/// Grants of one role, each in the table of its verb and of its protocol or kind.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    bind: Tables,
    connect: Tables,
    join: Tables,
    listen: Tables,
    resolve: NameIndex<Option<Placed<NamePattern>>>,
}

#[derive(Debug, Default)]
struct Tables {
    tcp: Table,
    udp: Table,
    unix_datagram: UnixTable,
    unix_stream: UnixTable,
}

impl Rules {
    pub(crate) fn new(role: Role, grants: &[Grant]) -> Self {
        let tables = |verb| Tables::new(role, verb, grants);
        Self {
            bind: tables(Verb::Bind),
            connect: tables(Verb::Connect),
            join: tables(Verb::Join),
            listen: tables(Verb::Listen),
            resolve: resolve(grants),
        }
    }

    pub(crate) fn table(&self, verb: Verb, protocol: Protocol) -> &Table {
        let tables = self.tables(verb);
        match protocol {
            Protocol::Tcp => &tables.tcp,
            Protocol::Udp => &tables.udp,
        }
    }

    pub(crate) fn unix(&self, verb: Verb, kind: UnixKind) -> &UnixTable {
        let tables = self.tables(verb);
        match kind {
            UnixKind::Datagram => &tables.unix_datagram,
            UnixKind::Stream => &tables.unix_stream,
        }
    }

    /// The tables of `connect`, for questions that leave the protocol open.
    pub(crate) fn connect_tables(&self) -> [&Table; 2] {
        [&self.connect.tcp, &self.connect.udp]
    }

    /// The grant to look a name up without connecting to it.
    pub(crate) fn resolving(&self, name: &Name) -> Option<&Arc<NamePattern>> {
        let placed = self.resolve.find_matching(name, Option::as_ref)?;
        Some(&placed.grant)
    }

    /// Of all grants that come near to what the query asks for in the same ways,
    /// the first; each with its place.
    pub(crate) fn near(&self, query: &Query<'_>) -> impl Iterator<Item = (usize, Grant)> {
        let mut resolving = None;
        if let Some(name) = query.name {
            self.resolve.find_matching(name, |placed| {
                resolving = placed::first(resolving.into_iter().chain(placed));
                None::<()>
            });
        }
        let sockets = self.all_tables().into_iter().flat_map(|tables| {
            let tcp = tables.tcp.near(query);
            tcp.chain(tables.udp.near(query))
        });
        let resolving = resolving.map(|near| (near.place, Grant::from(near)));
        let sockets = sockets.map(|near| (near.place, Grant::from(near)));
        resolving.into_iter().chain(sockets)
    }

    /// The same for an address alone.
    pub(crate) fn near_host(&self, address: IpAddr) -> impl Iterator<Item = (usize, Grant)> {
        let tables = self.all_tables().into_iter();
        let tables = tables.flat_map(|tables| [&tables.tcp, &tables.udp]);
        let near = tables.flat_map(move |table| table.near_host(address));
        near.map(|near| (near.place, Grant::from(near)))
    }

    /// The same for the name of a unix socket.
    pub(crate) fn near_unix(&self, name: &UnixName) -> impl Iterator<Item = (usize, Grant)> {
        let tables = self.all_tables().into_iter();
        let tables = tables.flat_map(|tables| [&tables.unix_datagram, &tables.unix_stream]);
        let near = tables.flat_map(|table| table.near(name));
        near.map(|near| (near.place, Grant::from(near)))
    }

    fn all_tables(&self) -> [&Tables; 4] {
        [&self.bind, &self.connect, &self.join, &self.listen]
    }

    fn tables(&self, verb: Verb) -> &Tables {
        match verb {
            Verb::Bind => &self.bind,
            Verb::Connect => &self.connect,
            Verb::Join => &self.join,
            Verb::Listen => &self.listen,
        }
    }
}

impl Tables {
    fn new(role: Role, verb: Verb, grants: &[Grant]) -> Self {
        let table = |protocol| {
            let grants = sockets(grants)
                .filter(|(_, grant)| grant.verb == verb && grant.protocol == protocol);
            Table::new(role, grants.map(|(place, grant)| Placed::new(place, grant)))
        };
        let unix_table = |kind| {
            let grants = unix(grants).filter(|(_, grant)| grant.verb == verb && grant.kind == kind);
            grants
                .map(|(place, grant)| Placed::new(place, grant))
                .collect()
        };
        Self {
            tcp: table(Protocol::Tcp),
            udp: table(Protocol::Udp),
            unix_datagram: unix_table(UnixKind::Datagram),
            unix_stream: unix_table(UnixKind::Stream),
        }
    }
}

fn sockets(grants: &[Grant]) -> impl Iterator<Item = (usize, &Arc<SocketGrant>)> {
    grants
        .iter()
        .enumerate()
        .filter_map(|(place, grant)| match grant.kind() {
            Kind::Socket(grant) => Some((place, grant)),
            Kind::Resolve(_) | Kind::Unix(_) => None,
        })
}

fn unix(grants: &[Grant]) -> impl Iterator<Item = (usize, &Arc<UnixGrant>)> {
    grants
        .iter()
        .enumerate()
        .filter_map(|(place, grant)| match grant.kind() {
            Kind::Unix(grant) => Some((place, grant)),
            Kind::Resolve(_) | Kind::Socket(_) => None,
        })
}

fn resolve(grants: &[Grant]) -> NameIndex<Option<Placed<NamePattern>>> {
    let mut index = NameIndex::<Option<Placed<NamePattern>>>::default();
    for (place, grant) in grants.iter().enumerate() {
        match grant.kind() {
            Kind::Resolve(names) => {
                let placed = || Placed::new(place, names);
                index.entry(names).get_or_insert_with(placed);
            }
            Kind::Socket(_) | Kind::Unix(_) => {}
        }
    }
    index
}
