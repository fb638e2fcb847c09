//! `portcullis policy`: what a policy says, before anything runs. It must not
//! decide: the policy does.

pub(crate) mod arguments;
mod check;
mod diff;
mod explain;
mod places;

use std::io::{self, Write};

use anyhow::{Context, Result};
use arguments::PolicyCommand;
use portcullis::Shown;
use serde_json::Value;

use crate::exit::Exit;

/// Does what the command says.
pub(crate) fn policy(command: &PolicyCommand) -> Result<Exit> {
    match command {
        PolicyCommand::Check(arguments) => check::check(arguments),
        PolicyCommand::Diff(arguments) => diff::diff(arguments),
        PolicyCommand::Explain(arguments) => explain::explain(arguments),
    }
}

/// Prints the text, or the value if that is what was asked for.
fn print(as_json: bool, text: &str, value: impl FnOnce() -> Value) -> Result<()> {
    let text = match as_json {
        true => Shown::json(format!("{:#}\n", value())),
        false => Shown::whole(text),
    };
    io::stdout()
        .lock()
        .write_all(text.as_str().as_bytes())
        .context("cannot write to standard output")
}
