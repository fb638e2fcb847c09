//! Denials on standard error, for the operator.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis::{Audit, Event};

/// How many distinct denials are told apart. A guest that scans the network
/// must fill neither memory nor the operator's screen.
const DISTINCT: usize = 1000;

/// Prints each distinct denial once, counts the others, and tells the counts at
/// the end. Clones are the same report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    times: HashMap<String, u64>,
    /// Those that were not told apart any more.
    others: u64,
}

impl Report {
    /// Tells how often what was printed happened again.
    pub(crate) fn finish(&self) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut again: Vec<_> = seen.times.iter().filter(|(_, times)| **times > 1).collect();
        again.sort();
        for (denial, times) in again {
            let request = denial.lines().next().unwrap_or_default();
            say(&format!("{request} ({times} times in all)"));
        }
        if seen.others > 0 {
            say(&format!(
                "portcullis: denied  {} more, not told apart",
                seen.others
            ));
        }
    }
}

impl Audit for Report {
    fn record(&self, event: Event<'_>) {
        let Event::Denied(denial) = event else { return };
        let denial = denial.report().to_string();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = seen.times.get_mut(&denial) {
            *times += 1;
        } else if seen.times.len() < DISTINCT {
            say(&denial);
            seen.times.insert(denial, 1);
        } else {
            seen.others += 1;
        }
    }
}

fn say(line: &str) {
    // Where standard error is gone the guest goes on all the same.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
