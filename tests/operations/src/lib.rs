//! What the differential test has done to sockets, once by a guest and once
//! natively: operations, and what comes of them, as both sides write them down; and
//! the longer list of what the liveness fuzz has a guest do.
//!
//! Plain values with a form on the wire; who executes them is elsewhere.

#![expect(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod operation;
mod option;
mod outcome;
mod step;

pub use operation::{
    Address, Data, Family, How, Kind, Operation, Port, ReceiveFlags, SendFlags, Slot, Wanted,
};
pub use option::{OptionName, OptionValue};
pub use outcome::{Bytes, Outcome, Place};
pub use step::{Held, Interest, Named, Order, Step, Visit};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How long operations wait on a socket that was not told otherwise: without a
/// bound, what never comes would end the test.
pub const PATIENCE_MILLIS: u32 = 12;

/// A sequence, and what it needs to be by itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Case {
    /// The folder of the unix sockets, without a slash at its end.
    pub folder: Vec<u8>,
    /// What abstract names begin with.
    pub prefix: Vec<u8>,
    /// How long to wait after each operation for its effects to settle.
    pub pause_millis: u32,
    pub operations: Vec<Operation>,
}

pub fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).unwrap()
}
