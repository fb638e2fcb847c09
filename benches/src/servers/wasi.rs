//! A host as wasmtime's own command is one, for a guest on `wasi:sockets`: the
//! default configuration and cache, the whole network, and nothing of Portcullis.

use std::path::Path;

use anyhow::{Result, anyhow};
use portcullis::wasmtime::component::{Component, Linker, ResourceTable};
use portcullis::wasmtime::{self, Cache, Config, Engine, Store};
use portcullis::wasmtime_wasi::p2::add_to_linker_async;
use portcullis::wasmtime_wasi::p2::bindings::Command;
use portcullis::wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

struct State {
    wasi: WasiCtx,
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

/// Runs a component with these arguments until it ends.
pub(super) fn run(component: &Path, arguments: &[&str]) -> Result<()> {
    // As `portcullis run` has it: one guest, one thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime
        .block_on(run_in_engine(component, arguments))
        .map_err(|error| anyhow!("{error:#}"))?;
    ended.map_err(|()| anyhow!("the guest failed"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is what sandboxed sockets are held against"
)]
async fn run_in_engine(component: &Path, arguments: &[&str]) -> wasmtime::Result<Result<(), ()>> {
    let mut config = Config::new();
    config.cache(Some(Cache::from_file(None)?));
    let engine = Engine::new(&config)?;
    let component = Component::from_file(&engine, component)?;
    let mut linker = Linker::new(&engine);
    add_to_linker_async(&mut linker)?;
    let wasi = WasiCtx::builder()
        .inherit_stdio()
        .inherit_network()
        .allow_tcp(true)
        .allow_udp(true)
        .arg("guest")
        .args(arguments)
        .build();
    let state = State {
        wasi,
        table: ResourceTable::new(),
    };
    let mut store = Store::new(&engine, state);
    let command = Command::instantiate_async(&mut store, &component, &linker).await?;
    command.wasi_cli_run().call_run(&mut store).await
}
