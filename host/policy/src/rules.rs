//! All the allows or all the denies of a layer, compiled. It must not weigh
//! one against the other.

use std::net::IpAddr;

use crate::endpoint::Query;
use crate::grant::Kind;
use crate::name_index::NameIndex;
use crate::place::{self, Place};
use crate::port_index::PortIndex;
use crate::socket_grant::Role;
use crate::socket_rule::SocketRule;
use crate::table::Table;
use crate::unix_table::UnixTable;
use crate::verb::Verb;
use crate::{Grant, Name, Protocol, UnixKind, UnixName};

/// Grants of one role in their order, and each in the table of its verb and of its
/// protocol or kind.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    grants: Vec<Grant>,
    bind: Tables,
    connect: Tables,
    join: Tables,
    listen: Tables,
    resolve: NameIndex<Option<Place>>,
}

#[derive(Debug, Default)]
struct Tables {
    tcp: Table,
    udp: Table,
    unix_datagram: UnixTable,
    unix_stream: UnixTable,
}

impl Rules {
    /// How much memory the indexes take before there is a grant, but for their own
    /// places: each verb has one for each protocol.
    pub(crate) const EMPTY: usize = 4 * 2 * PortIndex::OF_MANY;

    pub(crate) fn new(role: Role, grants: Vec<Grant>) -> Self {
        let tables = |verb| Tables::new(role, verb, &grants);
        Self {
            bind: tables(Verb::Bind),
            connect: tables(Verb::Connect),
            join: tables(Verb::Join),
            listen: tables(Verb::Listen),
            resolve: resolve(&grants),
            grants,
        }
    }

    /// The grants, in order.
    pub(crate) fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The grant that stands there.
    pub(crate) fn at(&self, place: Place) -> Option<&Grant> {
        place.of(&self.grants)
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
    pub(crate) fn resolving(&self, name: &Name) -> Option<Place> {
        self.resolve.find_matching(name, |place| *place)
    }

    /// Of all grants that come near to what the query asks for in the same ways,
    /// the first.
    pub(crate) fn near(&self, query: &Query<'_>) -> impl Iterator<Item = Place> {
        let mut resolving = None;
        if let Some(name) = query.name {
            self.resolve.find_matching(name, |place| {
                resolving = place::first(resolving, *place);
                None::<()>
            });
        }
        let sockets = self.all_tables().into_iter().flat_map(|tables| {
            let tcp = tables.tcp.near(query);
            tcp.chain(tables.udp.near(query))
        });
        resolving.into_iter().chain(sockets)
    }

    /// The same for an address alone.
    pub(crate) fn near_host(&self, address: IpAddr) -> impl Iterator<Item = Place> {
        let tables = self.all_tables().into_iter();
        let tables = tables.flat_map(|tables| [&tables.tcp, &tables.udp]);
        tables.flat_map(move |table| table.near_host(address))
    }

    /// The same for the name of a unix socket.
    pub(crate) fn near_unix(&self, name: &UnixName) -> impl Iterator<Item = Place> {
        let tables = self.all_tables().into_iter();
        let tables = tables.flat_map(|tables| [&tables.unix_datagram, &tables.unix_stream]);
        tables.flat_map(|table| table.near(name))
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
            let rules = Place::each(grants).filter_map(|(place, grant)| match grant.kind() {
                Kind::Socket(grant) if grant.verb == verb && grant.protocol == protocol => {
                    Some(SocketRule::new(place, grant))
                }
                Kind::Resolve(_) | Kind::Socket(_) | Kind::Unix(_) => None,
            });
            Table::new(role, rules)
        };
        let unix_table = |kind| {
            let grants = Place::each(grants).filter_map(|(place, grant)| match grant.kind() {
                Kind::Unix(grant) if grant.verb == verb && grant.kind == kind => {
                    Some((place, &**grant))
                }
                Kind::Resolve(_) | Kind::Socket(_) | Kind::Unix(_) => None,
            });
            grants.collect()
        };
        Self {
            tcp: table(Protocol::Tcp),
            udp: table(Protocol::Udp),
            unix_datagram: unix_table(UnixKind::Datagram),
            unix_stream: unix_table(UnixKind::Stream),
        }
    }
}

fn resolve(grants: &[Grant]) -> NameIndex<Option<Place>> {
    let mut index = NameIndex::<Option<Place>>::default();
    for (place, grant) in Place::each(grants) {
        match grant.kind() {
            Kind::Resolve(names) => {
                index.entry(names).get_or_insert(place);
            }
            Kind::Socket(_) | Kind::Unix(_) => {}
        }
    }
    index
}
