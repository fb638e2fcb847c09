//! `cargo xtask liveness`: random sequences of calls by hostile guests, beside which an
//! honest client of the server is answered in time.
//!
//! What the sequences are, and what is looked at, `tests/src/bin/liveness` says.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::soak::{build, program};
use crate::workspace::Workspace;
use crate::{child, guests};

/// For how long it goes where nothing else is said.
const MINUTES: u64 = 10;

/// What it may take beside that. To make one sequence smaller takes many trials.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Builds what it takes, and runs it as the options say.
pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let (mut minutes, mut seed, mut case) = (MINUTES, None, None);
    for option in options.chunks(2) {
        let [name, value] = option else {
            bail!("{} takes a number", option.join(" "));
        };
        let number: u64 = value
            .parse()
            .with_context(|| format!("{name} takes a number"))?;
        match *name {
            "--minutes" => minutes = number,
            "--seed" => seed = Some(number),
            "--case" => case = Some(number),
            _ => bail!("no option is called {name}"),
        }
    }
    if case.is_some() && seed.is_none() {
        bail!("--case is one of a --seed");
    }
    let guests = guests::build(workspace)?;
    fuzz(workspace, &guests, minutes, seed, case)
}

/// With the guests in a folder. Without a seed, the sequences are new ones.
pub(crate) fn fuzz(
    workspace: &Workspace,
    guests: &Path,
    minutes: u64,
    seed: Option<u64>,
    case: Option<u64>,
) -> Result<()> {
    build(workspace, "liveness")?;
    let seconds = minutes.saturating_mul(60);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut fuzz = workspace.command(program(workspace, "liveness"));
    fuzz.arg(program(workspace, "portcullis"))
        .arg(guests.join("liveness.wasm"))
        .arg(seconds.to_string())
        .arg(seed.unwrap_or(now.as_secs()).to_string())
        .args(case.map(|case| case.to_string()));
    child::run(&mut fuzz, LIMIT + Duration::from_secs(seconds))
}
