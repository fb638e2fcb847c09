//! How much memory one instance may take. It must not count what the host keeps
//! for it.

use wasmtime::ResourceLimiter;

/// What an element of a table takes: a pointer of the host's.
const ELEMENT: usize = size_of::<usize>();

/// How many instances, memories and tables a component may be made of.
const PARTS: usize = 256;

/// Counts what the linear memories and the tables of one store take, against a
/// limit.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: usize,
    /// Whether it was refused more.
    is_short: bool,
}

impl Memory {
    /// Room for so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
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

    /// How many bytes there may be.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How many bytes the linear memories and the tables have.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Lets something grow, from so many bytes to so many, if there is room.
    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let fits = used <= self.limit;
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
    use super::*;

    #[test]
    fn tables_and_memories_share_the_room() {
        let mut memory = Memory::new(1000);
        assert!(memory.memory_growing(0, 500, None).unwrap());
        assert!(memory.table_growing(0, 60, None).unwrap());
        assert_eq!(memory.used(), 500 + 60 * ELEMENT);
        assert!(!memory.is_short());
        assert!(!memory.table_growing(60, 63, None).unwrap());
        assert!(memory.is_short());
        assert!(!memory.memory_growing(500, 521, None).unwrap());
        assert!(memory.memory_growing(500, 520, None).unwrap());
        assert!(!memory.table_growing(60, usize::MAX, None).unwrap());
    }
}
