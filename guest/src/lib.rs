//! Sockets for programs that run in a WebAssembly sandbox, in the shape of
//! [`std::net`].
//!
//! A component has no network of its own. The host gives it one, within a
//! policy; this crate turns it into the types that Rust programs know:
//!
//! ```no_run
//! use std::io::Write;
//!
//! use portcullis_guest::TcpListener;
//!
//! fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:12345")?;
//!     loop {
//!         let (mut connection, peer) = listener.accept()?;
//!         println!("Got connection from {peer}");
//!         connection.write_all(b"Thank you for connecting\n")?;
//!     }
//! }
//! ```
//!
//! What differs from [`std::net`]:
//!
//! - an operation that the policy does not allow fails with
//!   [`std::io::ErrorKind::PermissionDenied`];
//! - addresses are [`ToEndpoint`] rather than
//!   [`std::net::ToSocketAddrs`]: names travel to the host as names, which
//!   resolves, checks and connects in one step;
//! - ports may be the names of services, as in `"example.com:http"`.
//!
//! [`TcpStream`] and [`TcpListener`] are made of [`Socket`], the BSD socket with
//! every option; [`Network`] is the capability that opens it. [`error_code`]
//! tells errors apart where [`std::io::ErrorKind`] does not.

mod address;
mod bindings;
mod endpoint;
mod error;
mod lookup;
mod network;
mod socket;
mod tcp;

pub use endpoint::{Endpoint, ToEndpoint};
pub use error::{ErrorCode, error_code};
pub use lookup::{
    AddressInfo, HostEntry, LookupOptions, ReverseFlags, canonical_name, fully_qualified_name,
    host_by_address, host_by_name, lookup, protocol_number, reverse_lookup, reverse_lookup_with,
    service_name, service_port,
};
pub use network::Network;
pub use socket::{Family, Socket, SocketType};
pub use tcp::{Incoming, TcpListener, TcpStream};

/// The contract itself, function by function, for what has no better shape
/// here yet. See the WIT package `portcullis:sockets`.
pub mod raw {
    pub use crate::bindings::portcullis::sockets::{network, socket, types};
    pub use crate::bindings::wasi::io::poll;
}
