//! What the host remembers of one guest, whichever of its networks and sockets
//! it comes by.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::pins::Pins;

#[derive(Debug, Default)]
pub(crate) struct Guest {
    /// The names that it looked up.
    pub(crate) pins: Pins,
    /// How many connections of its listeners are admitted and not yet taken.
    arrivals: AtomicUsize,
}

impl Guest {
    pub(crate) fn has_arrivals(&self) -> bool {
        self.arrivals.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn note_arrival(&self) {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn forget_arrival(&self) {
        self.arrivals.fetch_sub(1, Ordering::Relaxed);
    }
}
