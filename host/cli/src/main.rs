//! The `portcullis` command: a thin layer over the `portcullis` library.
//!
//! It reads the command line, prints, and chooses the exit code. It decides
//! nothing.

mod access_log;
mod arguments;
mod audit;
mod cache;
mod compile;
mod complaints;
mod entry;
mod exit;
mod folders;
mod health;
mod interrupt;
mod learn;
mod log;
mod metrics;
mod mounts;
mod output;
mod policy;
mod policy_file;
mod report;
mod run;
mod serve;
mod stderr;
mod terminal;
mod trail;
mod watch;

use std::io;

use arguments::{Arguments, Command};
use exit::Exit;
use portcullis::{PolicyError, Shown};

fn main() {
    let arguments = Arguments::read();
    let log = match arguments.command {
        Command::Serve(_) => log::start(arguments.log.as_deref(), || &*output::STDERR),
        Command::Compile(_) | Command::Learn(_) | Command::Policy(_) | Command::Run(_) => {
            log::start(arguments.log.as_deref(), io::stderr)
        }
    };
    let exit = log.and_then(|()| match arguments.command {
        Command::Compile(arguments) => compile::compile(arguments),
        Command::Learn(arguments) => learn::learn(arguments),
        Command::Policy(command) => policy::policy(&command),
        Command::Run(arguments) => run::run(arguments),
        Command::Serve(arguments) => serve::serve(arguments),
    });
    let exit = exit.unwrap_or_else(|error| {
        say(&error);
        Exit::Usage
    });
    // Without waiting for a thread that may be blocked on standard input.
    std::process::exit(exit.code());
}

/// Says what went wrong, in colours where there is a terminal.
fn say(error: &anyhow::Error) {
    stderr::say(&match error.downcast_ref::<PolicyError>() {
        Some(error) => error.styled(),
        None => Shown::lines(format_args!("error: {error:#}")),
    });
}
