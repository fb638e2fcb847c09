//! A program: a `wasi:cli` command that may import the contract, ready to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use portcullis_net::AuditFailure;
use tracing::{Instrument, debug, info, info_span};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Store, Trap};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use crate::ctx::{Ctx, CtxView, View};
use crate::engine::Engine;
use crate::linker::add_to_linker;

/// A compiled program with all its imports found. Each run is an instance of
/// its own.
#[derive(Clone)]
pub struct Program {
    command: CommandPre<State>,
    /// The file that it was read from, for the operator.
    name: Arc<str>,
}

/// Why a file is not a program that can be run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct LoadError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(
        "is a core module, not a component; build it for wasm32-wasip2, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    #[error("does not compile: {0:#}")]
    DoesNotCompile(wasmtime::Error),
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

/// How a program ended.
#[derive(Debug)]
pub enum Outcome {
    /// It returned, or exited with this code.
    Exit(i32),
    /// It did what a program cannot: a panic, an access out of bounds, a handle
    /// that it was not given.
    Trap(wasmtime::Error),
    /// The host ended it, since what it did could not be recorded.
    Unaudited(AuditFailure),
}

impl Program {
    /// Reads, compiles and links the component in a file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, is not a component, imports what is
    /// neither WASI nor the contract, or has no `main`.
    pub fn load(engine: &Engine, path: &Path) -> Result<Self, LoadError> {
        Self::read(engine, path).map_err(|reason| LoadError {
            path: path.to_owned(),
            reason,
        })
    }

    fn read(engine: &Engine, path: &Path) -> Result<Self, Reason> {
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
        let instance = linker
            .instantiate_pre(&component)
            .map_err(Reason::UnknownImport)?;
        let command = CommandPre::new(instance).map_err(|_| Reason::NoMain)?;
        let name = path.display().to_string().into();
        Ok(Self { command, name })
    }

    /// Runs the program to its end, with `wasi` for everything but the network.
    /// A [`Network`](portcullis_net::Network) will do as a context. Dropping the
    /// future ends it at once.
    ///
    /// # Errors
    ///
    /// Where no instance can be made, for lack of memory say. What the program
    /// itself does wrong is an [`Outcome`].
    pub async fn run(&self, wasi: WasiCtx, ctx: impl Into<Ctx>) -> wasmtime::Result<Outcome> {
        let state = State {
            wasi,
            portcullis: ctx.into(),
            table: ResourceTable::new(),
        };
        let network = state.portcullis.network().clone();
        let span = info_span!("guest", program = &*self.name);
        let guest = async {
            let outcome = self.run_in(Store::new(self.command.engine(), state)).await;
            // The guest's sockets are closed, and the audit has heard of that as well.
            let outcome = match network.audit_failure() {
                Some(failure) => Ok(Outcome::Unaudited(failure.clone())),
                None => outcome,
            };
            match &outcome {
                Ok(Outcome::Exit(code)) => info!(code, "exited"),
                Ok(Outcome::Trap(_)) => info!("trapped"),
                Ok(Outcome::Unaudited(_)) => info!("was ended: the audit failed"),
                Err(_) => info!("could not begin"),
            }
            outcome
        };
        guest.instrument(span).await
    }

    async fn run_in(&self, mut store: Store<State>) -> wasmtime::Result<Outcome> {
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = match self.command.instantiate_async(&mut store).await {
            Ok(instance) => instance,
            Err(error) if error.is::<Trap>() => return Ok(Outcome::Trap(error)),
            Err(error) => return Err(error),
        };
        debug!("begins");
        Ok(match instance.wasi_cli_run().call_run(&mut store).await {
            Ok(Ok(())) => Outcome::Exit(0),
            Ok(Err(())) => Outcome::Exit(1),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => Outcome::Exit(*code),
                None => Outcome::Trap(error),
            },
        })
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").finish_non_exhaustive()
    }
}

struct State {
    wasi: WasiCtx,
    portcullis: Ctx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl View for State {
    fn portcullis(&mut self) -> CtxView<'_> {
        CtxView {
            ctx: &mut self.portcullis,
            table: &mut self.table,
        }
    }
}
