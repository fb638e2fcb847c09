//! Connecting to a destination, and sending datagrams to one. It must not let
//! a destination stand that the system would take for another.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::endpoint::{Endpoint, Query};
use crate::layer::Layer;
use crate::request::{Decide, Explanation, Request, Verdict};
use crate::verb::Verb;
use crate::{Canonical, Grant, Name, Protocol, Reason};

/// A request to connect, or to send a datagram: POSIX `connect` and `sendto`.
#[derive(Clone, Debug)]
pub struct Connect(Endpoint);

impl Connect {
    /// A request for `address`. The unspecified address as a destination is
    /// loopback.
    pub fn new(protocol: Protocol, address: SocketAddr) -> Self {
        let mut address = address.into_canonical();
        address.set_ip(destination(address.ip()));
        Self(Endpoint::new(protocol, address))
    }

    /// The same, where the guest asked for `name` and it led to this address.
    pub fn named(self, name: Name) -> Self {
        Self(self.0.named(name))
    }

    /// The request of a guest that asked for the address, to which `name` led once. That
    /// answer has expired and allows nothing; a denial says so.
    pub fn formerly(self, name: Name) -> Self {
        Self(self.0.formerly(name))
    }

    /// The transport protocol.
    pub fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// The canonical address: the one to connect to.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// The name that led to the address, if one did.
    pub fn name(&self) -> Option<&Name> {
        self.0.name()
    }

    /// That the name which led there once would do, if it would.
    fn expired(&self, layer: &Layer) -> Option<Reason> {
        let name = self.0.former()?;
        let query = Query {
            name: Some(name),
            ..self.0.query()
        };
        let grant = layer.grant(Verb::Connect, &query)?;
        Some(Reason::Expired {
            name: name.clone(),
            address: self.address().ip(),
            grant: layer.allow.at(grant)?.clone(),
        })
    }
}

impl Request for Connect {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.0.grant(Verb::Connect).into())
    }

    fn asked_name(&self) -> Option<&Name> {
        self.name()
    }

    fn socket_address(&self) -> Option<SocketAddr> {
        Some(self.address())
    }
}

impl Decide for Connect {
    fn decide(&self, layer: &Layer) -> Verdict {
        self.0.decide(layer, Verb::Connect)
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        let mut explanation = self.0.explain(layer, Verb::Connect);
        if let Some(reason) = self.expired(layer) {
            explanation.reason = reason;
        }
        explanation
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connect {}", self.0)
    }
}

/// Where a canonical address leads as a destination.
pub(crate) fn destination(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}
