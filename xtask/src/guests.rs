//! The guest packages as components: the examples, and the guests of the tests and
//! of the benchmark.
//!
//! They have a target folder of their own, so that neither their toolchain nor
//! their profile makes the host's artefacts stale.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::toolchain::{TARGET, Toolchain};
use crate::workspace::Workspace;
use crate::{child, terminal};

/// Every package of which each binary is a command for the sandbox.
const PACKAGES: [&str; 3] = [
    "portcullis-bench-guests",
    "portcullis-examples",
    "portcullis-test-guests",
];

/// What is built for wasm alone. On the host, TLS would ask more of crates below
/// wasmtime (sha2, syn) than the command does, and wasmtime be compiled twice.
const FEATURES: &str = "portcullis-examples/tls";

/// A whole-program LTO makes a component 10 to 15% smaller than the thin one
/// of the host's release profile and links no slower. `opt-level = "s"` saves
/// nothing where std comes compiled, and stripping names (another 15%) would
/// leave a trap's backtrace without functions.
const PROFILE: &str = r#"profile.release.lto="fat""#;

/// The first build compiles std on some machines.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Builds the guests and says where they are.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = build(workspace)?;
    terminal::result(&folder.display().to_string());
    Ok(())
}

/// Builds the guests and returns the folder of the `.wasm` files.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.target().join("guests");
    let mut cargo = Toolchain::choose()?.cargo_build(workspace)?;
    cargo
        .args(["--release", "--config", PROFILE, "--bins", "--target-dir"])
        .arg(&target);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    cargo.args(["--features", FEATURES]);
    child::run(&mut cargo, LIMIT).context("the guests do not build")?;
    Ok(target.join(TARGET).join("release"))
}
