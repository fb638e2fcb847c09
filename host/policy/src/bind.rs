//! Binding a socket to an address of this machine. It must not cover
//! listening.

use std::fmt;
use std::net::SocketAddr;

use crate::endpoint::Endpoint;
use crate::host_pattern::HostPattern;
use crate::layer::Layer;
use crate::name_pattern::NamePattern;
use crate::request::{Decide, Explanation, Request, Verdict};
use crate::socket_grant::SocketGrant;
use crate::verb::Verb;
use crate::{Grant, Name, Protocol};

/// A request to bind a socket: POSIX `bind`.
#[derive(Clone, Debug)]
pub struct Bind {
    endpoint: Endpoint,
    is_dual_stack: bool,
}

impl Bind {
    /// A request for `address`; port 0 leaves the port to the system.
    pub fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self {
            endpoint: Endpoint::new(protocol, address),
            is_dual_stack: false,
        }
    }

    /// The same, where the guest asked for `name` and it led to this address.
    pub fn named(mut self, name: Name) -> Self {
        self.endpoint = self.endpoint.named(name);
        self
    }

    /// The same on a socket that, if it listens, hears IPv4 as well as IPv6. It
    /// is judged no differently; a denial offers what listening will take.
    pub fn dual_stack(mut self) -> Self {
        self.is_dual_stack = true;
        self
    }

    fn grant(&self, verb: Verb) -> SocketGrant {
        let grant = self.endpoint.grant(verb);
        match (verb, self.is_dual_stack) {
            (Verb::Listen, true) => SocketGrant {
                host: HostPattern::Names(NamePattern::Any),
                ..grant
            },
            (Verb::Bind | Verb::Connect | Verb::Join | Verb::Listen, _) => grant,
        }
    }

    /// The transport protocol.
    pub fn protocol(&self) -> Protocol {
        self.endpoint.protocol
    }

    /// The canonical address.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.address()
    }

    /// The name that led to the address, if one did.
    pub fn name(&self) -> Option<&Name> {
        self.endpoint.name()
    }
}

impl Request for Bind {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.endpoint.grant(Verb::Bind).into())
    }

    fn asked_name(&self) -> Option<&Name> {
        self.name()
    }

    fn socket_address(&self) -> Option<SocketAddr> {
        Some(self.address())
    }
}

impl Decide for Bind {
    fn decide(&self, layer: &Layer) -> Verdict {
        layer.decide(Verb::Bind, &self.endpoint.query())
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        let query = self.endpoint.query();
        layer.explain(Verb::Bind, &query, |verb| self.grant(verb).into())
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind {}", self.endpoint)
    }
}
