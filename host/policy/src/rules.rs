//! All the allows or all the denies of a layer, compiled. It must not weigh
//! one against the other.

use std::sync::Arc;

use crate::grant::Kind;
use crate::name_index::NameIndex;
use crate::name_pattern::NamePattern;
use crate::socket_grant::{Role, SocketGrant};
use crate::table::Table;
use crate::verb::Verb;
use crate::{Grant, Protocol};

/// Grants of one role, each in the table of its verb and protocol.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    bind: ByProtocol,
    connect: ByProtocol,
    listen: ByProtocol,
    pub(crate) resolve: NameIndex<NamePattern>,
}

#[derive(Debug, Default)]
struct ByProtocol {
    tcp: Table,
    udp: Table,
}

impl Rules {
    pub(crate) fn new(role: Role, grants: &[Grant]) -> Self {
        let mut rules = Self::default();
        for grant in grants {
            match grant.kind() {
                Kind::Resolve(names) => rules.resolve.insert(names, names.clone()),
                Kind::Socket(grant) => rules.insert(role, grant),
            }
        }
        rules
    }

    pub(crate) fn table(&self, verb: Verb, protocol: Protocol) -> &Table {
        let tables = match verb {
            Verb::Bind => &self.bind,
            Verb::Connect => &self.connect,
            Verb::Listen => &self.listen,
        };
        match protocol {
            Protocol::Tcp => &tables.tcp,
            Protocol::Udp => &tables.udp,
        }
    }

    /// The tables of `connect`, for questions that leave the protocol open.
    pub(crate) fn connect_tables(&self) -> [&Table; 2] {
        [&self.connect.tcp, &self.connect.udp]
    }

    fn insert(&mut self, role: Role, grant: &Arc<SocketGrant>) {
        let tables = match grant.verb {
            Verb::Bind => &mut self.bind,
            Verb::Connect => &mut self.connect,
            Verb::Listen => &mut self.listen,
        };
        let table = match grant.protocol {
            Protocol::Tcp => &mut tables.tcp,
            Protocol::Udp => &mut tables.udp,
        };
        table.insert(role, grant);
    }
}
