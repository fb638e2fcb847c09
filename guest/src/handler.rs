//! Components without a `main`, which the host runs once for each connection or
//! datagram: `portcullis serve`.
//!
//! A handler is one function in a library, and one line that exports it:
//! [`stream_handler!`](crate::stream_handler) for connections,
//! [`datagram_handler!`](crate::datagram_handler) for datagrams. A library may have
//! one of each.
//!
//! `Cargo.toml` asks for a library that others than Rust can call, and
//! `cargo build --target wasm32-wasip2` makes a component of it:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//! ```
//!
//! The host listens and accepts: a handler needs no grant for its own connection.
//! Whatever else it does takes one, as in any program. Each call finds an instance
//! of its own, with nothing in it of those before, unless the host is told to keep
//! instances.
//!
//! What a program prints goes where the host has it go; what it waits for, it may
//! wait for with [`task`](crate::task) as well.

mod datagram;
mod stream;

pub use datagram::Answers;
pub use stream::Served;

#[doc(hidden)]
pub use crate::bindings::{datagram_server, stream_server};
#[doc(hidden)]
pub use datagram::run as run_datagram;
#[doc(hidden)]
pub use stream::run as run_stream;

use std::fmt;

use crate::address::SockAddr;
use crate::raw::types::{Error, ErrorCode, SocketAddress};

/// The address of a peer in the type that the function takes.
///
/// # Errors
///
/// `not-supported` where the host listens at an address of another family.
fn peer<P>(address: SocketAddress) -> Result<P, Error>
where
    P: TryFrom<SockAddr>,
    P::Error: fmt::Display,
{
    P::try_from(address.into()).map_err(|error| Error {
        code: ErrorCode::NotSupported,
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::unix::UnixAddr;

    #[test]
    fn a_peer_of_a_family_that_the_function_does_not_take_is_not_supported() {
        let unix = SockAddr::from(UnixAddr::unnamed());
        assert_eq!(peer::<SockAddr>(unix.to_contract()), Ok(unix.clone()));
        let error = peer::<SocketAddr>(unix.to_contract()).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotSupported);
        assert_eq!(
            error.message,
            "the address of a unix socket is not an internet address"
        );
    }
}
