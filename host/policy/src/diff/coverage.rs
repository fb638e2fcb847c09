//! Which requests a change is about. It must not decide anything anew.

use std::net::{Ipv4Addr, SocketAddr};

use crate::diff::Diff;
use crate::diff::change::{Change, Doing, Extent};
use crate::diff::lookups::broadcast_goes_with;
use crate::diff::set::{Set, key};
use crate::diff::space::Space;
use crate::diff::tree::Block;
use crate::embedded::embedded;
use crate::verb::Verb;
use crate::{Accept, AnyRequest, Listen, Name, Protocol, UnixKind, UnixName};

/// What a request is about.
struct Endpoint<'a> {
    protocol: Protocol,
    address: SocketAddr,
    name: Option<&'a Name>,
}

impl Diff {
    /// Whether a request is part of one of the changes, or goes with it: binding
    /// with listening, looking a name up with what it is for, asking for the name of
    /// an address with connecting to it, an IPv6 address with the IPv4 address that
    /// it carries. What goes with a change need not change itself.
    pub fn covers(&self, change: &Change, request: &AnyRequest) -> bool {
        let at = |protocol, address, name| Endpoint {
            protocol,
            address,
            name,
        };
        match request {
            AnyRequest::Accept(accept) => self.covers_accept(change, accept),
            AnyRequest::Bind(bind) => {
                let endpoint = at(bind.protocol(), bind.address(), bind.name());
                self.covers_socket(change, Verb::Bind, &endpoint)
            }
            AnyRequest::BindUnix(bind) => {
                self.covers_unix(change, Verb::Bind, bind.kind(), bind.name())
            }
            AnyRequest::Broadcast(_) => {
                matches!(change.extent, Extent::Broadcast)
                    || broadcast_goes_with(change, &self.spaces)
            }
            AnyRequest::Connect(connect) => {
                let endpoint = at(connect.protocol(), connect.address(), connect.name());
                self.covers_socket(change, Verb::Connect, &endpoint)
            }
            AnyRequest::ConnectUnix(connect) => {
                self.covers_unix(change, Verb::Connect, connect.kind(), connect.name())
            }
            AnyRequest::Join(join) => {
                let endpoint = at(Protocol::Udp, (join.group(), join.port()).into(), None);
                self.covers_socket(change, Verb::Join, &endpoint)
            }
            AnyRequest::Listen(listen) => self.covers_listen(change, listen),
            AnyRequest::ListenUnix(listen) => {
                self.covers_unix(change, Verb::Listen, listen.kind(), listen.name())
            }
            AnyRequest::Lookup(lookup) => match &change.extent {
                Extent::Lookup(block) => self.lookups.holds(block, lookup, &self.spaces),
                Extent::Socket { .. } => self.lookups.goes_with(lookup, change, &self.spaces),
                Extent::Broadcast | Extent::Reverse(_) | Extent::Unix { .. } => false,
            },
            AnyRequest::Reverse(reverse) => match &change.extent {
                Extent::Reverse(items) => {
                    let mut own = self.lookups.items.of(reverse.address()).into_iter();
                    own.any(|item| items.contains(&item))
                }
                Extent::Broadcast
                | Extent::Lookup(_)
                | Extent::Socket { .. }
                | Extent::Unix { .. } => self.lookups.goes_with_reverse(reverse, change),
            },
        }
    }

    fn covers_socket(&self, change: &Change, asked: Verb, endpoint: &Endpoint<'_>) -> bool {
        let Some((space, verb, block, reach)) = self.socket(change) else {
            return false;
        };
        asked.covered_by().contains(&verb)
            && block.value.act
            && holds(space, block, reach, endpoint)
    }

    fn covers_listen(&self, change: &Change, listen: &Listen) -> bool {
        let endpoint = Endpoint {
            protocol: listen.protocol(),
            address: listen.address(),
            name: listen.name(),
        };
        if !listen.is_dual_stack() {
            return self.covers_socket(change, Verb::Listen, &endpoint);
        }
        let v4 = Endpoint {
            address: (Ipv4Addr::UNSPECIFIED, listen.address().port()).into(),
            ..endpoint
        };
        self.covers_socket(change, Verb::Listen, &endpoint)
            || self.covers_socket(change, Verb::Listen, &v4)
            || self.covers_dual(change, &endpoint)
    }

    fn covers_dual(&self, change: &Change, endpoint: &Endpoint<'_>) -> bool {
        let Some((space, Verb::Listen, block, _)) = self.socket(change) else {
            return false;
        };
        let is_there = space
            .items
            .dual()
            .is_some_and(|dual| block.items.contains(&dual));
        is_there && block.value.act && is_about(space, block, endpoint)
    }

    fn covers_accept(&self, change: &Change, accept: &Accept) -> bool {
        let Some((space, Verb::Listen, block, reach)) = self.socket(change) else {
            return false;
        };
        let endpoint = Endpoint {
            protocol: accept.listener().protocol(),
            address: accept.listener().facing(accept.peer()).address(),
            name: accept.listener().name(),
        };
        let peers = space.peers.of(accept.peer().ip());
        let accepted = |peer: &usize| block.value.peers.get(*peer) == Some(&true);
        holds(space, block, reach, &endpoint) && peers.iter().any(accepted)
    }

    fn covers_unix(&self, change: &Change, asked: Verb, kind: UnixKind, name: &UnixName) -> bool {
        let Extent::Unix { space, verb, block } = &change.extent else {
            return false;
        };
        let names = |block: &Block<()>| {
            let space = self.unix.get(*space).filter(|space| space.kind == kind);
            space.is_some_and(|space| block.nodes.contains(&space.paths.of(name)))
        };
        asked.covered_by().contains(verb) && names(block)
    }

    fn socket<'a>(
        &'a self,
        change: &'a Change,
    ) -> Option<(&'a Space, Verb, &'a Block<Doing>, &'a Set)> {
        let Extent::Socket {
            space,
            verb,
            block,
            reach,
            ..
        } = &change.extent
        else {
            return None;
        };
        Some((self.spaces.get(*space)?, *verb, block, reach))
    }
}

/// Whether an endpoint is in a block, or carries an IPv4 address that is.
fn holds(space: &Space, block: &Block<Doing>, reach: &Set, endpoint: &Endpoint<'_>) -> bool {
    let ip = endpoint.address.ip();
    let mut items = space.items.of(ip).into_iter();
    let goes_along = || embedded(ip).any(|v4| reach.holds(key(v4.into())));
    is_about(space, block, endpoint)
        && (items.any(|item| block.items.contains(&item)) || goes_along())
}

fn is_about(space: &Space, block: &Block<Doing>, endpoint: &Endpoint<'_>) -> bool {
    let node = endpoint.name.map_or(0, |name| space.names.of(name));
    let port = space.ports.class_of(endpoint.address.port());
    space.protocol == endpoint.protocol
        && block.nodes.contains(&node)
        && block.ports.contains(&port)
}
