//! Binding a socket to an address of this machine. It must not cover
//! listening.

use std::fmt;
use std::net::SocketAddr;

use crate::endpoint::Endpoint;
use crate::layer::Layer;
use crate::request::{Decide, Request, Verdict};
use crate::verb::Verb;
use crate::{Grant, Name, Protocol};

/// A request to bind a socket: POSIX `bind`.
#[derive(Clone, Debug)]
pub struct Bind(Endpoint);

impl Bind {
    /// A request for `address`; port 0 leaves the port to the system.
    pub fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self(Endpoint::new(protocol, address))
    }

    /// The same, where the guest asked for `name` and it led to this address.
    pub fn named(mut self, name: Name) -> Self {
        self.0.name = Some(name);
        self
    }

    /// The transport protocol.
    pub fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// The canonical address.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The name that led to the address, if one did.
    pub fn name(&self) -> Option<&Name> {
        self.0.name.as_ref()
    }
}

impl Request for Bind {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.0.grant(Verb::Bind).into())
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
        self.0.decide(layer, Verb::Bind)
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind {}", self.0)
    }
}
