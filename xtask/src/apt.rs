//! Debian's packages, where the machine has `apt-get` and we may use it.
//!
//! What they are for is for the caller to know and to announce.

use std::env;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::child;

/// A question is answered at once.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);
/// A download of some tens of megabytes, and its installation.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Installs packages on this machine. Needs root, or sudo without a password.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    update()?;
    // What is in use here is not ours to remove.
    let install = [
        "-q",
        "install",
        "-y",
        "--no-remove",
        "--no-install-recommends",
    ];
    as_root(&[install.as_slice(), packages].concat())
}

/// Brings the lists of packages up to date. Needs what [`install`] needs.
pub(crate) fn update() -> Result<()> {
    as_root(&["-q", "update"])
}

/// Whether a program is installed.
pub(crate) fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn as_root(arguments: &[&str]) -> Result<()> {
    if !on_path("apt-get") {
        bail!("no apt-get");
    }
    let sudo = match () {
        () if succeeds(Command::new("sh").args(["-c", "test $(id -u) = 0"])) => None,
        () if on_path("sudo") && succeeds(Command::new("sudo").args(["-n", "true"])) => {
            Some("sudo")
        }
        () => bail!("installing packages needs root"),
    };
    let mut command = Command::new(sudo.unwrap_or("env"));
    command
        .args(sudo.map(|_| "-n"))
        .args(sudo.map(|_| "env"))
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
        .args(arguments)
        .stdout(Stdio::from(io::stderr()));
    child::run(&mut command, DOWNLOAD_LIMIT)
}

fn succeeds(question: &mut Command) -> bool {
    child::run_quietly(question, QUESTION_LIMIT).is_ok_and(|ended| ended.status.success())
}
