//! What the policy decides, as tables and as properties. It must not reach
//! into the crate: everything here goes through the public interface.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bind;
mod broadcast;
mod check;
mod connect;
mod denials;
mod documentation;
mod errors;
mod files;
mod grants;
mod growth;
mod join;
mod layers;
mod learner;
mod limits;
mod listen;
mod lookup;
mod model;
mod names;
mod openings;
mod policies;
mod properties;
mod rendering;
mod reverse;
mod shadow;
mod strategies;
mod unix;
mod unix_names;
