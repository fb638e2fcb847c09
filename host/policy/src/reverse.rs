//! Looking the name of an address up. It must not be answered before it is
//! allowed: a query to the DNS tells the outside.

use std::fmt;
use std::net::IpAddr;

use crate::grant::Kind;
use crate::layer::Layer;
use crate::name_pattern::NamePattern;
use crate::nearest::{Difference, Differences, Nearest};
use crate::place::Place;
use crate::request::{Decide, Explanation, Refusal, Remedy, Request, Verdict};
use crate::verb::Verb;
use crate::{Canonical, Grant, Name, Reason};

/// A request to look the name of an address up: POSIX `getnameinfo`.
///
/// Allowed under a `resolve` grant for the name that the DNS keeps it under
/// (`5.0.0.10.in-addr.arpa`), or under any `connect` grant that covers the
/// address, on whatever port. Denied under a `resolve` deny for that name, and
/// if connecting to the address is denied on every port over TCP or over UDP.
#[derive(Clone, Debug)]
pub struct Reverse {
    address: IpAddr,
    name: Name,
}

impl Reverse {
    /// A request for the name of `address`.
    pub fn new(address: IpAddr) -> Self {
        let address = address.into_canonical();
        Self {
            address,
            name: Name::reverse(address),
        }
    }

    /// The canonical address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The name to ask the DNS for: below `in-addr.arpa` (RFC 1035, section
    /// 3.5), or in nibbles below `ip6.arpa` (RFC 3596, section 2.5).
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The deny that forbids it. One for either protocol does, since a lookup
    /// belongs to neither.
    fn denied(&self, layer: &Layer) -> Option<Place> {
        let by_name = layer.deny.resolving(&self.name);
        by_name.or_else(|| {
            let mut denies = layer.deny.connect_tables().into_iter();
            denies.find_map(|table| table.catching_everywhere(self.address))
        })
    }

    fn granted(&self, layer: &Layer) -> Option<Place> {
        let by_name = layer.allow.resolving(&self.name);
        by_name.or_else(|| {
            let mut grants = layer.allow.connect_tables().into_iter();
            grants.find_map(|table| table.covering_somewhere(self.address))
        })
    }

    fn differences(&self, grant: &Grant) -> Option<Differences> {
        match grant.kind() {
            Kind::Socket(grant) => Differences::few([
                (Difference::Verb, grant.verb == Verb::Connect),
                (
                    Difference::Host,
                    grant.has_host(None, Some(&self.address.into())),
                ),
            ]),
            Kind::Resolve(_) | Kind::Unix(_) => None,
        }
    }
}

impl Request for Reverse {
    fn narrowest(&self) -> Option<Grant> {
        Some(NamePattern::Exact(self.name.clone()).into())
    }

    fn nameless(&self) -> Option<IpAddr> {
        Some(self.address)
    }
}

impl Decide for Reverse {
    fn decide(&self, layer: &Layer) -> Verdict {
        if let Some(deny) = self.denied(layer) {
            return Err(Refusal::Denied(deny));
        }
        match self.granted(layer) {
            Some(grant) => Ok(Some(grant)),
            None => Err(Refusal::Silent),
        }
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        let near = layer.allow.near_host(self.address);
        Explanation {
            reason: Reason::NoGrant {
                nearest: Nearest::among(&layer.allow, near, |grant| self.differences(grant)),
            },
            remedy: self.narrowest().map(Remedy::from),
        }
    }
}

impl fmt::Display for Reverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resolve {}", self.name)
    }
}
