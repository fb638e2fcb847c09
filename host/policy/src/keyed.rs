//! The tables that requests are looked up in. Their hash must not be the same in
//! two processes: guests choose what is asked for, and what they grant themselves.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, SeedableRandomState};

/// A table by a keyed hash.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// The hash of one table: faster than the one of `std` on what is as short as an
/// address or a name, and with a key of its own. It is no cryptographic hash. Who
/// told its key from how long decisions take could slow down only tables that hold
/// grants of theirs.
#[derive(Clone, Debug)]
pub(crate) struct Keyed(SeedableRandomState);

/// With a key from the system's source of randomness, which is what `std` draws
/// its own from.
impl Default for Keyed {
    fn default() -> Self {
        Self(SeedableRandomState::with_seed(random(), &SHARED))
    }
}

static SHARED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(random()));

fn random() -> u64 {
    RandomState::new().hash_one(())
}

impl BuildHasher for Keyed {
    type Hasher = FoldHasher<'static>;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}
