//! Binding a unix socket to a name. It must not cover listening.

use std::fmt;

use crate::layer::Layer;
use crate::request::{Decide, Explanation, Request, Verdict};
use crate::unix_endpoint::UnixEndpoint;
use crate::verb::Verb;
use crate::{Grant, UnixKind, UnixName};

/// A request to bind a unix socket: POSIX `bind`.
#[derive(Clone, Debug)]
pub struct BindUnix(UnixEndpoint);

impl BindUnix {
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

impl Request for BindUnix {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.0.grant(Verb::Bind).into())
    }
}

impl Decide for BindUnix {
    fn decide(&self, layer: &Layer) -> Verdict {
        self.0.decide(layer, Verb::Bind)
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        self.0.explain(layer, Verb::Bind)
    }
}

impl fmt::Display for BindUnix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind {}", self.0)
    }
}
