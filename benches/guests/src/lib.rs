//! The echo of the benchmark in a sandbox: what all of them are told.
//!
//! They do what the native one does, and print nothing: the examples say a line
//! for each visitor, which would be measured as well.

use std::env;
use std::io;
use std::net::SocketAddrV4;

use wasip2::sockets::network::{ErrorCode, IpSocketAddress, Ipv4SocketAddress};

/// Where to listen, and how many bytes to take at once: the two arguments.
///
/// # Errors
///
/// `InvalidInput` where they are not there.
pub fn arguments() -> io::Result<(String, usize)> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next();
    let buffer = arguments.next().and_then(|buffer| buffer.parse().ok());
    address.zip(buffer).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "give an address and the size of the buffer",
        )
    })
}

/// An address as the sockets of WASI 0.2 have it.
pub fn ipv4(address: SocketAddrV4) -> IpSocketAddress {
    IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: address.port(),
        address: address.ip().octets().into(),
    })
}

/// An error of theirs as one of std.
pub fn wasi_error(code: ErrorCode) -> io::Error {
    io::Error::other(code.name())
}
