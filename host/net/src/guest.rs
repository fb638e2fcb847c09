//! What the host remembers of one guest, whichever of its networks and sockets
//! it comes by.

use std::collections::BTreeSet;
use std::os::fd::RawFd;

use parking_lot::Mutex;

use crate::correspondents::Sharers;
use crate::pins::Pins;

#[derive(Debug, Default)]
pub(crate) struct Guest {
    /// The names that it looked up.
    pub(crate) pins: Pins,
    /// The sockets that remember with whom they had to do.
    pub(crate) sharers: Sharers,
    /// Which of its listeners have a connection that is admitted and not yet
    /// taken.
    arrivals: Mutex<BTreeSet<RawFd>>,
}

impl Guest {
    /// The listeners at which somebody waits to be taken, in ascending order.
    pub(crate) fn arrivals(&self) -> Vec<RawFd> {
        self.arrivals.lock().iter().copied().collect()
    }

    pub(crate) fn note_arrival(&self, listener: RawFd) {
        self.arrivals.lock().insert(listener);
    }

    pub(crate) fn forget_arrival(&self, listener: RawFd) {
        self.arrivals.lock().remove(&listener);
    }
}
