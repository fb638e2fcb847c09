//! Who watches `portcullis serve`: metrics, the access log, and standard error,
//! of real processes with real peers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod access_log;
mod complaints;
mod counting;
mod endpoint;
mod figures;
mod guests;
mod http;
mod server;
