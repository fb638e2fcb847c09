//! Whether one grant allows all that another was learned from. It must not say
//! so where it cannot be sure: what is granted twice does no harm, what is
//! missing does.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::grant::Kind;
use crate::name_pattern::NamePattern;
use crate::ports::Ports;
use crate::range::{Range, Ranges};
use crate::socket_grant::{Role, SocketGrant};
use crate::unix_grant::UnixGrant;
use crate::unix_name::folders;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::{Grant, Group, Name};

/// Whether `wider` allows whatever `grant` was learned from.
pub(super) fn covers(wider: &Grant, grant: &Grant) -> bool {
    match (wider.kind(), grant.kind()) {
        (Kind::Resolve(wider), Kind::Resolve(names)) => names_cover(wider, names),
        (Kind::Socket(wider), Kind::Resolve(names)) => looks_up(wider, names),
        (Kind::Socket(wider), Kind::Socket(grant)) => sockets_cover(wider, grant),
        (Kind::Unix(wider), Kind::Unix(grant)) => unix_covers(wider, grant),
        (Kind::Resolve(_), Kind::Socket(_) | Kind::Unix(_))
        | (Kind::Socket(_), Kind::Unix(_))
        | (Kind::Unix(_), Kind::Resolve(_) | Kind::Socket(_)) => false,
    }
}

/// Who may connect to a name may look it up.
fn looks_up(wider: &SocketGrant, names: &NamePattern) -> bool {
    let name = match names {
        NamePattern::Exact(name) => name,
        NamePattern::Any | NamePattern::Under(_) => return false,
    };
    wider.verb == Verb::Connect
        && (wider.names(Role::Allow)).is_some_and(|names| names.matches(name))
}

/// Whether a grant allows to look the name of an address up: to connect to the
/// address is enough.
pub(super) fn covers_reverse(wider: &Grant, address: IpAddr) -> bool {
    match wider.kind() {
        Kind::Resolve(names) => names.matches(&Name::reverse(address)),
        Kind::Socket(wider) => {
            wider.verb == Verb::Connect
                && (wider.addresses(Role::Allow)).is_some_and(|range| range.covers(&address.into()))
        }
        Kind::Unix(_) => false,
    }
}

fn sockets_cover(wider: &SocketGrant, grant: &SocketGrant) -> bool {
    let peers = match (&wider.from, &grant.from) {
        // Where nobody came, nobody has to be let in.
        (None, _) | (Some(_), None) => true,
        (Some(wider), Some(peers)) => {
            let lies_in = |range| lies_in(range, wider.iter(), Range::spans);
            peers.iter().all(lies_in)
        }
    };
    grant.verb.covered_by().contains(&wider.verb)
        && wider.protocol == grant.protocol
        && ports_cover(&wider.ports, &grant.ports)
        && peers
        && addresses_cover(wider, grant)
        && host_names_cover(wider, grant)
}

fn ports_cover(wider: &Ports, ports: &Ports) -> bool {
    match (wider, ports) {
        (Ports::All, _) => true,
        (Ports::List(_), Ports::All) => false,
        (Ports::List(wider), Ports::List(ports)) => ports.iter().all(|ports| {
            let holds = |port| wider.iter().position(|item| item.contains(port));
            // Items are merged as far as possible.
            holds(ports.start()).is_some() && holds(ports.start()) == holds(ports.end())
        }),
    }
}

fn addresses_cover(wider: &SocketGrant, grant: &SocketGrant) -> bool {
    match (wider.addresses(Role::Allow), grant.addresses(Role::Allow)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(within), Some(range)) => lies_in(range, [within].into_iter(), reading(wider.verb)),
    }
}

/// Whether the names are covered, and wherever they may lead.
fn host_names_cover(wider: &SocketGrant, grant: &SocketGrant) -> bool {
    match (wider.names(Role::Allow), grant.names(Role::Allow)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(names), Some(narrower)) => {
            names_cover(names, narrower)
                && reach(narrower, &grant.within)
                    .all(|range| lies_in(range, reach(names, &wider.within), reading(wider.verb)))
        }
    }
}

fn reach(names: &NamePattern, within: &Option<Ranges>) -> impl Iterator<Item = Range> {
    let home = Range::Group(names.home());
    std::iter::once(home).chain(within.iter().flat_map(Ranges::iter))
}

fn names_cover(wider: &NamePattern, names: &NamePattern) -> bool {
    match (wider, names) {
        (NamePattern::Any, _) => true,
        (_, NamePattern::Exact(name)) => wider.matches(name),
        (NamePattern::Under(_), NamePattern::Under(parent)) => {
            wider == names || wider.matches(parent)
        }
        (NamePattern::Exact(_), NamePattern::Under(_)) | (_, NamePattern::Any) => false,
    }
}

/// How ranges hold others after a verb.
fn reading(verb: Verb) -> fn(&Range, &IpNet) -> bool {
    match verb {
        Verb::Connect => Range::covers,
        Verb::Bind | Verb::Join | Verb::Listen => Range::spans,
    }
}

/// Whether all of a range lies in one or the other of others.
fn lies_in(
    range: Range,
    mut others: impl Iterator<Item = Range>,
    holds: fn(&Range, &IpNet) -> bool,
) -> bool {
    match range {
        Range::Network(network) => others.any(|other| holds(&other, &network)),
        Range::Group(group) => others.any(|other| match other {
            Range::Group(other) => {
                other == group || other == Group::Any && group != Group::Metadata
            }
            // No network holds both families, as every group does.
            Range::Network(_) => false,
        }),
    }
}

fn unix_covers(wider: &UnixGrant, grant: &UnixGrant) -> bool {
    let names = match (&wider.names, &grant.names) {
        (wider, UnixPattern::Exact(name)) => wider.matches(name),
        (UnixPattern::Under(wider), UnixPattern::In(folder) | UnixPattern::Under(folder)) => {
            wider == folder || folders(folder).any(|above| above == &**wider)
        }
        (wider, names) => wider == names,
    };
    grant.verb.covered_by().contains(&wider.verb) && wider.kind == grant.kind && names
}
