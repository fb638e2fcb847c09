//! The instances of a handler: made when somebody comes, and kept afterwards
//! where the server is told to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_net::{Network, Socket, SocketAddress};
use wasmtime::Store;

use super::bounds::{Bounds, Reuse};
use super::numbered::{MakeAudit, Numbered};
use crate::bindings::datagram::{DatagramServer, DatagramServerPre};
use crate::bindings::portcullis::sockets::types;
use crate::bindings::stream::{StreamServer, StreamServerPre};
use crate::ctx::Ctx;
use crate::memory::Memory;
use crate::speaker::Speaker;
use crate::state::{MakeWasi, State, TryMakeWasi};

/// What a handler exports.
pub(crate) trait Export: Sized + Send + Sync + 'static {
    /// The component before it is instantiated.
    type Pre: Send + Sync;
    /// What it is called with.
    type Input: Send;
    /// What it returns.
    type Output: Send;

    /// The engine that it was compiled for.
    fn engine(pre: &Self::Pre) -> &wasmtime::Engine;

    /// Makes an instance in a store.
    fn instantiate(
        pre: &Self::Pre,
        store: &mut Store<State>,
    ) -> impl Future<Output = wasmtime::Result<Self>> + Send;

    /// Has it serve.
    fn call(
        &self,
        store: &mut Store<State>,
        input: Self::Input,
    ) -> impl Future<Output = wasmtime::Result<Result<Self::Output, types::Error>>> + Send;
}

impl Export for StreamServer {
    type Pre = StreamServerPre<State>;
    type Input = (Socket, SocketAddress);
    type Output = ();

    fn engine(pre: &Self::Pre) -> &wasmtime::Engine {
        pre.engine()
    }

    async fn instantiate(pre: &Self::Pre, store: &mut Store<State>) -> wasmtime::Result<Self> {
        pre.instantiate_async(store).await
    }

    async fn call(
        &self,
        store: &mut Store<State>,
        (connection, peer): Self::Input,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let connection = store.data_mut().table.push(connection)?;
        let handler = self.portcullis_sockets_stream_handler();
        handler.call_handle(store, connection, &peer.into()).await
    }
}

impl Export for DatagramServer {
    type Pre = DatagramServerPre<State>;
    type Input = (Vec<u8>, SocketAddress);
    type Output = Vec<Vec<u8>>;

    fn engine(pre: &Self::Pre) -> &wasmtime::Engine {
        pre.engine()
    }

    async fn instantiate(pre: &Self::Pre, store: &mut Store<State>) -> wasmtime::Result<Self> {
        pre.instantiate_async(store).await
    }

    async fn call(
        &self,
        store: &mut Store<State>,
        (datagram, peer): Self::Input,
    ) -> wasmtime::Result<Result<Vec<Vec<u8>>, types::Error>> {
        let handler = self.portcullis_sockets_datagram_handler();
        handler.call_handle(store, &datagram, &peer.into()).await
    }
}

/// The instances of one handler under one policy.
pub(crate) struct Crew<E: Export> {
    pre: E::Pre,
    world: World,
    handles: usize,
    reuse: Reuse,
    /// None once nobody is to come for them any more.
    idle: Mutex<Option<Vec<Instance<E>>>>,
}

/// What each instance finds.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) make_wasi: MakeWasi,
    /// Where it is made before the instance begins.
    pub(crate) make_wasi_before: Option<TryMakeWasi>,
    /// Where each connection has an audit of its own.
    pub(crate) make_audit: Option<MakeAudit>,
    /// What is connected for it: names and grants.
    pub(crate) sockets: Vec<(String, String)>,
}

/// An instance in its store, once it has been made.
pub(crate) struct Instance<E> {
    store: Store<State>,
    audit: Option<Numbered>,
    speaker: Speaker,
    exports: Option<E>,
    served: u32,
}

