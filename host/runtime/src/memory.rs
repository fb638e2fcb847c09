//! How much memory one instance may take. It must not count what the host keeps
//! for it.

use wasmtime::ResourceLimiter;

/// How many elements the tables of an instance may have: what they hold is
/// pointers of the host.
const TABLE_ELEMENTS: usize = 1 << 20;

/// How many instances, memories and tables a component may be made of.
const PARTS: usize = 256;

/// Counts what the linear memories of one store take, against a limit.
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

    /// How many bytes the linear memories have.
    pub(crate) fn used(&self) -> usize {
        self.used
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let fits = used <= self.limit;
        if fits {
            self.used = used;
        } else {
            self.is_short = true;
        }
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
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
