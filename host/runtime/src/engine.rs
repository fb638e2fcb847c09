//! The engine that compiles and runs guests, and the clock that interrupts
//! them.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Config};

use crate::pool::Pool;
use crate::server::Bounds;

/// How often a guest that computes without end lets others have the thread.
const TICK: Duration = Duration::from_millis(10);

/// A wasmtime engine set up for guests, with a clock that makes them yield.
///
/// A guest that never calls the host would otherwise keep the thread, and with
/// it every timeout and signal handler, to itself. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    is_pooled: bool,
}

impl Engine {
    /// An engine that compiles anew each time.
    ///
    /// # Errors
    ///
    /// Where this machine cannot run wasmtime, or not start a thread.
    pub fn new() -> wasmtime::Result<Self> {
        Self::builder().build()
    }

    /// An engine that is to be told more.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// An engine that keeps compiled code in a folder: see
    /// [`EngineBuilder::cache`].
    ///
    /// # Errors
    ///
    /// Those of [`Engine::new`], and where the folder cannot be used.
    pub fn with_cache(folder: &Path) -> wasmtime::Result<Self> {
        Self::builder().cache(folder).build()
    }

    /// Whether there is room for the instances of a component: in a pool there is for
    /// what is made of one program.
    pub(crate) fn has_room_for(&self, component: &Component) -> bool {
        !self.is_pooled || Pool::has_room_for(component)
    }

    /// The engine beneath, to compile with it or to make a linker for it.
    pub fn as_wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }
}

/// How an engine is to be.
#[derive(Clone, Debug, Default)]
pub struct EngineBuilder {
    cache: Option<PathBuf>,
    pool: Option<Pool>,
}

impl EngineBuilder {
    /// Keeps compiled code in a folder, which is created. The folder must be
    /// writable by nobody whom the host does not trust: what is in it is run.
    #[must_use]
    pub fn cache(mut self, folder: &Path) -> Self {
        self.cache = Some(folder.to_owned());
        self
    }

    /// Sets places for all instances of a server within these bounds aside at the
    /// start, which makes an instance quickly. They take addresses (some 4 GiB
    /// for each), and memory only when they are used.
    #[must_use]
    pub fn pool(mut self, bounds: &Bounds) -> Self {
        self.pool = Some(Pool::new(bounds));
        self
    }

    /// The engine.
    ///
    /// # Errors
    ///
    /// Where this machine cannot run wasmtime, the folder cannot be used, a
    /// thread cannot be started, or there are not addresses enough for the pool.
    pub fn build(self) -> wasmtime::Result<Engine> {
        let cache = self.cache.map(|folder| {
            let mut config = CacheConfig::new();
            config.with_directory(folder);
            Cache::new(config)
        });
        let mut config = Config::new();
        config.cache(cache.transpose()?);
        config.epoch_interruption(true);
        // The contract is synchronous functions only.
        config.concurrency_support(false);
        let is_pooled = self.pool.is_some();
        let wasmtime = match self.pool {
            Some(pool) => pool.engine(config)?,
            None => wasmtime::Engine::new(&config)?,
        };
        let clock = wasmtime.weak();
        // Ends by itself when the last clone of the engine is gone.
        thread::Builder::new()
            .name("portcullis-clock".into())
            .spawn(move || {
                // Bounded: by the life of the engine, on a thread of its own that sleeps.
                while let Some(engine) = clock.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    thread::sleep(TICK);
                }
            })?;
        Ok(Engine {
            wasmtime,
            is_pooled,
        })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
