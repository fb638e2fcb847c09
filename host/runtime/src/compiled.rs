//! Compiled code as a file: a component that need not be compiled any more. What
//! is in such a file is run as it is, so it must not be taken from anybody who is
//! not trusted.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use rustix::process::geteuid;
use wasmtime::component::Component;

use crate::component::Reason;
use crate::engine::Engine;

/// What the name of such a file ends in. What else is in a file is never taken
/// for compiled code.
pub(crate) const EXTENSION: &str = "cwasm";

/// The permissions of those who are neither the owner nor root to write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

impl Engine {
    /// Compiles a component to the bytes of a `.cwasm` file, for this version of
    /// the host and this kind of processor. [`Program::load`](crate::Program) and
    /// [`Handler::load`](crate::Handler) take such a file in place of the component,
    /// if nobody but its owner, who is this user or root, can write to it.
    ///
    /// # Errors
    ///
    /// Where the bytes are no component.
    pub fn compile(&self, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
        self.as_wasmtime().precompile_component(component)
    }
}

/// Reads compiled code that this host made, from somebody whom it trusts.
pub(crate) fn read(engine: &Engine, file: &mut File) -> Result<Component, Reason> {
    let about = file.metadata().map_err(Reason::Unreadable)?;
    let owned = about.uid() == geteuid().as_raw() || about.uid() == 0;
    if !owned || about.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(Reason::Untrusted);
    }
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    read.map_err(Reason::Unreadable)?;
    deserialize(engine, &bytes).map_err(Reason::Foreign)
}

#[expect(
    unsafe_code,
    reason = "wasmtime runs what it is given as it is; whose it is was checked"
)]
fn deserialize(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: nobody can have written to the file but its owner, who is trusted to
    // have put there what `Engine::compile` made of a component. That it is of this
    // version, for these settings and this processor is checked by wasmtime.
    unsafe { Component::deserialize(engine.as_wasmtime(), bytes) }
}
