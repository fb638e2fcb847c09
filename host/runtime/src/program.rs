//! A program: a `wasi:cli` command that may import the contract, ready to run.

use std::path::Path;
use std::sync::Arc;

use portcullis_net::AuditFailure;
use portcullis_policy::Shown;
use tracing::{Instrument, debug, info, info_span};
use wasmtime::{Store, Trap};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{I32Exit, WasiCtx};

use crate::component::{self, LoadError, Reason};
use crate::ctx::Ctx;
use crate::engine::Engine;
use crate::handler::Handler;
use crate::state::State;

/// A compiled program with all its imports found. Each run is an instance of
/// its own.
#[derive(Clone)]
pub struct Program {
    command: CommandPre<State>,
    /// The file that it was read from, for the operator.
    name: Arc<str>,
    imports_wasi_sockets: bool,
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
        component::load(engine, path, |instance| {
            let imports_wasi_sockets = component::imports_wasi_sockets(instance.component());
            let command = CommandPre::new(instance.clone());
            let command = command.map_err(|_| match Handler::find(instance, path) {
                Some(_) => Reason::NoProgram,
                None => Reason::NoMain,
            })?;
            let name = path.display().to_string().into();
            Ok(Self {
                command,
                name,
                imports_wasi_sockets,
            })
        })
    }

    /// Whether it imports `wasi:sockets`, which is linked and denies everything: it is
    /// likely to fail.
    pub fn imports_wasi_sockets(&self) -> bool {
        self.imports_wasi_sockets
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
        let state = State::new(wasi, ctx.into());
        let network = state.portcullis.network().clone();
        let span = info_span!("guest", program = %Shown::line(&self.name));
        let guest = async {
            let outcome = self.run_in(state.into_store(self.command.engine())).await;
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
