//! Real OS sockets for [Portcullis], each call of which that could reach the
//! network consumes a permit.
//!
//! This crate does not decide: `portcullis-policy` does, and is the only maker
//! of permits. It knows nothing of WebAssembly; `portcullis` puts it into a
//! wasmtime host. A [`Network`] is the capability, a [`Socket`] is what it
//! opens:
//!
//! ```
//! # use std::io::Write as _;
//! use portcullis_net::{Endpoint, Family, Network, ReceiveOptions, Service, SocketType};
//! use portcullis_policy::Policy;
//!
//! # #[expect(clippy::disallowed_methods, reason = "the peer is not a guest")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let peer = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let port = peer.local_addr()?.port();
//! # let peer = std::thread::spawn(move || peer.accept()?.0.write_all(b"hello"));
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let policy = Policy::builder().allow(&format!("connect tcp://localhost:{port}")).build()?;
//! let network = Network::new(policy);
//! let socket = network.open(Family::Inet, SocketType::Stream, 0)?;
//! let server = Endpoint::Name { host: "localhost".into(), port: Service::Port(port) };
//! socket.connect(&server).await?;
//! let options = ReceiveOptions { wait_all: true, ..ReceiveOptions::default() };
//! assert_eq!(socket.receive(5, options).await?, b"hello");
//!
//! let elsewhere = Endpoint::Name { host: "localhost".into(), port: Service::Port(1) };
//! let denied = network.open(Family::Inet, SocketType::Stream, 0)?.connect(&elsewhere).await;
//! assert_eq!(denied.unwrap_err().message(), "connect tcp://localhost:1 is not granted");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # peer.join().unwrap()?;
//! # Ok(())
//! # }
//! ```
//!
//! [Portcullis]: https://crates.io/crates/portcullis

mod account;
mod address;
mod adopt;
mod aside;
mod ask;
mod audit;
mod batch;
mod begun;
mod correspondents;
mod datagram;
mod dns;
mod doorstep;
mod error;
mod file_calls;
mod guest;
mod hosts_file;
mod inet;
mod intake;
mod life;
mod limits;
mod machine;
mod narrowing;
mod network;
mod options;
mod os;
mod pins;
mod poller;
mod preopen;
mod readiness;
mod ready;
mod record;
mod resolve;
mod resolver;
mod reverse;
pub mod service;
mod sharing;
mod socket;
mod subscription;
mod system;
mod table;
mod transfer;
mod unix;
mod wait;

pub use account::Traffic;
pub use address::{Endpoint, Family, Service, SocketAddress, SocketType, UnixAddress};
pub use adopt::listens_at;
pub use ask::{Ask, Consent};
pub use audit::{
    Accepted, Allowed, Audit, AuditFailure, Closed, Connected, Denied, Event, Limited, LookedUp,
    Opened, Refused, ReverseLookedUp, Silent,
};
pub use datagram::Datagram;
pub use dns::DnsResolver;
pub use error::{Error, ErrorCode};
pub use limits::descriptors::usable_descriptors;
pub use limits::{Charge, Memory};
pub use network::Network;
pub use os::asked::Asked;
pub use poller::{PollEvent, Poller};
pub use preopen::PreopenError;
pub use ready::Ready;
pub use resolve::{AddressInfo, ResolveHints};
pub use resolver::{Answer, Families, Pending, Resolver};
pub use reverse::ReverseOptions;
pub use socket::Socket;
pub use subscription::{PollerSubscription, Subscription};
pub use system::SystemResolver;
pub use table::TableResolver;
pub use transfer::{ReceiveOptions, SendOptions};
