//! The requests of one protocol that two policies do not tell apart. It must not
//! decide about them: the policies do.

use std::collections::BTreeSet;

use crate::diff::items::{Items, Scope};
use crate::diff::names::NameClasses;
use crate::diff::ports::PortClasses;
use crate::diff::tree::Place;
use crate::grant::Kind;
use crate::range::Range;
use crate::socket_grant::{Role, SocketGrant};
use crate::verb::Verb;
use crate::{Accept, AnyRequest, Bind, Connect, Grant, Group, Join, Listen, Name, Protocol};

/// Requests to act on sockets, by the name they are made by (the first is none),
/// by address and by port.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) protocol: Protocol,
    pub(crate) verbs: &'static [Verb],
    pub(crate) names: NameClasses,
    pub(crate) items: Items,
    pub(crate) ports: PortClasses,
    pub(crate) peers: Items,
}

/// What the grants and denies of a space hold.
#[derive(Default)]
struct Parts<'a> {
    names: Vec<&'a crate::name_pattern::NamePattern>,
    ports: Vec<&'a crate::ports::Ports>,
    ranges: BTreeSet<Range>,
    denied: BTreeSet<Range>,
    peers: BTreeSet<Range>,
    denied_peers: BTreeSet<Range>,
}

impl Space {
    pub(crate) fn new<'a>(
        verbs: &'static [Verb],
        protocol: Protocol,
        lines: impl Iterator<Item = (Role, &'a Grant)>,
    ) -> Self {
        let mut parts = Parts::default();
        for (role, line) in lines {
            match line.kind() {
                Kind::Socket(grant)
                    if grant.protocol == protocol && verbs.contains(&grant.verb) =>
                {
                    parts.add(role, grant);
                }
                Kind::Socket(_) | Kind::Resolve(_) | Kind::Unix(_) => {}
            }
        }
        let scope = match verbs {
            [Verb::Connect, ..] => Scope::Destination,
            [Verb::Join, ..] => Scope::Group,
            _ => Scope::Local,
        };
        Self {
            protocol,
            verbs,
            names: NameClasses::new(parts.names),
            items: Items::new(scope, &parts.ranges, &parts.denied),
            ports: PortClasses::new(parts.ports),
            peers: Items::new(Scope::Peer, &parts.peers, &parts.denied_peers),
        }
    }

    /// How many decisions it takes to look at all of it.
    pub(crate) fn size(&self) -> usize {
        let listens = self.verbs.contains(&Verb::Listen);
        let peers = if listens { self.peers.len() } else { 0 };
        [
            self.names.tree.0.len(),
            self.items.len(),
            self.ports.len(),
            self.verbs.len() + peers,
        ]
        .into_iter()
        .fold(1, usize::saturating_mul)
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        let (names, items, ports) = (self.names.tree.0.len(), self.items.len(), self.ports.len());
        (0..names).flat_map(move |name| {
            (0..items).flat_map(move |item| (0..ports).map(move |port| (name, item, port)))
        })
    }

    /// A request at a place, if there is one.
    pub(crate) fn request(&self, verb: Verb, place: Place) -> Option<AnyRequest> {
        let (name, item, port) = place;
        let item = self.items.items.get(item)?;
        let address = (item.address, self.ports.sample(port)).into();
        let name = self.name(name)?;
        Some(match verb {
            Verb::Bind if item.dual => return None,
            Verb::Bind => {
                let bind = Bind::new(self.protocol, address);
                AnyRequest::Bind(match name {
                    Some(name) => bind.named(name),
                    None => bind,
                })
            }
            Verb::Connect => {
                let connect = Connect::new(self.protocol, address);
                AnyRequest::Connect(match name {
                    Some(name) => connect.named(name),
                    None => connect,
                })
            }
            Verb::Join => AnyRequest::Join(Join::new(item.address, address.port())),
            Verb::Listen => AnyRequest::Listen(self.listener(place)?),
        })
    }

    /// A request to accept a peer at a place. What a socket hears that is for both
    /// families, it hears at one of them.
    pub(crate) fn accept(&self, place: Place, peer: usize) -> Option<AnyRequest> {
        let (_, item, _) = place;
        let peer = self.peers.items.get(peer)?.address;
        let listener = self.listener(place)?;
        (!self.items.items.get(item)?.dual)
            .then(|| AnyRequest::Accept(Accept::new(&listener, (peer, 0).into())))
    }

    fn listener(&self, (name, item, port): Place) -> Option<Listen> {
        let item = self.items.items.get(item)?;
        let address = (item.address, self.ports.sample(port)).into();
        let listen = Listen::new(self.protocol, address, item.dual);
        Some(match self.name(name)? {
            Some(name) => listen.named(name),
            None => listen,
        })
    }

    /// The name of requests, if they have one; none where there are none.
    fn name(&self, node: usize) -> Option<Option<Name>> {
        match node {
            0 => Some(None),
            _ => Some(Some(self.names.tree.sample(node)?.clone())),
        }
    }
}

impl<'a> Parts<'a> {
    fn add(&mut self, role: Role, grant: &'a SocketGrant) {
        self.ports.push(&grant.ports);
        let names = grant.names(role);
        self.names.extend(names);
        let addresses = grant.addresses(role);
        self.ranges.extend(addresses);
        self.ranges
            .extend(grant.within.iter().flat_map(|ranges| ranges.iter()));
        self.ranges
            .extend(names.map(|names| Range::Group(names.home())));
        let peers = grant.from.iter().flat_map(|ranges| ranges.iter());
        match role {
            Role::Allow => self.peers.extend(peers),
            Role::Deny => {
                self.denied_peers.extend(peers);
                self.denied.extend(addresses);
            }
        }
        // Whoever hears all of a family is told apart by whether anything is said of
        // the other.
        if grant.verb.is_local() {
            self.ranges.insert(Range::Group(Group::Any));
        }
    }
}
