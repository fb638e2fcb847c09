//! Where sockets are: families, types, addresses and endpoints.
//!
//! Plain values. Nothing here looks anything up or decides anything.

use std::fmt;
use std::net::SocketAddr;

use portcullis_policy::UnixName;

/// The families of which sockets can be opened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Family {
    /// `AF_INET`
    Inet,
    /// `AF_INET6`
    Inet6,
    /// `AF_UNIX`
    Unix,
}

/// The `SOCK_` constants of POSIX, and Linux's `SOCK_RDM`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SocketType {
    /// `SOCK_DGRAM`
    Datagram,
    /// `SOCK_RAW`
    Raw,
    /// `SOCK_RDM`
    ReliableMessage,
    /// `SOCK_SEQPACKET`
    Seqpacket,
    /// `SOCK_STREAM`
    Stream,
}

/// The address of one socket: `struct sockaddr`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum SocketAddress {
    /// `struct sockaddr_in` or `struct sockaddr_in6`
    Inet(SocketAddr),
    /// `struct sockaddr_un`
    Unix(UnixAddress),
}

impl SocketAddress {
    pub(crate) const UNNAMED: Self = Self::Unix(UnixAddress::Unnamed);

    /// Whether a socket there has been put there.
    pub(crate) fn is_somewhere(&self) -> bool {
        match self {
            Self::Inet(address) => address.port() != 0,
            Self::Unix(name) => *name != UnixAddress::Unnamed,
        }
    }
}

/// `struct sockaddr_un`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum UnixAddress {
    /// A name of Linux's abstract namespace, without the leading NUL.
    Abstract(Vec<u8>),
    /// A path, without the closing NUL.
    Path(Vec<u8>),
    /// A socket that has not been bound.
    Unnamed,
}

/// As in a policy: `127.0.0.1:80`, `unix:/run/app.sock`, `unix:@app`; `unix:`
/// where it has no name. Whatever a terminal would act on is escaped.
impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = match self {
            Self::Inet(address) => return address.fmt(f),
            Self::Unix(UnixAddress::Unnamed) => return f.write_str("unix:"),
            Self::Unix(UnixAddress::Abstract(name)) => (UnixName::abstract_name(name), name),
            Self::Unix(UnixAddress::Path(path)) => (UnixName::path(path), path),
        };
        match name {
            Ok(name) => write!(f, "unix:{name}"),
            // One that no policy can name, as a path that is not absolute.
            Err(_) => write!(f, "unix:{}", bytes.escape_ascii()),
        }
    }
}

/// A port, or the service whose port it is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Service {
    /// The name of a service, such as `http`.
    Name(String),
    /// The number of a port.
    Port(u16),
}

/// Where to bind or connect: an address, or a name with a port.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Endpoint {
    /// An address.
    Address(SocketAddress),
    /// A host, as a name or an address in text, and a port.
    Name {
        /// The host; empty for every address of this machine.
        host: String,
        /// The port.
        port: Service,
    },
}
