//! One line of policy text. It must not decide anything: `rules` and `layer` do.

use std::fmt;
use std::sync::Arc;

use crate::GrantError;
use crate::name_pattern::NamePattern;
use crate::parser;
use crate::socket_grant::SocketGrant;
use crate::unix_grant::UnixGrant;
use crate::verb::Verb;

/// One line of policy text, parsed: `connect tcp://db.internal:5432`.
///
/// ```text
/// grant    = verb SP endpoint [SP "from" range] [SP "in" range]
/// verb     = "listen" | "connect" | "bind" | "join" | "resolve"
/// endpoint = proto "://" host ":" ports | kind ":" unix | name (resolve only)
/// proto    = "tcp" | "udp"
/// host     = IP | CIDR | [IPv6] | [IPv6]/len | group | name | "*." name | "*"
/// group    = "public" | "private" | "loopback" | "link-local" | "multicast" | "any"
/// ports    = "*" | item {"," item}
/// item     = number | number "-" number (inclusive) | service
/// range    = (IP | CIDR | group) {"," (IP | CIDR | group)}
/// kind     = "unix" | "unixgram"
/// unix     = path | folder "/*" | folder "/**" | "@" name | "@*"
/// ```
///
/// `from` goes only with `listen` on addresses, `in` only with names. `join`
/// takes `udp` and multicast addresses alone; unix sockets go with `listen`,
/// `connect` and `bind`.
///
/// A service stands for its port ([`service`](crate::service)), and is printed as
/// that.
///
/// Unix paths are absolute, and hold neither `.` nor `..`, no empty component
/// and no slash at the end. In them and in abstract names, `%` and two
/// hexadecimal digits stand for a byte (RFC 3986). So are written: white space,
/// control characters, `"`, `'`, `` ` ``, `\`, `%`, `,` and a `*` that is no
/// pattern; printed are so as well all bytes beyond ASCII, and an `@` at the
/// start of an abstract name.
///
/// Displays as canonical text, which parses to an equal grant. Cheap to clone.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Grant(Kind);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Kind {
    Resolve(Arc<NamePattern>),
    Socket(Arc<SocketGrant>),
    Unix(Arc<UnixGrant>),
}

impl Grant {
    /// Reads a grant. The words of a deny are the same.
    ///
    /// Addresses become canonical: IPv4-mapped IPv6 is IPv4, and as a
    /// destination the unspecified address is loopback.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        parser::grant(text)
    }

    pub(crate) fn is_of(&self, verb: Verb) -> bool {
        match &self.0 {
            Kind::Resolve(_) => false,
            Kind::Socket(grant) => grant.verb == verb,
            Kind::Unix(grant) => grant.verb == verb,
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }
}

impl From<SocketGrant> for Grant {
    fn from(grant: SocketGrant) -> Self {
        Self(Kind::Socket(Arc::new(grant)))
    }
}

impl From<UnixGrant> for Grant {
    fn from(grant: UnixGrant) -> Self {
        Self(Kind::Unix(Arc::new(grant)))
    }
}

/// A grant of `resolve`.
/// A grant of `resolve`.
impl From<NamePattern> for Grant {
    fn from(names: NamePattern) -> Self {
        Self(Kind::Resolve(Arc::new(names)))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Resolve(names) => write!(f, "resolve {names}"),
            Kind::Socket(grant) => grant.fmt(f),
            Kind::Unix(grant) => grant.fmt(f),
        }
    }
}
