//! What the examples that speak a protocol share: the grammar that several
//! protocols have in common, over any stream.
//!
//! Nothing here opens a socket; that is for the programs.

mod line_stream;
mod reply;

pub mod http;

pub use line_stream::LineStream;
pub use reply::Reply;
