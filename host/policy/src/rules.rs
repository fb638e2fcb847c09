//! All the allows or all the denies of a layer, compiled. It must not weigh
//! one against the other.

use std::sync::Arc;

use crate::grant::Kind;
use crate::name_index::NameIndex;
use crate::name_pattern::NamePattern;
use crate::socket_grant::{Role, SocketGrant};
use crate::table::Table;
use crate::unix_grant::UnixGrant;
use crate::unix_index::UnixIndex;
use crate::verb::Verb;
use crate::{Grant, Name, Protocol, UnixKind};

/// Grants of one role, each in the table of its verb and of its protocol or kind.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    bind: Tables,
    connect: Tables,
    join: Tables,
    listen: Tables,
    resolve: NameIndex<Option<NamePattern>>,
}

#[derive(Debug, Default)]
struct Tables {
    tcp: Table,
    udp: Table,
    unix_datagram: UnixIndex<Arc<UnixGrant>>,
    unix_stream: UnixIndex<Arc<UnixGrant>>,
}

impl Rules {
    pub(crate) fn new(role: Role, grants: &[Grant]) -> Self {
        let mut rules = Self::default();
        for grant in grants {
            match grant.kind() {
                Kind::Resolve(names) => {
                    rules
                        .resolve
                        .entry(names)
                        .get_or_insert_with(|| names.clone());
                }
                Kind::Socket(grant) => rules.insert(role, grant),
                Kind::Unix(grant) => rules.insert_unix(grant),
            }
        }
        rules
    }

    pub(crate) fn table(&self, verb: Verb, protocol: Protocol) -> &Table {
        let tables = self.tables(verb);
        match protocol {
            Protocol::Tcp => &tables.tcp,
            Protocol::Udp => &tables.udp,
        }
    }

    pub(crate) fn unix(&self, verb: Verb, kind: UnixKind) -> &UnixIndex<Arc<UnixGrant>> {
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
    pub(crate) fn resolving(&self, name: &Name) -> Option<&NamePattern> {
        self.resolve.matching(name).find_map(Option::as_ref)
    }

    fn insert(&mut self, role: Role, grant: &Arc<SocketGrant>) {
        let tables = self.tables_mut(grant.verb);
        let table = match grant.protocol {
            Protocol::Tcp => &mut tables.tcp,
            Protocol::Udp => &mut tables.udp,
        };
        table.insert(role, grant);
    }

    fn insert_unix(&mut self, grant: &Arc<UnixGrant>) {
        let tables = self.tables_mut(grant.verb);
        let index = match grant.kind {
            UnixKind::Datagram => &mut tables.unix_datagram,
            UnixKind::Stream => &mut tables.unix_stream,
        };
        index.insert(&grant.names, Arc::clone(grant));
    }

    fn tables(&self, verb: Verb) -> &Tables {
        match verb {
            Verb::Bind => &self.bind,
            Verb::Connect => &self.connect,
            Verb::Join => &self.join,
            Verb::Listen => &self.listen,
        }
    }

    fn tables_mut(&mut self, verb: Verb) -> &mut Tables {
        match verb {
            Verb::Bind => &mut self.bind,
            Verb::Connect => &mut self.connect,
            Verb::Join => &mut self.join,
            Verb::Listen => &mut self.listen,
        }
    }
}
