//! The DNS resolver against a name server of our own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod lookup;
mod name_server;
mod reverse;

use std::io;
use std::sync::{Arc, Mutex};

use portcullis_net::{Audit, Event};

/// Remembers denials.
#[derive(Clone, Default)]
pub(crate) struct Denials(Arc<Mutex<Vec<String>>>);

impl Audit for Denials {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        if let Event::Denied(denied) = event {
            self.0.lock().unwrap().push(denied.denial.to_string());
        }
        Ok(())
    }
}

impl Denials {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}
