//! Asynchronous programs: many connections in one guest.
//!
//! A component has one thread. [`block_on`] runs a future on it, and next to it
//! the tasks that were [`spawn`]ed; where none can go on, it waits with one
//! [`Poller`](crate::Poller) for the sockets of all, for timers and for standard
//! input.
//!
//! [`Async`] makes an asynchronous socket of a blocking one, in the manner of the
//! `async-io` crate. Streams are [`futures_io::AsyncRead`] and
//! [`futures_io::AsyncWrite`], so that crates written against these run on them.
//!
//! ```no_run
//! use std::io;
//!
//! use futures_lite::io::copy;
//! use portcullis_guest::TcpListener;
//! use portcullis_guest::task::{Async, block_on, spawn};
//!
//! fn main() -> io::Result<()> {
//!     block_on(async {
//!         let listener = Async::<TcpListener>::bind("127.0.0.1:12345")?;
//!         loop {
//!             let (connection, peer) = listener.accept().await?;
//!             spawn(async move {
//!                 if let Err(error) = copy(&connection, &connection).await {
//!                     println!("lost {peer}: {error}");
//!                 }
//!             });
//!         }
//!     })
//! }
//! ```
//!
//! A host that looks up a name does so while the guest waits: binding, connecting
//! or sending to a name holds up the other tasks. Addresses do not.

mod asynchronous;
mod executor;
mod input;
mod queue;
mod reactor;
mod rivals;
mod sources;
mod tcp;
mod time;
mod timers;
mod udp;
mod unix;

pub use asynchronous::Async;
pub use executor::{JoinHandle, block_on, spawn, yield_now};
pub use input::{Input, wait_for};
pub(crate) use rivals::Rivals;
pub use time::{Elapsed, Sleep, sleep, sleep_until, timeout};
