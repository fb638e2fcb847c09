//! `cargo xtask soak`: full load on the server with faults thrown in, which loses
//! nobody's answer and takes no more of the machine at the end than at the beginning.
//!
//! What the load is, and what is looked at, `tests/src/bin/soak` says.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use crate::{child, guests};

/// For how long it goes where nobody says.
const MINUTES: u64 = 10;

/// The first build compiles wasmtime.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What it may take beside the load itself.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Builds what it takes, and runs it for the minutes that the arguments say.
pub(crate) fn run(workspace: &Workspace, minutes: Option<&str>) -> Result<()> {
    let minutes = minutes.map(str::parse).transpose();
    let minutes = minutes.context("--minutes takes a number")?;
    let guests = guests::build(workspace)?;
    soak(workspace, &guests, minutes.unwrap_or(MINUTES))
}

/// With the guests in a folder.
pub(crate) fn soak(workspace: &Workspace, guests: &Path, minutes: u64) -> Result<()> {
    build(workspace, "soak")?;
    let seconds = minutes.saturating_mul(60);
    let mut soak = workspace.command(program(workspace, "soak"));
    soak.arg(program(workspace, "portcullis"))
        .arg(guests.join("handler-faults.wasm"))
        .arg(seconds.to_string());
    // It begins with a quarter of the time, for which nothing is looked at.
    child::run(
        &mut soak,
        LIMIT + Duration::from_secs(seconds + seconds / 4),
    )
}

/// Builds the server, and what puts it under load.
pub(crate) fn build(workspace: &Workspace, driver: &str) -> Result<()> {
    // With the features of the whole workspace, as the tests build it.
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--workspace",
        "--bin",
        "portcullis",
        "--bin",
        driver,
    ]);
    child::run(&mut cargo, BUILD_LIMIT)
}

/// Where one of them is.
pub(crate) fn program(workspace: &Workspace, name: &str) -> PathBuf {
    let folder = workspace.target().join("debug");
    folder.join(format!("{name}{EXE_SUFFIX}"))
}
