//! Listening on an address of this machine. It must not decide about peers:
//! `accept` does.

use std::fmt;
use std::iter;
use std::net::{Ipv4Addr, SocketAddr};

use crate::endpoint::Endpoint;
use crate::host_pattern::HostPattern;
use crate::layer::Layer;
use crate::name_pattern::NamePattern;
use crate::request::{Decide, Explanation, Refusal, Remedy, Request, Verdict};
use crate::socket_grant::SocketGrant;
use crate::verb::Verb;
use crate::{Grant, Name, Protocol, Reason};

/// A request to listen, or to receive datagrams: POSIX `bind` and `listen`.
#[derive(Clone, Debug)]
pub struct Listen {
    endpoint: Endpoint,
    /// The IPv4 side of a dual-stack socket.
    second: Option<Endpoint>,
}

impl Listen {
    /// A request for `address`; port 0 leaves the port to the system. With
    /// `dual_stack`, a socket on `[::]` hears IPv4 as well (`IPV6_V6ONLY` off,
    /// RFC 3493 section 5.3); on other addresses that means nothing.
    pub fn new(protocol: Protocol, address: SocketAddr, dual_stack: bool) -> Self {
        let endpoint = Endpoint::new(protocol, address);
        let ip = endpoint.address().ip();
        let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        let second = (dual_stack && ip.is_ipv6() && ip.is_unspecified())
            .then(|| Endpoint::new(protocol, v4));
        Self { endpoint, second }
    }

    /// The same, where the guest asked for `name` and it led to this address.
    pub fn named(mut self, name: Name) -> Self {
        self.second = self.second.map(|second| second.named(name.clone()));
        self.endpoint = self.endpoint.named(name);
        self
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

    /// Whether it hears IPv4 as well as IPv6.
    pub fn is_dual_stack(&self) -> bool {
        self.second.is_some()
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The side of the socket that hears a peer at `address`.
    pub(crate) fn facing(&self, peer: SocketAddr) -> &Endpoint {
        match &self.second {
            Some(v4) if peer.is_ipv4() => v4,
            Some(_) | None => &self.endpoint,
        }
    }

    /// The grant for a socket of which nothing is granted yet.
    fn remedy(&self) -> SocketGrant {
        let grant = self.endpoint.grant(Verb::Listen);
        match self.second {
            Some(_) => SocketGrant {
                host: HostPattern::Names(NamePattern::Any),
                ..grant
            },
            None => grant,
        }
    }
}

impl Request for Listen {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.remedy().into())
    }

    fn asked_name(&self) -> Option<&Name> {
        self.name()
    }

    fn socket_address(&self) -> Option<SocketAddr> {
        Some(self.address())
    }
}

impl Decide for Listen {
    fn decide(&self, layer: &Layer) -> Verdict {
        let sides = iter::once(&self.endpoint).chain(&self.second);
        let mut denies = sides.filter_map(|side| layer.denial(Verb::Listen, &side.query()));
        if let Some(deny) = denies.next() {
            return Err(Refusal::Denied(deny));
        }
        let granted = |side: &Endpoint| layer.grant(Verb::Listen, &side.query());
        match (granted(&self.endpoint), self.second.as_ref().map(granted)) {
            (Some(grant), None | Some(Some(_))) => Ok(Some(grant)),
            (Some(_), Some(None)) | (None, _) => Err(Refusal::Silent),
        }
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        let granted = |side: &Endpoint| {
            let place = layer.grant(Verb::Listen, &side.query())?;
            layer.allow.at(place)
        };
        let second = self.second.as_ref().map(|side| (side, granted(side)));
        match (granted(&self.endpoint), second) {
            (Some(grant), Some((side, None))) => half(grant, side),
            (None, Some((_, Some(grant)))) => half(grant, &self.endpoint),
            (Some(_) | None, _) => Explanation {
                reason: layer.silence(Verb::Listen, &self.endpoint.query()),
                remedy: self.narrowest().map(Remedy::from),
            },
        }
    }
}

fn half(grant: &Grant, missing: &Endpoint) -> Explanation {
    Explanation {
        reason: Reason::HalfGranted {
            grant: grant.clone(),
            missing: missing.address().ip(),
        },
        remedy: Some(missing.grant(Verb::Listen).into()),
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listen {}", self.endpoint)
    }
}
