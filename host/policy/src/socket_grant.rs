//! Grants about sockets: a verb on an endpoint. It says which addresses and
//! names a grant stands for, and must not search through grants.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::ports::Ports;
use crate::range::{Range, Ranges};
use crate::verb::Verb;
use crate::{Group, Name, Protocol};

/// A parsed grant of `bind`, `connect`, `join` or `listen` on addresses.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct SocketGrant {
    pub(crate) verb: Verb,
    pub(crate) protocol: Protocol,
    pub(crate) host: HostPattern,
    pub(crate) ports: Ports,
    /// The peers that a listener may accept; everyone if there is none.
    pub(crate) from: Option<Ranges>,
    /// Where a name may lead besides its home.
    pub(crate) within: Option<Ranges>,
}

/// Which list a grant stands in. What is vague, an allow reads narrowly and a
/// deny widely.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Allow,
    Deny,
}

impl SocketGrant {
    /// The addresses that the grant stands for whatever their names.
    pub(crate) fn addresses(&self, role: Role) -> Option<Range> {
        match (&self.host, role) {
            (HostPattern::Addresses(range), _) if self.verb.is_local() => Some(heard_on(*range)),
            (HostPattern::Addresses(range), _) => Some(*range),
            (HostPattern::Names(NamePattern::Any), Role::Allow) if !self.verb.is_local() => {
                Some(Range::Group(Group::Public))
            }
            (HostPattern::Names(NamePattern::Any), _) => Some(Range::Group(Group::Any)),
            (HostPattern::Names(names), Role::Deny) if names.home() == Group::Loopback => {
                Some(Range::Group(Group::Loopback))
            }
            (HostPattern::Names(_), _) => None,
        }
    }

    /// The names that the grant stands for.
    pub(crate) fn names(&self, role: Role) -> Option<&NamePattern> {
        match (&self.host, role) {
            (HostPattern::Addresses(_), _) => None,
            (HostPattern::Names(NamePattern::Any), Role::Allow) if self.verb.is_local() => None,
            (HostPattern::Names(names), _) => Some(names),
        }
    }

    /// Whether its names, which have this home, may lead to all of `network`.
    pub(crate) fn leads_to(&self, home: Group, network: &IpNet) -> bool {
        let within = self.within.as_ref();
        match self.verb {
            Verb::Connect => {
                home.covers(network) || within.is_some_and(|ranges| ranges.cover(network))
            }
            Verb::Bind | Verb::Join | Verb::Listen => {
                home.spans(network) || within.is_some_and(|ranges| ranges.span(network))
            }
        }
    }

    /// Whether its host, as an allow, covers the address or the name.
    pub(crate) fn has_host(&self, name: Option<&Name>, reach: Option<&IpNet>) -> bool {
        let by_address = reach
            .zip(self.addresses(Role::Allow))
            .is_some_and(|(reach, range)| match self.verb {
                Verb::Connect => range.covers(reach),
                Verb::Bind | Verb::Join | Verb::Listen => range.spans(reach),
            });
        let by_name = name
            .zip(self.names(Role::Allow))
            .is_some_and(|(name, names)| names.matches(name));
        by_address || by_name
    }
}

impl fmt::Display for SocketGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            protocol,
            host,
            ports,
            from,
            within,
        } = self;
        write!(f, "{verb} {protocol}://{host}:{ports}")?;
        if let Some(peers) = from {
            write!(f, " from {peers}")?;
        }
        if let Some(ranges) = within {
            write!(f, " in {ranges}")?;
        }
        Ok(())
    }
}

/// What a socket bound to `address` hears: all of the family if the address is
/// unspecified.
pub(crate) fn heard_by(address: IpAddr) -> IpNet {
    let length = if address.is_unspecified() {
        0
    } else {
        IpNet::from(address).prefix_len()
    };
    IpNet::new_assert(address, length)
}

fn heard_on(range: Range) -> Range {
    match range {
        Range::Network(net) if net.prefix_len() == net.max_prefix_len() => {
            Range::Network(heard_by(net.addr()))
        }
        Range::Group(_) | Range::Network(_) => range,
    }
}
