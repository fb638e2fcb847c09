//! One line of policy text. It must not decide anything: `rules` and `layer` do.

use std::fmt;
use std::sync::Arc;

use crate::GrantError;
use crate::name_pattern::NamePattern;
use crate::parser;
use crate::socket_grant::SocketGrant;

/// One line of policy text, parsed: `connect tcp://db.internal:5432`.
///
/// ```text
/// grant    = verb SP endpoint [SP "from" range] [SP "in" range]
/// verb     = "listen" | "connect" | "bind" | "resolve"
/// endpoint = proto "://" host ":" ports | name (resolve only)
/// proto    = "tcp" | "udp"
/// host     = IP | CIDR | [IPv6] | [IPv6]/len | group | name | "*." name | "*"
/// group    = "public" | "private" | "loopback" | "link-local" | "multicast" | "any"
/// ports    = "*" | item {"," item};  item = number | number "-" number (inclusive)
/// range    = (IP | CIDR | group) {"," (IP | CIDR | group)}
/// ```
///
/// Displays as canonical text, which parses to an equal grant. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Grant(Kind);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Kind {
    Resolve(NamePattern),
    Socket(Arc<SocketGrant>),
}

impl Grant {
    /// Reads a grant. The words of a deny are the same.
    ///
    /// Addresses become canonical: IPv4-mapped IPv6 is IPv4, and as a
    /// destination the unspecified address is loopback.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        parser::grant(text)
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }
}

impl From<&Arc<SocketGrant>> for Grant {
    fn from(grant: &Arc<SocketGrant>) -> Self {
        Self(Kind::Socket(Arc::clone(grant)))
    }
}

impl From<SocketGrant> for Grant {
    fn from(grant: SocketGrant) -> Self {
        Self(Kind::Socket(Arc::new(grant)))
    }
}

/// A grant of `resolve`.
impl From<NamePattern> for Grant {
    fn from(names: NamePattern) -> Self {
        Self(Kind::Resolve(names))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Resolve(names) => write!(f, "resolve {names}"),
            Kind::Socket(grant) => grant.fmt(f),
        }
    }
}
