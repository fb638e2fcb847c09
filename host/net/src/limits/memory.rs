//! The memory that one guest takes of the host, under one bound: what this crate keeps
//! for it, and what its embedder adds to that. It must not be given back by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Limit;

/// How much memory one guest may take of the host, and how much it takes. Clones are
/// the same account.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: usize,
    used: AtomicUsize,
}

/// A part of a [`Memory`] that is taken, for as long as it is not dropped.
#[derive(Debug)]
pub struct Charge {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    /// Of what is kept for a guest whose embedder says nothing: far more than a program
    /// needs, and far less than a machine has.
    pub const UNLESS_SET: usize = 256 << 20;

    /// Room for so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Account {
            limit,
            used: AtomicUsize::new(0),
        }))
    }

    /// How many bytes there may be.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How many bytes are taken.
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Takes nothing as yet.
    pub fn charge(&self) -> Charge {
        Charge {
            memory: self.clone(),
            bytes: 0,
        }
    }

    /// Takes so many bytes, if there are as many.
    pub(crate) fn take(&self, bytes: usize) -> Result<Charge, Limit> {
        let mut charge = self.charge();
        match charge.resize(bytes) {
            true => Ok(charge),
            false => Err(self.exceeded()),
        }
    }

    /// What stands in the way of more.
    pub(crate) fn exceeded(&self) -> Limit {
        Limit::Memory(self.0.limit as u64)
    }
}

impl Charge {
    /// Takes so many bytes in place of those that it has, if there are as many; says
    /// whether there are.
    pub fn resize(&mut self, bytes: usize) -> bool {
        let Account { limit, used } = &*self.memory.0;
        let had = self.bytes;
        let resized = |used: usize| {
            let used = (used - had).checked_add(bytes)?;
            (bytes <= had || used <= *limit).then_some(used)
        };
        let fits = used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, resized)
            .is_ok();
        if fits {
            self.bytes = bytes;
        }
        fits
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What one more entry of a hash table takes at the most.
pub(crate) const fn entry<K, V>() -> usize {
    64 + 4 * (size_of::<(K, V)>() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_leaves_room_for_others() {
        let memory = Memory::new(100);
        let one = memory.take(60).unwrap();
        assert_eq!(memory.take(41).unwrap_err(), Limit::Memory(100));
        let mut other = memory.take(40).unwrap();
        assert!(!other.resize(41));
        assert!(other.resize(10));
        assert_eq!(memory.used(), 70);
        drop(one);
        assert!(other.resize(100));
        assert!(!other.resize(usize::MAX));
        drop(other);
        assert_eq!(memory.used(), 0);
    }
}
