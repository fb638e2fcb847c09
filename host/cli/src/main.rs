//! The `portcullis` command: a thin layer over the `portcullis` library.
//!
//! It reads the command line, prints, and chooses the exit code. It decides
//! nothing.

mod arguments;
mod audit;
mod cache;
mod exit;
mod learn;
mod log;
mod policy_file;
mod report;
mod run;
mod terminal;

use std::io::Write;

use arguments::{Arguments, Command};
use exit::Exit;

fn main() {
    let arguments = Arguments::read();
    let exit = log::start(arguments.log.as_deref()).and_then(|()| match arguments.command {
        Command::Learn(arguments) => learn::learn(arguments),
        Command::Run(arguments) => run::run(arguments),
    });
    let exit = exit.unwrap_or_else(|error| {
        // Nothing is left to do where standard error is gone.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        Exit::Usage
    });
    // Without waiting for a thread that may be blocked on standard input.
    std::process::exit(exit.code());
}
