//! A grant about sockets as requests are held against it. It must not search.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::Group;
use crate::host_pattern::HostPattern;
use crate::place::Place;
use crate::range::Ranges;
use crate::socket_grant::SocketGrant;
use crate::verb::Verb;

/// What nearly all decisions take of a grant. The grant itself lies elsewhere in
/// memory, and fetching it would cost as much as the rest of a decision.
#[derive(Clone, Debug)]
pub(crate) struct SocketRule {
    pub(crate) place: Place,
    /// Where its names may lead whatever else it says; none where it has none.
    home: Option<Group>,
    has_from: bool,
    /// Whether it covers metadata that lies in its addresses: it says so, or they are
    /// no destinations.
    names_metadata: bool,
    pub(crate) grant: Arc<SocketGrant>,
}

impl SocketRule {
    pub(crate) fn new(place: Place, grant: &Arc<SocketGrant>) -> Self {
        let home = match &grant.host {
            HostPattern::Addresses(_) => None,
            HostPattern::Names(names) => Some(names.home()),
        };
        Self {
            place,
            home,
            has_from: grant.from.is_some(),
            names_metadata: match &grant.host {
                HostPattern::Addresses(range) => range.names_metadata(),
                HostPattern::Names(_) => false,
            } || grant.verb != Verb::Connect,
            grant: Arc::clone(grant),
        }
    }

    /// Whether, as an allow, it covers addresses that it was found by, which may be
    /// metadata.
    pub(crate) fn means(&self, is_metadata: bool) -> bool {
        self.names_metadata || !is_metadata
    }

    /// The peers that it is about; all if there are none.
    pub(crate) fn from(&self) -> Option<&Ranges> {
        self.has_from.then_some(self.grant.from.as_ref())?
    }

    /// Whether it lets a listener accept a peer, as an allow.
    pub(crate) fn admits(&self, peer: IpAddr) -> bool {
        self.from().is_none_or(|from| from.span(&peer.into()))
    }

    /// Whether it keeps a listener from accepting a peer, as a deny.
    pub(crate) fn rejects(&self, peer: IpAddr) -> bool {
        self.from().is_none_or(|from| from.catch(peer))
    }

    /// Whether a name of it may lead to all of `network`.
    pub(crate) fn leads_to(&self, network: &IpNet) -> bool {
        self.home
            .is_some_and(|home| self.grant.leads_to(home, network))
    }
}
