//! What the store of an instance keeps.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::ctx::{Ctx, CtxView, View};
use crate::memory::Memory;
use crate::speaker::Speaker;
use crate::wasi;

/// Makes the rest of an instance's world: everything but the network.
pub(crate) type MakeWasi = Arc<dyn Fn(&Speaker) -> WasiCtx + Send + Sync>;

/// The same, where that can fail.
pub(crate) type TryMakeWasi = Arc<dyn Fn(&Speaker) -> wasmtime::Result<WasiCtx> + Send + Sync>;

/// What belongs to one instance.
pub(crate) struct State {
    wasi: Wasi,
    pub(crate) portcullis: Ctx,
    pub(crate) table: ResourceTable,
    pub(crate) memory: Memory,
}

/// Most handlers never ask for it, and it is not cheap: it is made when somebody
/// does.
struct Wasi {
    made: Option<WasiCtx>,
    make: MakeWasi,
    speaker: Speaker,
}

impl State {
    /// For a guest with `wasi`.
    pub(crate) fn new(wasi: WasiCtx, portcullis: Ctx) -> Self {
        let wasi = Wasi {
            made: Some(wasi),
            make: Arc::new(|_| wasi::wasi().build()),
            speaker: Speaker::new(),
        };
        Self::with(wasi, portcullis, Memory::unbounded())
    }

    /// For a guest whose WASI is made when it is first used, within the memory of its
    /// network and with so many handles at most. A file takes one, so that no guest opens
    /// those of all.
    pub(crate) fn bounded(
        make_wasi: &MakeWasi,
        speaker: Speaker,
        portcullis: Ctx,
        handles: usize,
    ) -> Self {
        let wasi = Wasi {
            made: None,
            make: Arc::clone(make_wasi),
            speaker,
        };
        let memory = Memory::within(portcullis.network().memory(), handles);
        let mut state = Self::with(wasi, portcullis, memory);
        state.table.set_max_capacity(handles);
        state
    }

    fn with(wasi: Wasi, portcullis: Ctx, memory: Memory) -> Self {
        Self {
            wasi,
            portcullis,
            table: ResourceTable::new(),
            memory,
        }
    }

    /// Has it use this WASI, in place of one that is made when it is first used.
    pub(crate) fn give_wasi(&mut self, wasi: WasiCtx) {
        self.wasi.made = Some(wasi);
    }

    /// A store for it, whose guest lets others have the thread at every tick of
    /// the engine's clock.
    pub(crate) fn into_store(self, engine: &Engine) -> Store<Self> {
        let memory = self.portcullis.network().memory().limit();
        let mut store = Store::new(engine, self);
        // What one call hands over may lie in the guest's memory many times over.
        store.set_hostcall_fuel(store.hostcall_fuel().min(memory));
        store.limiter(|state| &mut state.memory);
        store.set_epoch_deadline(1);
        // tokio's own yield looks for what is ready outside before it goes on: while
        // guests compute on every thread, nobody would hear of a packet for half a
        // second otherwise.
        store.epoch_deadline_callback(|_| {
            let turn = Box::pin(tokio::task::yield_now());
            Ok(UpdateDeadline::YieldCustom(1, turn))
        });
        store
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi {
            made,
            make,
            speaker,
        } = &mut self.wasi;
        let ctx = made.get_or_insert_with(|| make(speaker));
        WasiCtxView {
            ctx,
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

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_net::Network;
    use portcullis_policy::Policy;

    use super::*;

    #[test]
    fn one_call_is_handed_no_more_than_the_instance_may_have() {
        let engine = crate::Engine::new().unwrap();
        let ctx = |memory| Ctx::new(Network::new(Policy::default()).with_memory(memory));
        let wasi: MakeWasi = Arc::new(|_| WasiCtx::builder().build());
        let small = State::bounded(&wasi, Speaker::new(), ctx(1 << 20), 64)
            .into_store(engine.as_wasmtime());
        assert_eq!(small.hostcall_fuel(), 1 << 20);
        let large = State::bounded(&wasi, Speaker::new(), ctx(1 << 40), 64)
            .into_store(engine.as_wasmtime());
        let of_wasmtime = Store::new(engine.as_wasmtime(), ()).hostcall_fuel();
        assert_eq!(large.hostcall_fuel(), of_wasmtime);
    }
}
