//! Sending to everybody on the local network. It must not cover a datagram:
//! each is a connect request of its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::grant::Kind;
use crate::host_pattern::HostPattern;
use crate::layer::Layer;
use crate::nearest::{Difference, Differences, Nearest};
use crate::ports::Ports;
use crate::request::{Decide, Explanation, Refusal, Remedy, Request, Verdict};
use crate::socket_grant::SocketGrant;
use crate::verb::Verb;
use crate::{Grant, Protocol, Reason};

/// A request to let a socket send broadcasts: `SO_BROADCAST`.
///
/// Allowed under a `connect udp://` grant of addresses that hold
/// 255.255.255.255, on whatever port, unless a deny catches that address on
/// every port. The option lets a socket send to the broadcast address of any
/// network; each datagram still takes a grant for where it goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Broadcast;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

impl Broadcast {
    /// The request; there is only one.
    pub fn new() -> Self {
        Self
    }

    /// The address that must be granted: 255.255.255.255 (RFC 919).
    pub fn address(&self) -> IpAddr {
        ADDRESS
    }

    fn grant(ports: Ports) -> SocketGrant {
        SocketGrant {
            verb: Verb::Connect,
            protocol: Protocol::Udp,
            host: HostPattern::Addresses(ADDRESS.into()),
            ports,
            from: None,
            within: None,
        }
    }

    /// Whatever port is granted does, and nothing can be sent to port 0: where
    /// datagrams go is for their own grants to say.
    fn remedy() -> SocketGrant {
        Self::grant(Ports::from(0))
    }
}

impl Request for Broadcast {
    fn narrowest(&self) -> Option<Grant> {
        Some(Self::remedy().into())
    }
}

impl Decide for Broadcast {
    fn decide(&self, layer: &Layer) -> Verdict {
        let denies = layer.deny.table(Verb::Connect, Protocol::Udp);
        let grants = layer.allow.table(Verb::Connect, Protocol::Udp);
        if let Some(deny) = denies.catching_everywhere(ADDRESS) {
            return Err(Refusal::Denied(deny));
        }
        match grants.covering_somewhere(ADDRESS) {
            Some(grant) => Ok(Some(grant)),
            None => Err(Refusal::Silent),
        }
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        let near = layer.allow.near_host(ADDRESS);
        Explanation {
            reason: Reason::NoGrant {
                nearest: Nearest::among(&layer.allow, near, differences),
            },
            remedy: self.narrowest().map(Remedy::from),
        }
    }
}

fn differences(grant: &Grant) -> Option<Differences> {
    match grant.kind() {
        Kind::Socket(grant) => Differences::few([
            (Difference::Verb, grant.verb == Verb::Connect),
            (Difference::Protocol, grant.protocol == Protocol::Udp),
            (
                Difference::Host,
                grant.has_host(None, Some(&ADDRESS.into())),
            ),
        ]),
        Kind::Resolve(_) | Kind::Unix(_) => None,
    }
}

impl fmt::Display for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::grant(Ports::All).fmt(f)
    }
}
