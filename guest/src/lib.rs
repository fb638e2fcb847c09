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
//! Programs are built with `cargo build --target wasm32-wasip2` and run with
//! `portcullis run`. The crate builds for other targets too, so that what uses
//! it can be checked and tested there; opening a socket panics.
//!
//! A handler leaves listening and accepting to the host, which runs it in a sandbox
//! of its own for each connection: a library with a function, and a line that
//! exports it. `portcullis serve` runs it, and [`handler`] says more.
//!
//! ```
//! use std::io::{self, Write};
//!
//! use portcullis_guest::{SockAddr, TcpStream, stream_handler};
//!
//! stream_handler!(greet);
//!
//! fn greet(mut connection: TcpStream, peer: SockAddr) -> io::Result<()> {
//!     println!("Got connection from {peer}");
//!     connection.write_all(b"Thank you for connecting\n")
//! }
//! # fn main() {}
//! ```
//!
//! What differs from [`std::net`]:
//!
//! - an operation that the policy does not allow fails with
//!   [`std::io::ErrorKind::PermissionDenied`];
//! - addresses are [`ToEndpoint`] rather than
//!   [`std::net::ToSocketAddrs`]: names travel to the host as names, which
//!   resolves, checks and connects in one step;
//! - ports may be the names of services, as in `"example.com:http"`;
//! - each constructor has a twin that ends in `_in` and takes a [`Network`], so
//!   that code can be handed less than the whole program may do.
//!
//! What there is, after the crates whose manner it has:
//!
//! | as in | here |
//! |---|---|
//! | `std::net` | [`TcpListener`], [`TcpStream`], [`UdpSocket`] |
//! | `std::os::unix::net` | [`UnixListener`], [`UnixStream`], [`UnixDatagram`], [`UnixAddr`] |
//! | `socket2` | [`Socket`] of any family and type with every option, [`SockAddr`], [`TcpKeepalive`] |
//! | Python's `create_connection` and `create_server` | [`SocketBuilder`] |
//! | `polling` | [`Poller`], for many sockets in one blocking program |
//! | `async-io` and `async-executor` | [`task`], for many connections in one guest |
//! | systemd's `sd_listen_fds` | [`preopened`]: sockets that the host opened |
//! | `inetd`, Python's `socketserver` | [`handler`]: a function for each connection or datagram |
//!
//! The others are made of [`Socket`], and made from one with `From`; [`Network`] is
//! the capability that opens it. [`error_code`] tells errors apart where
//! [`std::io::ErrorKind`] does not.

mod address;
mod bindings;
mod builder;
mod datagram;
mod endpoint;
mod error;
pub mod handler;
mod lookup;
mod network;
mod poller;
mod preopens;
mod shape;
mod socket;
mod socket_endpoint;
pub mod task;
mod tcp;
mod udp;
mod unix;

pub use address::SockAddr;
pub use builder::SocketBuilder;
pub use datagram::Datagram;
pub use endpoint::{Endpoint, ToEndpoint};
pub use error::{ErrorCode, error_code};
pub use lookup::{
    AddressInfo, HostEntry, LookupOptions, ReverseFlags, canonical_name, fully_qualified_name,
    host_by_address, host_by_name, lookup, protocol_number, reverse_lookup, reverse_lookup_with,
    service_name, service_port,
};
pub use network::Network;
pub use poller::{Event, Events, Poller};
pub use preopens::{preopened, preopens};
pub use raw::socket::{ReceiveFlags, SendFlags};
pub use socket::{Family, Socket, SocketType, TcpKeepalive};
pub use socket_endpoint::ToSocketEndpoint;
pub use tcp::{Incoming, TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixAddr, UnixDatagram, UnixIncoming, UnixListener, UnixStream};

/// The contract itself, function by function, for what has no better shape
/// here yet. See the WIT package `portcullis:sockets`.
pub mod raw {
    pub use crate::bindings::portcullis::sockets::{network, poll, preopens, socket, types};
    /// `wasi:io/poll`, of which [`poll`] is the one for sockets. It is that of the
    /// `wasip2` crate, so that what is subscribed to here goes into one list with
    /// what is subscribed to there.
    pub use wasip2::io::poll as wasi_poll;
}
