//! Joining a multicast group. It must not cover receiving: that takes a grant
//! to listen.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::endpoint::Endpoint;
use crate::layer::Layer;
use crate::request::{Decide, Explanation, Refusal, Request, Verdict};
use crate::verb::Verb;
use crate::{Grant, Protocol, Reason};

/// A request for membership in a multicast group: `IP_ADD_MEMBERSHIP`, and
/// `IPV6_JOIN_GROUP` (RFC 3493, section 5.2).
#[derive(Clone, Debug)]
pub struct Join(Endpoint);

impl Join {
    /// A request to join `group` with a socket bound to `port`, 0 if it is not
    /// bound. An address that is not multicast is denied whatever is granted.
    pub fn new(group: IpAddr, port: u16) -> Self {
        Self(Endpoint::new(Protocol::Udp, SocketAddr::new(group, port)))
    }

    /// The canonical address of the group.
    pub fn group(&self) -> IpAddr {
        self.0.address().ip()
    }

    /// The port that the socket is bound to, 0 if none.
    pub fn port(&self) -> u16 {
        self.0.address().port()
    }
}

impl Request for Join {
    fn narrowest(&self) -> Option<Grant> {
        let is_multicast = self.group().is_multicast();
        is_multicast.then(|| self.0.grant(Verb::Join).into())
    }
}

impl Decide for Join {
    fn decide(&self, layer: &Layer) -> Verdict {
        if self.group().is_multicast() {
            self.0.decide(layer, Verb::Join)
        } else {
            Err(Refusal::Silent)
        }
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        let address = self.group();
        if address.is_multicast() {
            self.0.explain(layer, Verb::Join)
        } else {
            Explanation {
                reason: Reason::NotMulticast { address },
                remedy: None,
            }
        }
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "join {}", self.0)
    }
}
