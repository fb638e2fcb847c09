//! The audit of an instance: whom it serves changes where it is kept for others.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_net::{Audit, Event};

/// Makes the audit of what is done for a connection, or a datagram, by its number.
pub(crate) type MakeAudit = Arc<dyn Fn(u64) -> Arc<dyn Audit> + Send + Sync>;

/// Hands on what an instance does to the audit of whom it does that for.
#[derive(Clone)]
pub(crate) struct Numbered {
    make: MakeAudit,
    current: Arc<Mutex<Arc<dyn Audit>>>,
}

impl Numbered {
    pub(crate) fn new(make: &MakeAudit, number: u64) -> Self {
        Self {
            make: Arc::clone(make),
            current: Arc::new(Mutex::new(make(number))),
        }
    }

    /// From now on it is done for another.
    pub(crate) fn turn_to(&self, number: u64) {
        let next = (self.make)(number);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

impl Audit for Numbered {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        let current = self.current.lock();
        let current = Arc::clone(&current.unwrap_or_else(PoisonError::into_inner));
        current.record(event)
    }
}