impl<E: Export> Crew<E> {
    pub(crate) fn new(pre: E::Pre, world: World, bounds: &Bounds) -> Self {
        Self {
            pre,
            world: World {
                network: world.network.with_memory(bounds.memory),
                ..world
            },
            handles: bounds.handles(),
            reuse: bounds.reuse,
            idle: Mutex::new(Some(Vec::new())),
        }
    }

    /// Finds whoever is to serve the one of this number: an instance that was kept,
    /// or the store for a new one.
    pub(crate) fn instance(&self, number: u64) -> Instance<E> {
        let kept = self.idle().as_mut().and_then(Vec::pop);
        if let Some(kept) = kept {
            if let Some(audit) = &kept.audit {
                audit.turn_to(number);
            }
            kept.speaker.turn_to(number);
            return kept;
        }
        let World {
            network,
            make_wasi,
            make_audit,
            ..
        } = &self.world;
        let audit = make_audit.as_ref();
        let audit = audit.map(|make| Numbered::new(make, number));
        let network = match &audit {
            Some(audit) => network.clone().with_audit(audit.clone()),
            None => network.clone(),
        };
        let ctx = Ctx::new(network);
        let speaker = Speaker::new();
        speaker.turn_to(number);
        let state = State::bounded(make_wasi, speaker.clone(), ctx, self.handles);
        Instance {
            audit,
            speaker,
            store: state.into_store(E::engine(&self.pre)),
            exports: None,
            served: 0,
        }
    }

    /// Has back an instance that has served, for the next or for nobody.
    pub(crate) fn have_back(&self, mut instance: Instance<E>) {
        instance.served = instance.served.saturating_add(1);
        instance.store.data_mut().memory.begin_anew();
        if self.reuse.goes_on(instance.served) {
            self.keep(instance);
        }
    }

    /// Has back one that nobody came for.
    pub(crate) fn have_back_unused(&self, instance: Instance<E>) {
        if instance.exports.is_some() {
            self.keep(instance);
        }
    }

    /// Keeps instances no longer: others need their places.
    pub(crate) fn retire(&self) {
        let idle = self.idle().take();
        drop(idle);
    }

    fn keep(&self, instance: Instance<E>) {
        // One that is too many is dropped when nobody is kept waiting for the lock.
        let _too_many = match &mut *self.idle() {
            Some(idle) => {
                idle.push(instance);
                None
            }
            None => Some(instance),
        };
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Instance<E>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Export> Instance<E> {
    /// The network that it acts on.
    pub(crate) fn network(&self) -> &Network {
        self.store.data().portcullis.network()
    }

    /// How much memory it has, and how that is bounded.
    pub(crate) fn memory(&self) -> &Memory {
        &self.store.data().memory
    }

    /// Has it serve, and says how long it took to make it, if it had to be made.
    pub(crate) async fn serve(
        &mut self,
        crew: &Crew<E>,
        input: E::Input,
        instantiation: &mut Option<Duration>,
    ) -> Result<Result<E::Output, types::Error>, Failed> {
        let exports = match &self.exports {
            Some(exports) => exports,
            None => {
                let began = Instant::now();
                if let Some(make) = &crew.world.make_wasi_before {
                    let wasi = make(&self.speaker).map_err(Failed::ToBegin)?;
                    self.store.data_mut().give_wasi(wasi);
                }
                for (name, grant) in &crew.world.sockets {
                    let ctx = &mut self.store.data_mut().portcullis;
                    let opened = ctx.preopen(name, grant).await;
                    opened.map_err(|error| Failed::ToBegin(error.into()))?;
                }
                let made = E::instantiate(&crew.pre, &mut self.store).await;
                *instantiation = Some(began.elapsed());
                let made = made.map_err(|trap| Failed::ToBegin(self.speaker.explain(trap)));
                self.exports.insert(made?)
            }
        };
        let called = exports.call(&mut self.store, input).await;
        called.map_err(|trap| Failed::Within(self.speaker.explain(trap)))
    }
}

/// Why an instance did not return.
pub(crate) enum Failed {
    /// It could not be made, or trapped while it was.
    ToBegin(wasmtime::Error),
    /// It trapped, or exited.
    Within(wasmtime::Error),
}
