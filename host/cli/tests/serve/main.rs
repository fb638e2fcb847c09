//! `portcullis serve` as an operator sees it: signals, reloading, sockets of others,
//! and handing over.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod audit;
mod drain;
mod folders;
mod launch;
mod output;
mod reload;
mod resources;
mod restart;
mod server;
mod sockets;
mod stuck;
mod systemd;
mod usage;
