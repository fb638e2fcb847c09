//! What the examples are tested against: servers and clients that others wrote,
//! from PyPI and Debian, in a folder of our own.
//!
//! Debian's packages are fetched and unpacked there rather than installed, which
//! takes no root and starts no daemons. Only curl, openssl and Python are taken from the
//! machine, and installed where they are missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{apt, child, terminal};

/// The Python packages with their versions.
const REQUIREMENTS: &str = "host/cli/tests/protocols/requirements.txt";

/// What is installed for each program that the machine has to have.
const MACHINE: [(&str, &str); 3] = [
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("python3", "python3-venv"),
];

/// What is unpacked with the libraries that it needs.
const PACKAGES: [&str; 3] = ["gophernicus", "netcat-openbsd", "redis-server"];
/// A news server that needs no library, and depends on a mail server and an
/// inetd that nobody here will run.
const PACKAGE_ALONE: &str = "sn";
/// What the packages have to bring.
const PROGRAMS: [&str; 6] = [
    "bin/nc.openbsd",
    "usr/bin/redis-server",
    "usr/sbin/gophernicus",
    "usr/sbin/snnewgroup",
    "usr/sbin/snntpd.bin",
    "usr/sbin/snstore",
];

/// Some ten megabytes.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Fetches the peers and says where they are.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = prepare(workspace)?;
    terminal::result(&folder.display().to_string());
    Ok(())
}

/// Fetches what is missing and returns the folder of it all.
pub(crate) fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("peers");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    install_missing()?;
    let requirements = workspace.root().join(REQUIREMENTS);
    prepare_python(&folder, &requirements)
        .with_context(|| format!("cannot install {REQUIREMENTS} in {}", folder.display()))?;
    prepare_programs(&folder.join("debian"))?;
    Ok(folder)
}

fn install_missing() -> Result<()> {
    let missing: Vec<_> = MACHINE
        .iter()
        .filter(|(program, _)| !apt::on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install {}", missing.join(" "));
    terminal::announce(&format!("peers: {install}"));
    apt::install(&missing).with_context(|| format!("the tests need `{install}` or the like"))
}

/// A virtual environment. It is made anew when the requirements change.
fn prepare_python(folder: &Path, requirements: &Path) -> Result<()> {
    let environment = folder.join("python");
    let python = environment.join("bin/python");
    let installed = folder.join("requirements.txt");
    let wanted = fs::read(requirements)?;
    if python.exists() && fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    terminal::announce("peers: pip install from PyPI");
    let create = || {
        let mut create = Command::new("python3");
        create.args(["-m", "venv", "--clear"]).arg(&environment);
        child::run(&mut create, LIMIT)
    };
    if create().is_err() {
        // Debian's python3 comes without pip.
        apt::install(&["python3-venv"]).context("the tests need `apt-get install python3-venv`")?;
        create()?;
    }
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(requirements);
    child::run(&mut install, LIMIT)?;
    // Last, so that what failed half way is begun again.
    fs::write(installed, wanted)?;
    Ok(())
}

fn prepare_programs(root: &Path) -> Result<()> {
    let missing = |root: &Path| PROGRAMS.iter().find(|program| !root.join(program).exists());
    if missing(root).is_none() {
        return Ok(());
    }
    terminal::announce(&format!(
        "peers: unpacking Debian's {} and {PACKAGE_ALONE}; nothing is installed",
        PACKAGES.join(", ")
    ));
    let archives = root.with_extension("archives");
    let fetched = fetch(&archives).or_else(|_| {
        // The lists of packages are missing or old.
        apt::update()?;
        fetch(&archives)
    });
    fetched
        .and_then(|()| unpack(&archives, root))
        .with_context(|| {
            format!(
                "the tests need programs of Debian's; try `apt-get update` as root, or put them into {}: {}",
                root.display(),
                PROGRAMS.join(", ")
            )
        })?;
    if let Some(program) = missing(root) {
        bail!("Debian's packages have no {program}");
    }
    Ok(())
}

/// The packages and what they depend on and this machine lacks. Nothing is
/// installed, so no lock of the machine's is needed.
fn fetch(archives: &Path) -> Result<()> {
    fs::create_dir_all(archives.join("partial"))?;
    let mut cache = std::ffi::OsString::from("Dir::Cache::archives=");
    cache.push(archives);
    let mut install = Command::new("apt-get");
    install
        .args(["-qq", "install", "-y", "--download-only", "--reinstall"])
        .args(["--no-install-recommends", "-o", "Debug::NoLocking=1", "-o"])
        .arg(cache)
        .args(PACKAGES);
    quietly(&mut install)?;
    let mut download = Command::new("apt-get");
    download
        .args(["-qq", "download", PACKAGE_ALONE])
        .current_dir(archives);
    quietly(&mut download)
}

fn unpack(archives: &Path, root: &Path) -> Result<()> {
    for file in fs::read_dir(archives)? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            quietly(Command::new("dpkg-deb").arg("-x").arg(file).arg(root))?;
        }
    }
    fs::remove_dir_all(archives)?;
    Ok(())
}

fn quietly(command: &mut Command) -> Result<()> {
    let ended = child::run_quietly(command, LIMIT)?;
    if !ended.status.success() {
        bail!("{}: {}", child::name(command), ended.stderr.trim());
    }
    Ok(())
}
