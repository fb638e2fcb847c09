//! What came of an operation.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::option::OptionValue;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Outcome {
    /// A socket was made, or a connection taken from there.
    Accepted(Place),
    Address(Place),
    Datagrams(Vec<(Bytes, u64, Place)>),
    Done,
    /// The error's code, as the contract names it, or the OS's own name of an
    /// error that has none there.
    Error(String),
    /// There is no socket to do that with.
    NoSocket,
    /// The error that waited to be reported.
    Pending(Option<String>),
    Ready(bool),
    Received(Bytes),
    Sent(u64),
    Timeout(Option<u64>),
    Value(OptionValue),
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        match self {
            Self::Error(_) | Self::NoSocket => false,
            Self::Accepted(_)
            | Self::Address(_)
            | Self::Datagrams(_)
            | Self::Done
            | Self::Pending(_)
            | Self::Ready(_)
            | Self::Received(_)
            | Self::Sent(_)
            | Self::Timeout(_)
            | Self::Value(_) => true,
        }
    }
}

/// The address of a socket as it was told.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub enum Place {
    Abstract(Vec<u8>),
    Inet(SocketAddr),
    Path(Vec<u8>),
    /// One that depends on the run, under a name that does not.
    Renamed(String),
    Unnamed,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
            Self::Inet(address) => address.fmt(f),
            Self::Path(path) => write!(f, "{}", path.escape_ascii()),
            Self::Renamed(name) => f.write_str(name),
            Self::Unnamed => f.write_str("unnamed"),
        }
    }
}

/// Data, of which the end and the length are shown.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().take(24).collect();
        write!(f, "{} bytes {shown:?}", self.0.len())
    }
}
