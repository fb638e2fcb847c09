//! The rest of a guest's world, within bounds. It must not say what a guest is given.

use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

/// How many random bytes one call may ask for. They are made before anybody else has the
/// thread.
const RANDOM: u64 = 4 << 20;

/// A builder of what guests have beside the network, without anything that belongs to
/// this machine. One call may ask for at most 4 MiB of random bytes, else it traps.
pub fn wasi() -> WasiCtxBuilder {
    let mut wasi = WasiCtx::builder();
    wasi.max_random_size(RANDOM);
    wasi
}
