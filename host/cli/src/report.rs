//! Denials on standard error, for the operator.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis::{Audit, Event};

/// Prints each distinct denial once, counts the others, and tells the counts at
/// the end. Clones are the same report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    seen: Arc<Mutex<HashMap<String, u64>>>,
}

impl Report {
    /// Tells how often what was printed happened again.
    pub(crate) fn finish(&self) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut again: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
        again.sort();
        for (denial, times) in again {
            let request = denial.lines().next().unwrap_or_default();
            say(&format!("{request} ({times} times in all)"));
        }
    }
}

impl Audit for Report {
    fn record(&self, event: Event<'_>) {
        let Event::Denied(denial) = event else { return };
        let denial = denial.report().to_string();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.entry(denial.clone()).or_default();
        *times += 1;
        if *times == 1 {
            say(&denial);
        }
    }
}

fn say(line: &str) {
    // Where standard error is gone the guest goes on all the same.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
