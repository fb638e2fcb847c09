//! From a compiled component to its first instruction, through the library.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use portcullis::wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use portcullis::wasmtime::{self, Store};
use portcullis::wasmtime_wasi::p2::add_to_linker_async;
use portcullis::wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use portcullis::{Bounds, Ctx, CtxView, Engine, Network, Policy, View};

/// What is instantiated.
pub(super) const COMPONENT: &str = "echo-handler";

/// Instances between two looks at the clock, after as many that do not count.
const BATCH: u32 = 100;

/// Where an instance's memory and tables come from.
#[derive(Clone, Copy)]
pub(super) enum Allocation {
    /// Whatever the system gives, as for a program.
    OnDemand,
    /// Places set aside at the start, as for a server.
    Pooling,
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

/// Seconds for a store and an instance in it, on average over this time.
pub(super) fn time(component: &Path, allocation: Allocation, time: Duration) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime
        .block_on(average(component, allocation, time))
        .map_err(|error| anyhow!("{error:#}"))
}

async fn average(
    component: &Path,
    allocation: Allocation,
    time: Duration,
) -> wasmtime::Result<f64> {
    let engine = match allocation {
        Allocation::OnDemand => Engine::new()?,
        Allocation::Pooling => Engine::builder().pool(&Bounds::default()).build()?,
    };
    let engine = engine.as_wasmtime();
    let mut linker = Linker::<State>::new(engine);
    add_to_linker_async(&mut linker)?;
    portcullis::add_to_linker(&mut linker)?;
    let instance = linker.instantiate_pre(&Component::from_file(engine, component)?)?;
    let network = Network::new(Policy::default());
    batch(&instance, &network).await?;
    let until = Instant::now() + time;
    let (mut spent, mut batches) = (Duration::ZERO, 0);
    while batches == 0 || Instant::now() < until {
        spent += batch(&instance, &network).await?;
        batches += 1;
    }
    Ok(spent.as_secs_f64() / f64::from(batches * BATCH))
}

/// The time of a batch, without what is made before and dropped afterwards.
async fn batch(instance: &InstancePre<State>, network: &Network) -> wasmtime::Result<Duration> {
    let mut spent = Duration::ZERO;
    for _ in 0..BATCH {
        let state = State {
            wasi: WasiCtx::builder().build(),
            portcullis: Ctx::new(network.clone()),
            table: ResourceTable::new(),
        };
        let started = Instant::now();
        let mut store = Store::new(instance.engine(), state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        instance.instantiate_async(&mut store).await?;
        spent += started.elapsed();
    }
    Ok(spent)
}
