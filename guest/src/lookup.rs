//! Names to addresses, for programs that want to see them.

use std::io;
use std::net::SocketAddr;

use crate::address;
use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::from_host;
use crate::raw::network::{ResolveFlags, ResolveHints, default_network};
use crate::raw::types::{AddressFamily, SocketType};

/// The addresses of a TCP endpoint, in the order to try them: POSIX
/// `getaddrinfo`.
///
/// Connecting does not need it: [`crate::TcpStream::connect`] takes names, and
/// the host then resolves, checks and connects in one step. For as long as the
/// answer is valid, the addresses may be connected to under the name's grant.
///
/// # Errors
///
/// `PermissionDenied` without a grant that covers the name; those of the
/// contract's `resolve`.
pub fn lookup(endpoint: impl ToEndpoint) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = match endpoint.to_endpoint()? {
        Endpoint::Address(address) => return Ok(vec![address]),
        Endpoint::Name { host, port } => (host, port),
    };
    let hints = ResolveHints {
        family: AddressFamily::Unspecified,
        socket_type: Some(SocketType::Stream),
        protocol: 0,
        flags: ResolveFlags::empty(),
    };
    let service = crate::raw::types::Service::Name(port);
    let found = default_network().resolve(Some(&host), Some(&service), hints);
    let found = found.map_err(from_host)?;
    found
        .iter()
        .map(|info| address::from_contract(&info.address))
        .collect()
}
