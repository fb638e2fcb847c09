//! How much of the host's memory a guest fills with networks that it narrows. It
//! must not be forgotten before what it counts is: it is kept with the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes of grants the networks of a guest are narrowed by at a time.
/// Compiled, they may take more than a hundred times as much.
const MOST: usize = 512 * 1024;

/// What a network costs that is narrowed by a few words.
const LEAST: usize = 64;

/// What the networks of one guest cost that there are.
#[derive(Debug, Default)]
pub(crate) struct Narrowed(AtomicUsize);

/// What one network costs, and those that it was narrowed from.
#[derive(Debug)]
pub(crate) struct Narrowing {
    narrowed: Arc<Narrowed>,
    cost: usize,
    _from: Option<Arc<Self>>,
}

impl Narrowing {
    /// Counts a network that is narrowed from another by grants of this length in
    /// all; none where there are too many.
    pub(crate) fn new(
        narrowed: &Arc<Narrowed>,
        from: Option<&Arc<Self>>,
        length: usize,
    ) -> Option<Arc<Self>> {
        let cost = length.saturating_add(LEAST);
        let before = narrowed.0.fetch_add(cost, Ordering::Relaxed);
        // Given back when it is dropped, also where it is too much.
        let narrowing = Self {
            narrowed: Arc::clone(narrowed),
            cost,
            _from: from.cloned(),
        };
        (before.saturating_add(cost) <= MOST).then(|| Arc::new(narrowing))
    }
}

impl Drop for Narrowing {
    fn drop(&mut self) {
        self.narrowed.0.fetch_sub(self.cost, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_leaves_room_for_others() {
        let narrowed = Arc::default();
        let outer = Narrowing::new(&narrowed, None, MOST / 2).unwrap();
        let inner = Narrowing::new(&narrowed, Some(&outer), 1).unwrap();
        assert!(Narrowing::new(&narrowed, None, MOST / 2).is_none());
        drop(outer);
        assert!(Narrowing::new(&narrowed, None, MOST / 2).is_none());
        drop(inner);
        assert!(Narrowing::new(&narrowed, None, MOST / 2).is_some());
        assert_eq!(narrowed.0.load(Ordering::Relaxed), 0);
    }
}
