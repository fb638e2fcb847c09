//! Accepting a peer on a listener. It must not be asked about the address that
//! a listener got, only about the one it was requested on.

use std::fmt;
use std::net::SocketAddr;

use crate::endpoint::Endpoint;
use crate::layer::Layer;
use crate::range::{Range, Ranges};
use crate::request::{Decide, Explanation, Refusal, Remedy, Request, Verdict};
use crate::socket_grant::SocketGrant;
use crate::verb::Verb;
use crate::{Canonical, Grant, Listen, Name, Reason};

/// A request to accept a peer: POSIX `accept`, or the first datagram from it.
#[derive(Clone, Debug)]
pub struct Accept {
    listener: Listen,
    peer: SocketAddr,
}

impl Accept {
    /// A request to accept `peer` on a listener, as the listener was requested
    /// (its port 0 is kept).
    pub fn new(listener: &Listen, peer: SocketAddr) -> Self {
        Self {
            listener: listener.clone(),
            peer: peer.into_canonical(),
        }
    }

    /// The listener, as it was requested.
    pub fn listener(&self) -> &Listen {
        &self.listener
    }

    /// The canonical address of the peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Where the peer arrives: on a dual-stack listener, an IPv4 peer arrives
    /// at `0.0.0.0`.
    fn endpoint(&self) -> &Endpoint {
        self.listener.facing(self.peer)
    }

    /// The grant to listen there, for this peer alone.
    fn remedy(&self) -> SocketGrant {
        SocketGrant {
            from: Some(Ranges::from(Range::from(self.peer.ip()))),
            ..self.endpoint().grant(Verb::Listen)
        }
    }
}

impl Request for Accept {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.remedy().into())
    }

    fn asked_name(&self) -> Option<&Name> {
        self.listener.name()
    }

    fn socket_address(&self) -> Option<SocketAddr> {
        Some(self.peer)
    }
}

impl Decide for Accept {
    fn decide(&self, layer: &Layer) -> Verdict {
        let (query, peer) = (self.endpoint().query(), self.peer.ip());
        let denies = layer.deny.table(Verb::Listen, query.protocol);
        let grants = layer.allow.table(Verb::Listen, query.protocol);

        if let Some(deny) = denies.find_denying(&query, |deny| deny.rejects(peer)) {
            return Err(Refusal::Denied(deny));
        }
        match grants.find_granting(&query, |grant| grant.admits(peer)) {
            Some(grant) => Ok(Some(grant)),
            None => Err(Refusal::Silent),
        }
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        let (query, peer) = (self.endpoint().query(), self.peer.ip());
        let grants = layer.allow.table(Verb::Listen, query.protocol);
        let grant = grants.find_granting(&query, |_| true);
        let reason = match grant.and_then(|place| layer.allow.at(place)) {
            Some(grant) => Reason::PeerOutside {
                grant: grant.clone(),
                peer,
            },
            None => layer.silence(Verb::Listen, &query),
        };
        Explanation {
            reason,
            remedy: self.narrowest().map(Remedy::from),
        }
    }
}

/// Without the peer's port, which is another for each connection and which no
/// grant can name.
impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer.ip();
        write!(f, "accept {} from {peer}", self.listener.endpoint())
    }
}
