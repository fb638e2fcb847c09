//! What xtask says. Progress goes to stderr and results to stdout, so that
//! `$(cargo xtask guests)` is the folder and nothing else.
//!
//! A closed pipe is no reason to fail a task, so write errors are dropped.

use std::io::{self, Write};

/// The beginning of a step.
pub(crate) fn announce(line: &str) {
    note(&format!("==> {line}"));
}

/// What a child said, below the step that it belongs to.
pub(crate) fn indented(speaker: &str, line: &str) {
    note(&format!("    {speaker:>6} | {line}"));
}

/// A line that is neither.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// What the task was asked for.
pub(crate) fn result(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
