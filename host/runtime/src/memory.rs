//! How much memory one instance may take: what it has itself, beside what `net` keeps
//! for it on the same account. It must not count the latter.

use portcullis_net::Charge;
use wasmtime::ResourceLimiter;

/// What an element of a table takes: a pointer of the host's.
const ELEMENT: usize = size_of::<usize>();

/// How many instances, memories and tables a component may be made of.
const PARTS: usize = 256;

/// What the table of handles takes for each, with what lies behind it.
const HANDLE: usize = 256;

/// Counts what the linear memories and the tables of one store take.
#[derive(Debug)]
pub(crate) struct Memory {
    /// None where there is no bound.
    charge: Option<Charge>,
    handles: usize,
    used: usize,
    /// Whether it was refused more.
    is_short: bool,
}

impl Memory {
    /// Without a bound.
    pub(crate) fn unbounded() -> Self {
        Self::of(None, 0)
    }

    /// Within an account, of which so many handles take their part as well.
    pub(crate) fn within(account: &portcullis_net::Memory, handles: usize) -> Self {
        Self::of(Some(account.charge()), handles)
    }

    fn of(charge: Option<Charge>, handles: usize) -> Self {
        Self {
            charge,
            handles: handles.saturating_mul(HANDLE),
            used: 0,
            is_short: false,
        }
    }

    /// Forgets that it was refused more, for the next whom the instance serves.
    pub(crate) fn begin_anew(&mut self) {
        self.is_short = false;
    }

    /// Whether the instance has asked for more than there is.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short
    }

    /// How many bytes the linear memories and the tables have.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Lets something grow, from so many bytes to so many, if there is room.
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let taken = used.saturating_add(self.handles);
        let fits = (self.charge.as_mut()).is_none_or(|charge| charge.resize(taken));
        if fits {
            self.used = used;
        } else {
            self.is_short = true;
        }
        fits
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = |elements: usize| elements.saturating_mul(ELEMENT);
        Ok(self.grow(bytes(current), bytes(desired)))
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}

#[cfg(test)]
mod tests {
    use portcullis_net::Network;

    use super::*;

    #[test]
    fn tables_and_memories_share_the_room() {
        let network = Network::new(portcullis_policy::Policy::default()).with_memory(1000);
        let mut memory = Memory::within(network.memory(), 0);
        assert!(memory.memory_growing(0, 500, None).unwrap());
        assert!(memory.table_growing(0, 60, None).unwrap());
        assert_eq!(memory.used(), 500 + 60 * ELEMENT);
        assert!(!memory.is_short());
        assert!(!memory.table_growing(60, 63, None).unwrap());
        assert!(memory.is_short());
        assert!(!memory.memory_growing(500, 521, None).unwrap());
        assert!(memory.memory_growing(500, 520, None).unwrap());
        assert!(!memory.table_growing(60, usize::MAX, None).unwrap());
        drop(memory);
        // As do handles, and what is kept for the instance.
        let mut memory = Memory::within(network.memory(), 1);
        let mut kept = network.memory().charge();
        assert!(kept.resize(500));
        assert!(!memory.memory_growing(0, 500 - HANDLE + 1, None).unwrap());
        assert!(memory.memory_growing(0, 500 - HANDLE, None).unwrap());
    }
}
