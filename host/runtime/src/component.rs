//! Components as files: read, compiled, and linked with all that a guest may
//! import. What they export is for others to look at.

use std::path::{Path, PathBuf};
use std::{fs, io};

use wasmtime::component::{Component, InstancePre, Linker};

use crate::engine::Engine;
use crate::linker::add_to_linker;
use crate::state::State;

/// Why a file is not a component that can be run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct LoadError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    #[error(
        "is a core module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    #[error("does not compile: {0:#}")]
    DoesNotCompile(wasmtime::Error),
    #[error(
        "exports neither `portcullis:sockets/stream-handler` nor `datagram-handler`, so it is not a handler; `portcullis run` runs programs"
    )]
    NoHandler,
    #[error(
        "does not export `wasi:cli/run`, so it is not a program; build it as a binary, not as a library"
    )]
    NoMain,
    #[error("is not WebAssembly")]
    NotWasm,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("imports what this host does not have: {0:#}")]
    UnknownImport(wasmtime::Error),
}

/// Reads, compiles and links the component in a file, and has `find` look for
/// what it exports.
pub(crate) fn load<T>(
    engine: &Engine,
    path: &Path,
    find: impl FnOnce(InstancePre<State>) -> Result<T, Reason>,
) -> Result<T, LoadError> {
    let found = link(engine, path).and_then(find);
    found.map_err(|reason| LoadError {
        path: path.to_owned(),
        reason,
    })
}

fn link(engine: &Engine, path: &Path) -> Result<InstancePre<State>, Reason> {
    let bytes = fs::read(path).map_err(Reason::Unreadable)?;
    match bytes.get(..8) {
        // The binary format's layer, after its magic and version: see
        // Binary.md of the component model.
        Some([b'\0', b'a', b's', b'm', _, _, 1, 0]) => {}
        Some([b'\0', b'a', b's', b'm', ..]) => return Err(Reason::CoreModule),
        _ => return Err(Reason::NotWasm),
    }
    let engine = engine.as_wasmtime();
    let component = Component::new(engine, &bytes).map_err(Reason::DoesNotCompile)?;
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(Reason::UnknownImport)?;
    add_to_linker(&mut linker).map_err(Reason::UnknownImport)?;
    let linked = linker.instantiate_pre(&component);
    linked.map_err(Reason::UnknownImport)
}
