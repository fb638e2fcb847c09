//! The transport protocols of the grammar. It must not say what a protocol is
//! allowed to do.

use std::fmt;

/// A transport protocol, as grants write it before `://`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Protocol {
    /// TCP (RFC 9293): stream sockets.
    Tcp,
    /// UDP (RFC 768): datagram sockets.
    Udp,
}

impl Protocol {
    pub(crate) const KEYWORDS: [&str; 2] = ["tcp", "udp"];

    pub(crate) fn from_keyword(word: &str) -> Option<Self> {
        match word {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}
