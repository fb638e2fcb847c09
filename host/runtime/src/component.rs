//! Components as files: read, compiled, and linked with all that a guest may
//! import. What they export is for others to look at.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use portcullis_policy::Shown;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::compiled::{self, EXTENSION};
use crate::engine::Engine;
use crate::linker::add_to_linker;
use crate::state::State;

/// Why a file is not a component that can be run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", Shown::line(path.display()))]
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
    #[error("does not compile: {}", causes(.0))]
    DoesNotCompile(wasmtime::Error),
    #[error(
        "is no compiled code of this host; compile the component anew with `portcullis compile`: {}",
        causes(.0)
    )]
    Foreign(wasmtime::Error),
    #[error(
        "exports neither `portcullis:sockets/stream-handler` nor `datagram-handler`, so it is not a handler; `portcullis run` runs programs"
    )]
    NoHandler,
    #[error(
        "does not export `wasi:cli/run`, so it is not a program; build it as a binary, not as a library"
    )]
    NoMain,
    #[error("is a handler, not a program: `portcullis serve` serves it")]
    NoProgram,
    #[error("is not WebAssembly")]
    NotWasm,
    #[error(
        "is made of several programs, of which an instance takes more memories or tables than a place in the pool has; serve it without a pool (`--no-pool`)"
    )]
    NoRoom,
    #[error("is compiled code, which is only taken from a file whose name ends in `.cwasm`")]
    Nameless,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("imports what this host does not have: {}", causes(.0))]
    UnknownImport(wasmtime::Error),
    #[error(
        "is compiled code that others could have written, which is run as it is: it has to belong to this user or to root, and nobody else may write to it (`chmod go-w`)"
    )]
    Untrusted,
}

/// The error with what it came of: in the words of the component.
fn causes(error: &wasmtime::Error) -> Shown {
    Shown::line(format_args!("{error:#}"))
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

/// Whether a component asks for the sockets of WASI itself.
pub(crate) fn imports_wasi_sockets(component: &Component) -> bool {
    let about = component.component_type();
    let mut imports = about.imports(component.engine());
    imports.any(|(name, _)| name.starts_with("wasi:sockets/"))
}

fn read(engine: &Engine, path: &Path) -> Result<Component, Reason> {
    let mut file = File::open(path).map_err(Reason::Unreadable)?;
    if path
        .extension()
        .is_some_and(|extension| extension == EXTENSION)
    {
        return compiled::read(engine, &mut file);
    }
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    read.map_err(Reason::Unreadable)?;
    match bytes.get(..8) {
        // The binary format's layer, after its magic and version: see
        // Binary.md of the component model.
        Some([b'\0', b'a', b's', b'm', _, _, 1, 0]) => {}
        Some([b'\0', b'a', b's', b'm', ..]) => return Err(Reason::CoreModule),
        _ if wasmtime::Engine::detect_precompiled(&bytes).is_some() => {
            return Err(Reason::Nameless);
        }
        _ => return Err(Reason::NotWasm),
    }
    Component::new(engine.as_wasmtime(), &bytes).map_err(Reason::DoesNotCompile)
}

fn link(engine: &Engine, path: &Path) -> Result<InstancePre<State>, Reason> {
    let component = read(engine, path)?;
    if !engine.has_room_for(&component) {
        return Err(Reason::NoRoom);
    }
    let engine = engine.as_wasmtime();
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(Reason::UnknownImport)?;
    add_to_linker(&mut linker).map_err(Reason::UnknownImport)?;
    let linked = linker.instantiate_pre(&component);
    linked.map_err(Reason::UnknownImport)
}
