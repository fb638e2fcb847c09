//! The one socket that a grant is for. It must not choose where the grant
//! leaves a choice.

use crate::grant::Kind;
use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::range::Range;
use crate::socket_grant::SocketGrant;
use crate::unix_grant::UnixGrant;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::{Grant, Host, Protocol, UnixKind, UnixName};

/// What to do with a socket so that it is what a grant is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opening {
    /// What to do.
    pub act: Act,
    /// Where.
    pub place: Place,
}

/// What is done with a socket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Act {
    /// Bind it.
    Bind,
    /// Connect it.
    Connect,
    /// Bind it and listen.
    Listen,
}

/// Where that is done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// An internet endpoint.
    Inet {
        /// The transport protocol.
        protocol: Protocol,
        /// The host; none for every address of this machine.
        host: Option<Host>,
        /// The port; 0 leaves it to the system.
        port: u16,
    },
    /// A unix socket.
    Unix {
        /// Whether it is one of streams or of datagrams.
        kind: UnixKind,
        /// Its name.
        name: UnixName,
    },
}

impl Grant {
    /// The one socket that the grant is for; none where it is for more than one,
    /// or for no socket at all.
    pub fn opening(&self) -> Option<Opening> {
        match self.kind() {
            Kind::Resolve(_) => None,
            Kind::Socket(grant) => inet(grant),
            Kind::Unix(grant) => unix(grant),
        }
    }
}

fn inet(grant: &SocketGrant) -> Option<Opening> {
    let act = act(grant.verb)?;
    let host = match &grant.host {
        HostPattern::Addresses(Range::Network(network))
            if network.prefix_len() == network.max_prefix_len() =>
        {
            Some(Host::Address(network.addr()))
        }
        HostPattern::Names(NamePattern::Exact(name)) => Some(Host::Name(name.clone())),
        HostPattern::Names(NamePattern::Any) if grant.verb.is_local() => None,
        HostPattern::Addresses(_) | HostPattern::Names(_) => return None,
    };
    let place = Place::Inet {
        protocol: grant.protocol,
        host,
        port: grant.ports.single()?,
    };
    Some(Opening { act, place })
}

fn unix(grant: &UnixGrant) -> Option<Opening> {
    let UnixPattern::Exact(name) = &grant.names else {
        return None;
    };
    let place = Place::Unix {
        kind: grant.kind,
        name: name.clone(),
    };
    Some(Opening {
        act: act(grant.verb)?,
        place,
    })
}

fn act(verb: Verb) -> Option<Act> {
    match verb {
        Verb::Bind => Some(Act::Bind),
        Verb::Connect => Some(Act::Connect),
        Verb::Join => None,
        Verb::Listen => Some(Act::Listen),
    }
}
