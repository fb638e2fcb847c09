//! The host functions: each finds its resources, calls `net`, and hands back
//! what came of it. Nothing is decided here.

mod convert;
mod network;
mod poll;
mod preopens;
pub(crate) mod sends;
mod socket;

use crate::bindings::portcullis::sockets::types;
use crate::ctx::CtxView;
use crate::failure::Failure;

/// What a host function returns.
type Result<T> = std::result::Result<T, Failure>;

impl types::Host for CtxView<'_> {
    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<types::Error> {
        match failure {
            Failure::Error(error) => Ok(error.into()),
            Failure::Trap(trap) => Err(trap),
        }
    }
}
