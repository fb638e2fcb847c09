//! `cargo xtask`: the chores of this repository as one small program, so that
//! a machine with Rust needs nothing else to do them.
//!
//! It must build in seconds, so it depends on no other crate of the workspace
//! and parses its arguments itself.

mod apt;
mod bench;
mod child;
mod demo;
mod guests;
mod liveness;
mod peers;
mod rows;
mod soak;
mod terminal;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use crate::workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask <task>

  bench    measure the echo of every kind side by side; `bench --help` has its options
  demo     build everything and watch a sandboxed server and client meet
  guests   build the guest components and print the folder they are in
  liveness hostile guests beside an honest client, for ten minutes, or as many as
           `--minutes` says; `--seed` has the same sequences, `--case` one of them
  peers    fetch what the examples are tested against and print its folder
  rows     list rows of docs/interface.md without a test, and fail if there are any
  soak     full load on the server with faults thrown in, for ten minutes, or
           as many as `--minutes` says
  test     run every check that a change has to pass
";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let workspace = Workspace::new();
    let outcome = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        // Who forwards options to cargo is used to a `--` before them.
        ["bench", "--", options @ ..] | ["bench", options @ ..] => bench::run(&workspace, options),
        ["demo"] => demo::run(&workspace),
        ["guests"] => guests::run(&workspace),
        ["liveness", options @ ..] => liveness::run(&workspace, options),
        ["peers"] => peers::run(&workspace),
        ["rows"] => rows::run(&workspace),
        ["soak"] => soak::run(&workspace, None),
        ["soak", "--minutes", minutes] => soak::run(&workspace, Some(minutes)),
        ["test"] => test::run(&workspace),
        ["help" | "--help" | "-h"] => {
            terminal::result(USAGE.trim_end());
            return ExitCode::SUCCESS;
        }
        _ => {
            terminal::note(USAGE.trim_end());
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
