//! A wasmtime host of one's own that gives its guests sockets.
//!
//! `embed COMPONENT [GRANT…] [-- ARGUMENT…]` runs a command component with
//! those grants and arguments. All that Portcullis adds to an ordinary
//! wasmtime-wasi program is marked.

use std::env;

use portcullis::{AuditLog, Ctx, CtxView, Network, Policy, View};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::p2::bindings::Command;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

struct State {
    wasi: WasiCtx,
    portcullis: Ctx, // Portcullis: what this guest may do
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

// Portcullis: where to find it
impl View for State {
    fn portcullis(&mut self) -> CtxView<'_> {
        CtxView {
            ctx: &mut self.portcullis,
            table: &mut self.table,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> wasmtime::Result<()> {
    let mut arguments = env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: embed COMPONENT [GRANT…] [-- ARGUMENT…]");
        std::process::exit(2);
    };
    // Portcullis: a policy starts from nothing
    let mut policy = Policy::builder();
    for grant in arguments.by_ref().take_while(|argument| argument != "--") {
        policy = policy.allow(&grant);
    }
    // Portcullis: and all that is done with it is on record
    let network = Network::new(policy.build()?).with_audit(AuditLog::stderr());

    let engine = Engine::default();
    let mut linker = Linker::<State>::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    portcullis::add_to_linker(&mut linker)?; // Portcullis: the contract

    let state = State {
        wasi: WasiCtx::builder()
            .inherit_stdio()
            .arg(&path)
            .args(&arguments.collect::<Vec<_>>())
            .build(),
        portcullis: Ctx::new(network),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(&engine, state);
    let component = Component::from_file(&engine, path)?;
    let command = Command::instantiate_async(&mut store, &component, &linker).await?;
    let result = command.wasi_cli_run().call_run(&mut store).await?;
    std::process::exit(if result.is_ok() { 0 } else { 1 })
}
