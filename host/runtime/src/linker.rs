//! Putting the contract into a linker.

use wasmtime::component::{HasData, Linker};

use crate::bindings::portcullis::sockets::{network, poll, preopens, socket, types};
use crate::ctx::{CtxView, View};
use crate::host::sends;

/// Marks [`CtxView`] as what the host functions are given.
struct HasPortcullis;

impl HasData for HasPortcullis {
    type Data<'a> = CtxView<'a>;
}

/// Adds `portcullis:sockets` to a linker, next to whatever else is in it.
///
/// A pollable comes from `wasi:io`, so wasmtime-wasi's interfaces, or at least
/// its `io`, belong into the same linker.
///
/// # Errors
///
/// Where the linker has one of the interfaces already.
pub fn add_to_linker<T: View + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    types::add_to_linker::<T, HasPortcullis>(linker, View::portcullis)?;
    socket::add_to_linker::<T, HasPortcullis>(linker, View::portcullis)?;
    sends::add_to_linker(linker)?;
    network::add_to_linker::<T, HasPortcullis>(linker, View::portcullis)?;
    poll::add_to_linker::<T, HasPortcullis>(linker, View::portcullis)?;
    preopens::add_to_linker::<T, HasPortcullis>(linker, View::portcullis)
}
