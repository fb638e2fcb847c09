//! The `portcullis` command: a thin layer over the `portcullis` library.
//!
//! It reads the command line, prints, and chooses the exit code. It decides
//! nothing.

mod arguments;
mod cache;
mod exit;
mod learn;
mod policy_file;
mod report;
mod run;
mod terminal;

use std::io::Write;

use arguments::{Arguments, Command};
use exit::Exit;
use portcullis::PolicyError;

fn main() {
    let exit = match Arguments::read().command {
        Command::Learn(arguments) => learn::learn(arguments),
        Command::Run(arguments) => run::run(arguments),
    };
    let exit = exit.unwrap_or_else(|error| {
        say(&error);
        Exit::Usage
    });
    // Without waiting for a thread that may be blocked on standard input.
    std::process::exit(exit.code());
}

/// Says what went wrong, in colours where there is a terminal.
fn say(error: &anyhow::Error) {
    // Nothing is left to do where standard error is gone.
    let _ = match error.downcast_ref::<PolicyError>() {
        Some(error) => writeln!(anstream::stderr(), "{}", error.styled()),
        None => writeln!(anstream::stderr(), "error: {error:#}"),
    };
}
