//! The tables that requests are looked up in. They must not be slower for what a
//! guest chose to ask, or to grant itself: their hash is keyed at random.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::fast::{FoldHasher, SeedableRandomState};

/// A table by a keyed hash.
pub(crate) type KeyedMap<K, V> = HashMap<K, V, Keyed>;

/// The hash of one table. It is several times as fast as the one of `std` for what
/// is as short as an address or a name, and nothing that is seen outside depends
/// on it, so that its key cannot be told from results.
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
