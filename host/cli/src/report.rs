//! Denials in words, for the operator.

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis::{Allowed, Audit, Denied, Event, Limited, Refused, Shown};

/// How many distinct denials are told apart. A guest that scans the network
/// must fill neither memory nor the operator's screen.
const DISTINCT: usize = 1000;

/// How long a line of a denial is told and remembered: a grant that a guest narrowed its
/// network by may be as long as a page.
const LONGEST: usize = 1000;

/// Prints each distinct denial once, counts the others, and tells the counts at
/// the end; of limits that have peers reset as well. Clones are the same report.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    // Apart, so that a crowd of peers does not hide what the guest tries.
    denied: Arc<Mutex<Tally>>,
    refused: Arc<Mutex<Tally>>,
    shadowed: Arc<Mutex<Tally>>,
    crowded: Arc<Mutex<Tally>>,
}

#[derive(Debug)]
struct Tally {
    say: fn(&Shown),
    times: HashMap<Shown, u64>,
    /// Those that were not told apart any more.
    others: u64,
}

impl Report {
    /// A report that says each with `say`.
    pub(crate) fn new(say: fn(&Shown)) -> Self {
        let tally = || {
            Arc::new(Mutex::new(Tally {
                say,
                times: HashMap::new(),
                others: 0,
            }))
        };
        Self {
            denied: tally(),
            refused: tally(),
            shadowed: tally(),
            crowded: tally(),
        }
    }

    /// Tells how often what was printed happened again.
    pub(crate) fn finish(&self) {
        lock(&self.denied).finish("requests of the guest");
        lock(&self.refused).finish("peers");
        lock(&self.crowded).finish("peers");
        lock(&self.shadowed).finish_shadow();
    }
}

impl Audit for Report {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        if let Event::Allowed(Allowed { shadowed, .. }) = event
            && let Some(denial) = shadowed
        {
            lock(&self.shadowed).count(&denial.shadow_report());
        }
        if let Event::Denied(Denied { denial, .. }) = event {
            lock(&self.denied).count(&denial.report());
        }
        if let Event::Refused(Refused { denial, .. }) = event {
            lock(&self.refused).count(&denial.report());
        }
        if let Event::Limited(Limited {
            peer: Some(_),
            limit,
            value,
            ..
        }) = event
        {
            lock(&self.crowded).count(&format!(
                "portcullis: reset a peer: limit reached: {limit} = {value}"
            ));
        }
        Ok(())
    }
}

impl Tally {
    fn count(&mut self, report: &impl Display) {
        let denial = Shown::lines(shortened(&report.to_string()));
        if let Some(times) = self.times.get_mut(&denial) {
            *times += 1;
        } else if self.times.len() < DISTINCT {
            (self.say)(&denial);
            self.times.insert(denial, 1);
        } else {
            self.others += 1;
        }
    }

    fn finish(&self, what: &str) {
        self.finish_as(&format!("denied  {} more {what}", self.others));
    }

    fn finish_shadow(&self) {
        self.finish_as(&format!("would deny  {} more requests", self.others));
    }

    fn finish_as(&self, others: &str) {
        let mut again: Vec<_> = self.times.iter().filter(|(_, times)| **times > 1).collect();
        again.sort();
        for (denial, times) in again {
            let request = denial.as_str().lines().next().unwrap_or_default();
            (self.say)(&Shown::lines(format_args!(
                "{request} ({times} times in all)"
            )));
        }
        if self.others > 0 {
            (self.say)(&Shown::lines(format_args!(
                "portcullis: {others}, not told apart"
            )));
        }
    }
}

/// A text whose lines end where they are too long.
fn shortened(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let end = line.floor_char_boundary(LONGEST);
        let shown = line.get(..end).unwrap_or_default();
        let rest = if end < line.len() { "…" } else { "" };
        format!("{shown}{rest}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_denial_is_told_up_to_a_bound() {
        let long = "x".repeat(2 * LONGEST);
        let text = format!("denied\n  reason: {long}\n  to allow: this");
        let lines: Vec<_> = shortened(&text).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines.concat().len(),
            LONGEST + "…denied  to allow: this".len()
        );
        assert_eq!(shortened("denied\n  short"), "denied\n  short");
    }
}
