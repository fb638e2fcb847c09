//! The side-by-side benchmark: the same echo by native code, by guests on
//! Portcullis, by a guest on wasmtime's own sockets and by Python, in one run.
//!
//! `cargo xtask bench` builds what this runs; `docs/benchmarks.md` says what is
//! measured and how. Nothing here is part of the product.

mod chart;
mod client;
mod commands;
mod contender;
mod cpu;
mod document;
mod load;
mod machine;
mod memory;
mod metric;
mod options;
mod placement;
mod report;
mod results;
mod round;
mod server;
mod servers;
mod startup;
mod statistics;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The servers are commands of this program as well: each runs in a process of
/// its own, so that what it takes can be told from what the load takes.
fn run(words: &[&str]) -> Result<()> {
    match words {
        ["confine", cores, command @ ..] => placement::confine(cores, command),
        ["nothing"] => Ok(()),
        ["serve", server @ ..] => servers::serve(server),
        ["-h" | "--help"] => {
            result(options::USAGE.trim_end());
            Ok(())
        }
        options => commands::bench(options),
    }
}

/// Progress, and what went wrong. Nothing is left to do where nobody hears it.
fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// What was asked for.
fn result(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
