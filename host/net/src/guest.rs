//! What the host remembers of one guest, whichever of its networks and sockets
//! it comes by.

use std::collections::BTreeSet;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::audit::AuditFailure;
use crate::correspondents::Sharers;
use crate::file_calls::FileCalls;
use crate::narrowing::Narrowed;
use crate::pins::Pins;

#[derive(Debug, Default)]
pub(crate) struct Guest {
    /// The names that it looked up.
    pub(crate) pins: Pins,
    /// The networks that it has narrowed.
    pub(crate) narrowed: Arc<Narrowed>,
    /// The sockets that remember with whom they had to do.
    pub(crate) sharers: Sharers,
    /// What it has looked at in file systems.
    pub(crate) file_calls: FileCalls,
    /// Which of its listeners have a connection that is admitted and not yet
    /// taken.
    arrivals: Mutex<BTreeSet<RawFd>>,
    /// How many sockets it has had.
    sockets: AtomicU64,
    /// Why no more of it is recorded, and so nothing more may be done.
    audit_failure: OnceLock<AuditFailure>,
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

    /// A number that no other socket of the guest has had.
    pub(crate) fn number_socket(&self) -> u64 {
        self.sockets.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn audit_failure(&self) -> Option<&AuditFailure> {
        self.audit_failure.get()
    }

    /// Ends the guest, for the first reason there was.
    pub(crate) fn fail(&self, failure: AuditFailure) -> AuditFailure {
        self.audit_failure.get_or_init(|| failure).clone()
    }
}
