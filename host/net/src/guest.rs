//! What the host remembers of one guest, whichever of its networks and sockets
//! it comes by.

use std::collections::BTreeSet;
use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::audit::AuditFailure;
use crate::correspondents::Sharers;
use crate::file_calls::FileCalls;
use crate::limits::Memory;
use crate::pins::Pins;

#[derive(Debug)]
pub(crate) struct Guest {
    /// How much memory all of it may take.
    pub(crate) memory: Memory,
    /// The names that it looked up.
    pub(crate) pins: Pins,
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
    /// One of which nothing is remembered as yet, and as many bytes at the most.
    pub(crate) fn new(memory: usize) -> Self {
        let memory = Memory::new(memory);
        Self {
            pins: Pins::new(&memory),
            sharers: Sharers::new(&memory),
            file_calls: FileCalls::default(),
            memory,
            arrivals: Mutex::default(),
            sockets: AtomicU64::default(),
            audit_failure: OnceLock::new(),
        }
    }

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
