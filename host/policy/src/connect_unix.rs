//! Connecting to a unix socket, and sending datagrams to one. It must not stand
//! for a socket pair, which reaches nobody.

use std::fmt;

use crate::layer::Layer;
use crate::request::{Decide, Explanation, Request, Verdict};
use crate::unix_endpoint::UnixEndpoint;
use crate::verb::Verb;
use crate::{Grant, UnixKind, UnixName};

/// A request to connect to a unix socket, or to send it one datagram: POSIX
/// `connect` and `sendto`.
#[derive(Clone, Debug)]
pub struct ConnectUnix(UnixEndpoint);

impl ConnectUnix {
    /// A request for the socket called `name`.
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

impl Request for ConnectUnix {
    fn narrowest(&self) -> Option<Grant> {
        Some(self.0.grant(Verb::Connect).into())
    }
}

impl Decide for ConnectUnix {
    fn decide(&self, layer: &Layer) -> Verdict {
        self.0.decide(layer, Verb::Connect)
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        self.0.explain(layer, Verb::Connect)
    }
}

impl fmt::Display for ConnectUnix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connect {}", self.0)
    }
}
