//! The engine that compiles and runs guests, and the clock that interrupts
//! them.

use std::path::Path;
use std::thread;
use std::time::Duration;

use wasmtime::{Cache, CacheConfig, Config};

/// How often a guest that computes without end lets others have the thread.
const TICK: Duration = Duration::from_millis(10);

/// A wasmtime engine set up for guests, with a clock that makes them yield.
///
/// A guest that never calls the host would otherwise keep the thread, and with
/// it every timeout and signal handler, to itself. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
}

impl Engine {
    /// An engine that compiles anew each time.
    ///
    /// # Errors
    ///
    /// Where this machine cannot run wasmtime, or not start a thread.
    pub fn new() -> wasmtime::Result<Self> {
        Self::start(None)
    }

    /// An engine that keeps compiled code in a folder, which it creates. The
    /// folder must be writable by nobody whom the host does not trust: what is
    /// in it is run.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::new`], and where the folder cannot be used.
    pub fn with_cache(folder: &Path) -> wasmtime::Result<Self> {
        let mut config = CacheConfig::new();
        config.with_directory(folder);
        Self::start(Some(Cache::new(config)?))
    }

    /// The engine beneath, to compile with it or to make a linker for it.
    pub fn as_wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    fn start(cache: Option<Cache>) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.cache(cache);
        config.epoch_interruption(true);
        // The contract is synchronous functions only.
        config.concurrency_support(false);
        let wasmtime = wasmtime::Engine::new(&config)?;
        let clock = wasmtime.weak();
        // Ends by itself when the last clone of the engine is gone.
        thread::Builder::new()
            .name("portcullis-clock".into())
            .spawn(move || {
                while let Some(engine) = clock.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    thread::sleep(TICK);
                }
            })?;
        Ok(Self { wasmtime })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
