//! The guest packages as components: the examples, and the guests of the tests and
//! of the benchmark.
//!
//! They have a target folder of their own, so that neither their toolchain nor
//! their profile makes the host's artefacts stale.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::toolchain::{Entry, TARGET, Toolchain};
use crate::workspace::Workspace;
use crate::{child, terminal};

/// Every package of which each binary is a command for the sandbox, and each
/// example a handler.
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
    let toolchain = Toolchain::choose()?;
    let commands = toolchain.cargo_build(workspace, Entry::Command)?;
    let folder = build_all(commands, "--bins", workspace)?;
    let handlers = toolchain.cargo_build(workspace, Entry::Exports)?;
    build_all(handlers, "--examples", workspace)?;
    place_handlers(&folder)?;
    Ok(folder)
}

/// Builds the targets of one kind in every package.
fn build_all(mut cargo: Command, kind: &str, workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.target().join("guests");
    cargo
        .args(["--release", "--config", PROFILE, kind, "--target-dir"])
        .arg(&target);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    cargo.args(["--features", FEATURES]);
    child::run(&mut cargo, LIMIT).context("the guests do not build")?;
    Ok(target.join(TARGET).join("release"))
}

/// Puts the handlers beside the commands, under names like theirs: cargo has a
/// folder of its own for them, and a library's name is without dashes.
fn place_handlers(folder: &Path) -> Result<()> {
    let built = folder.join("examples");
    for entry in fs::read_dir(&built).with_context(|| built.display().to_string())? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str).and_then(component) else {
            continue;
        };
        let part = folder.join(format!("{name}.part"));
        // Nobody who reads one meanwhile reads half of it.
        fs::copy(&path, &part)
            .and_then(|_| fs::rename(&part, folder.join(&name)))
            .with_context(|| format!("cannot place {name}"))?;
    }
    Ok(())
}

/// The name of a handler, of the file that cargo made of it. It makes another one
/// with a dash and a hash.
fn component(file: &str) -> Option<String> {
    (file.ends_with(".wasm") && !file.contains('-')).then(|| file.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_told_from_what_lies_beside_it() {
        assert_eq!(
            component("echo_handler.wasm").as_deref(),
            Some("echo-handler.wasm")
        );
        assert_eq!(component("echo_handler-f664d9fd43a11b17.wasm"), None);
        assert_eq!(component("echo_handler.d"), None);
    }
}
