//! Looking a name up. It must not be answered before it is allowed: a query to
//! the DNS tells the outside.

use std::fmt;

use crate::endpoint::Query;
use crate::host_pattern::HostPattern;
use crate::layer::{Layer, Ruling};
use crate::name_pattern::NamePattern;
use crate::ports::Ports;
use crate::request::{Decide, Explanation, Refusal, Request, Verdict};
use crate::socket_grant::SocketGrant;
use crate::verb::Verb;
use crate::{Grant, Name, Protocol, Reason};

/// A request to look a name up: POSIX `getaddrinfo`.
#[derive(Clone, Debug)]
pub struct Lookup {
    name: Name,
    purpose: Purpose,
}

/// What a name is looked up for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Purpose {
    /// To bind to it.
    Bind {
        /// The transport protocol.
        protocol: Protocol,
        /// The port.
        port: u16,
    },
    /// To connect to it.
    Connect {
        /// The transport protocol.
        protocol: Protocol,
        /// The port.
        port: u16,
    },
    /// To listen on it.
    Listen {
        /// The transport protocol.
        protocol: Protocol,
        /// The port.
        port: u16,
    },
    /// To know its addresses.
    Resolve,
}

impl Purpose {
    pub(crate) fn operation(self) -> Option<(Verb, Protocol, u16)> {
        match self {
            Self::Bind { protocol, port } => Some((Verb::Bind, protocol, port)),
            Self::Connect { protocol, port } => Some((Verb::Connect, protocol, port)),
            Self::Listen { protocol, port } => Some((Verb::Listen, protocol, port)),
            Self::Resolve => None,
        }
    }
}

impl Lookup {
    /// A request to look `name` up.
    pub fn new(name: Name, purpose: Purpose) -> Self {
        Self { name, purpose }
    }

    /// The name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What it is looked up for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    fn query(&self, protocol: Protocol, port: u16) -> Query<'_> {
        Query {
            protocol,
            name: Some(&self.name),
            reach: None,
            port,
        }
    }

    fn ruling(&self, layer: &Layer) -> Ruling {
        match self.purpose.operation() {
            Some((verb, protocol, port)) => layer.ruling(verb, &self.query(protocol, port)),
            None => self.ruling_on_any_connect(layer),
        }
    }

    fn ruling_on_any_connect(&self, layer: &Layer) -> Ruling {
        let mut denies = layer.deny.connect_tables().into_iter();
        if let Some(deny) = denies.find_map(|table| table.naming_everywhere(&self.name)) {
            return Ruling::Denied(deny);
        }
        let mut grants = layer.allow.connect_tables().into_iter();
        grants
            .find_map(|table| table.naming_somewhere(&self.name))
            .map_or(Ruling::Silent, Ruling::Granted)
    }

    fn grant(&self, verb: Verb, protocol: Protocol, port: u16) -> Grant {
        Grant::from(SocketGrant {
            verb,
            protocol,
            host: HostPattern::Names(self.names()),
            ports: Ports::from(port),
            from: None,
            within: None,
        })
    }

    fn names(&self) -> NamePattern {
        NamePattern::Exact(self.name.clone())
    }
}

impl Request for Lookup {
    fn narrowest(&self) -> Option<Grant> {
        Some(match self.purpose.operation() {
            Some((verb, protocol, port)) => self.grant(verb, protocol, port),
            None => self.names().into(),
        })
    }

    fn asked_name(&self) -> Option<&Name> {
        Some(&self.name)
    }
}

impl Decide for Lookup {
    fn decide(&self, layer: &Layer) -> Verdict {
        if let Some(names) = layer.deny.resolving(&self.name) {
            return Err(Refusal::Denied(names));
        }
        let refusal = match self.ruling(layer) {
            Ruling::Granted(grant) => return Ok(Some(grant)),
            Ruling::Denied(deny) => return Err(Refusal::Denied(deny)),
            Ruling::Withheld(deny) => Refusal::Denied(deny),
            Ruling::Silent => Refusal::Silent,
        };
        if let Some(names) = layer.allow.resolving(&self.name) {
            return Ok(Some(names));
        }
        if self.name.is_localhost() {
            return Ok(None);
        }
        Err(refusal)
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        match self.purpose.operation() {
            Some((verb, protocol, port)) => {
                let grant = |verb| self.grant(verb, protocol, port);
                layer.explain(verb, &self.query(protocol, port), grant)
            }
            None => Explanation {
                reason: Reason::NoGrant { nearest: None },
                remedy: Some(Grant::from(self.names()).into()),
            },
        }
    }
}

/// As the grant that would allow it: by what it is for.
impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.spelled();
        match self.purpose.operation() {
            Some((verb, protocol, port)) => write!(f, "{verb} {protocol}://{name}:{port}"),
            None => write!(f, "resolve {name}"),
        }
    }
}
