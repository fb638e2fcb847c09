//! Listening on a unix socket, and accepting there. It must not decide about
//! peers: who may open the path may connect.

use std::fmt;

use crate::layer::Layer;
use crate::request::{Decide, Explanation, Request, Verdict};
use crate::unix_endpoint::UnixEndpoint;
use crate::verb::Verb;
use crate::{Grant, UnixKind, UnixName};

/// A request to listen on a unix socket and to accept connections there, or to
/// receive datagrams: POSIX `bind`, `listen` and `accept`.
#[derive(Clone, Debug)]
pub struct ListenUnix(UnixEndpoint);

impl ListenUnix {
    /// A request for `name`, which may be left to the system.
    pub fn new(kind: UnixKind, name: UnixName) -> Self {
        Self(UnixEndpoint { kind, name })
    }

    /// The kind of socket.
    pub fn kind(&self) -> UnixKind {
        self.0.kind
    }

    /// The canonical name.
    pub fn name(&self) -> &UnixName {
        &self.0.name
    }
}

impl Request for ListenUnix {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.0.grant(Verb::Listen).into())
    }
}

impl Decide for ListenUnix {
    fn decide(&self, layer: &Layer) -> Verdict {
        self.0.decide(layer, Verb::Listen)
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        self.0.explain(layer, Verb::Listen)
    }
}

impl fmt::Display for ListenUnix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listen {}", self.0)
    }
}
