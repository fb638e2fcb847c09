//! The verbs that act on sockets. `resolve` is not among them: it takes a name
//! and no endpoint. It must not decide anything.

use std::fmt;

/// What a grant lets a guest do with a socket.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Verb {
    Bind,
    Connect,
    Join,
    Listen,
}

impl Verb {
    /// The verbs whose grants cover this one, itself first.
    pub(crate) fn covered_by(self) -> &'static [Self] {
        match self {
            Self::Bind => &[Self::Bind, Self::Listen],
            Self::Connect => &[Self::Connect],
            Self::Join => &[Self::Join],
            Self::Listen => &[Self::Listen],
        }
    }

    /// Whether its host is an address of this machine rather than a
    /// destination.
    pub(crate) fn is_local(self) -> bool {
        match self {
            Self::Bind | Self::Listen => true,
            Self::Connect | Self::Join => false,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bind => "bind",
            Self::Connect => "connect",
            Self::Join => "join",
            Self::Listen => "listen",
        })
    }
}
