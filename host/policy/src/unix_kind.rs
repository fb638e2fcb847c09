//! The kinds of unix sockets, as the grammar tells them apart. It must not say
//! what a kind is allowed to do.

use std::fmt;

/// A kind of unix socket, as grants write it before the path.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UnixKind {
    /// `unix:`: connected sockets, `SOCK_STREAM` and `SOCK_SEQPACKET`.
    Stream,
    /// `unixgram:`: `SOCK_DGRAM`.
    Datagram,
}

impl UnixKind {
    pub(crate) const KEYWORDS: [&str; 2] = ["unix", "unixgram"];

    pub(crate) fn from_keyword(word: &str) -> Option<Self> {
        match word {
            "unix" => Some(Self::Stream),
            "unixgram" => Some(Self::Datagram),
            _ => None,
        }
    }
}

impl fmt::Display for UnixKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "unix",
            Self::Datagram => "unixgram",
        })
    }
}
