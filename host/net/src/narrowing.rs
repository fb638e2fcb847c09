//! What a network costs that is narrowed. It must not be forgotten before the network
//! is: it is kept with it.

use std::sync::Arc;

use crate::limits::Charge;

/// How many grants a network is narrowed by at the most, how many bytes long they are,
/// and how often in a row. All of them may be looked at for one decision, and one call
/// may ask for hundreds.
pub(crate) const GRANTS: usize = 256;
pub(crate) const LENGTH: usize = 16 * 1024;
pub(crate) const DEPTH: usize = 16;

/// By what a network is narrowed, all in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    grants: usize,
    length: usize,
    depth: usize,
}

/// That a network is narrowed: its memory, and that of those it was narrowed from.
#[derive(Debug)]
pub(crate) struct Narrowing {
    extent: Extent,
    _memory: Charge,
    _from: Option<Arc<Self>>,
}

impl Narrowing {
    pub(crate) fn new(extent: Extent, memory: Charge, from: Option<&Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            extent,
            _memory: memory,
            _from: from.cloned(),
        })
    }

    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }
}

impl Extent {
    /// The extent with one narrowing more; none where that is too much.
    pub(crate) fn and(self, grants: &[impl AsRef<str>]) -> Option<Self> {
        let length: usize = grants.iter().map(|grant| grant.as_ref().len()).sum();
        let extent = Self {
            grants: self.grants.saturating_add(grants.len()),
            length: self.length.saturating_add(length),
            depth: self.depth + 1,
        };
        let fits = extent.grants <= GRANTS && extent.length <= LENGTH && extent.depth <= DEPTH;
        fits.then_some(extent)
    }
}
