//! `cargo xtask bench`: builds the command, the guests and the benchmark as they
//! are released, and runs it. What is measured is for the benchmark to know.

use std::env::consts::EXE_SUFFIX;
use std::time::Duration;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{child, guests};

/// The first build compiles wasmtime.
const BUILD_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// As many rounds as anybody has patience for.
const RUN_LIMIT: Duration = Duration::from_secs(12 * 60 * 60);

/// Where the benchmark finds the components.
const GUESTS: &str = "PORTCULLIS_GUESTS";

/// Runs the benchmark with these options of its own.
pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> Result<()> {
    let guests = guests::build(workspace)?;
    // The whole workspace, so that nothing is compiled with other features than
    // in the tests.
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--workspace", "--release"]).args([
        "--bin",
        "portcullis",
        "--bin",
        "portcullis-benches",
    ]);
    child::run(&mut cargo, BUILD_LIMIT)?;
    let benchmark = format!("release/portcullis-benches{EXE_SUFFIX}");
    let out = workspace.target().join("bench");
    let mut benchmark = workspace.command(workspace.target().join(benchmark));
    benchmark.env(GUESTS, guests).arg("--out").arg(out);
    child::run(benchmark.args(options), RUN_LIMIT)
}
