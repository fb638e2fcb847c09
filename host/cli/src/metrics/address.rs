//! Where metrics are to be had, and what keeps guests from there.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use portcullis::{SocketAddress, UnixAddress};

/// `127.0.0.1:9100`, `[::1]:9100` or `unix:/run/portcullis/metrics.sock`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum MetricsAddress {
    /// An address of this machine.
    Inet(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl MetricsAddress {
    /// The path, if it is a unix socket.
    pub(crate) fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Inet(_) => None,
            Self::Unix(path) => Some(path),
        }
    }

    /// What is denied to guests so that none reaches it, once it is bound.
    ///
    /// What is bound to loopback is reached from loopback alone. Other addresses
    /// may have more names than this machine knows, as where a router translates
    /// them: so it is the port that is denied, wherever it is.
    pub(super) fn denies(&self) -> Vec<String> {
        match self {
            Self::Inet(address) => {
                let port = address.port();
                let host = match address.ip().to_canonical().is_loopback() {
                    true => "loopback",
                    false => "*",
                };
                vec![
                    format!("connect tcp://{host}:{port}"),
                    format!("listen tcp://*:{port}"),
                    format!("bind tcp://*:{port}"),
                ]
            }
            Self::Unix(path) => {
                let mut paths = vec![path.clone()];
                // As it is without links, which is what is compared as well.
                paths.extend(fs::canonicalize(path).ok());
                paths.dedup();
                let names = paths.iter().map(|path| unix(path));
                let denies = names.flat_map(|name| {
                    ["connect", "listen", "bind"].map(|verb| format!("{verb} {name}"))
                });
                denies.collect()
            }
        }
    }
}

/// A path as grants write it.
fn unix(path: &Path) -> SocketAddress {
    SocketAddress::Unix(UnixAddress::Path(path.as_os_str().as_bytes().into()))
}

impl FromStr for MetricsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err("the path of the socket is to begin with `/`".to_owned()),
            };
        }
        let address = text.parse().map_err(|_| {
            "give an address and a port, as in `127.0.0.1:9100`, or `unix:` and a path".to_owned()
        });
        address.map(Self::Inet)
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => unix(path).fmt(f),
        }
    }
}
