//! HTTP/1.1 messages (RFC 9112): heads by `httparse`, bodies in every framing.
//!
//! Connections, routes and redirects are for the programs.

mod body;
mod head;
mod headers;
mod request;
mod response;

pub use body::Body;
pub use headers::Headers;
pub use request::Request;
pub use response::Response;

use std::io;

/// What a peer sent is not HTTP.
fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
