//! How this machine builds for wasm32-wasip2: found out at run time, said on
//! the terminal, and known to no other file.
//!
//! The normal way is the target's std beside rustc, where `rustup target add`
//! puts it. A machine that cannot fetch it builds std from Debian's packages,
//! with Debian's compiler and rustup's linkers.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::workspace::Workspace;
use crate::{apt, child, terminal};

/// The target that every guest is built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// What `apt-get` has to install for the Debian way.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";
/// The start of a command (`wasi:cli/run`).
const COMMAND_OBJECT: &str = "crt1-command.o";

/// A question to a compiler is answered at once.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);
/// A download of some tens of megabytes, and its installation.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How the host enters a component.
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// By its `main`.
    Command,
    /// By what it exports: it is a library. What has to be done first in it,
    /// wit-bindgen does in each export; `crt1-reactor.o` would do it twice.
    Exports,
}

/// One way to build for [`TARGET`].
pub(crate) enum Toolchain {
    /// The compiler of the workspace has the target's std.
    Sysroot,
    /// Debian's compiler builds std from source.
    Debian {
        /// Where rustup keeps `wasm-component-ld` and the `wasm-ld` it calls.
        linkers: [PathBuf; 2],
    },
}

impl Toolchain {
    /// The first way that works here, installing what it lacks.
    pub(crate) fn choose() -> Result<Self> {
        if sysroot_has_std()? {
            terminal::announce(&format!("guests: {TARGET} is installed beside rustc"));
            return Ok(Self::Sysroot);
        }
        let rustup_failure = match add_with_rustup() {
            Ok(()) => return Ok(Self::Sysroot),
            Err(failure) => failure,
        };
        if let Ok(toolchain) = find_debian() {
            terminal::announce(&format!(
                "guests: no {TARGET} beside rustc ({}); building std with Debian's {DEBIAN_RUSTC}",
                reason(&format!("{rustup_failure:#}")),
            ));
            return Ok(toolchain);
        }
        // Nothing is installed where it would not be enough.
        let debian = find_linkers()
            .and_then(|_| install_with_apt())
            .and_then(|()| find_debian());
        debian.map_err(|debian_failure| {
            anyhow!(
                "no way to build for {TARGET} on this machine\n  \
                 rustup: {}\n  Debian: {}\n\
                 install the target with `rustup target add {TARGET}`, or on Debian `apt-get install {}`",
                indent(&format!("{rustup_failure:#}")),
                indent(&format!("{debian_failure:#}")),
                PACKAGES.join(" "),
            )
        })
    }

    /// `cargo build` with all that the target needs; the caller adds what to
    /// build.
    pub(crate) fn cargo_build(&self, workspace: &Workspace, entry: Entry) -> Result<Command> {
        let mut cargo = match self {
            Self::Sysroot => workspace.cargo(),
            Self::Debian { .. } => workspace.command(DEBIAN_CARGO),
        };
        cargo
            .args(["build", "--target", TARGET])
            // Flags for this machine's processor or linker are not for wasm.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Self::Debian { linkers } = self {
            let path = env::var_os("PATH").unwrap_or_default();
            let path = linkers.iter().cloned().chain(env::split_paths(&path));
            cargo
                .arg("-Zbuild-std=std,panic_abort")
                .env("PATH", env::join_paths(path).context("PATH")?)
                .env("RUSTC", DEBIAN_RUSTC)
                // It lets a stable compiler build std.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_ENCODED_RUSTFLAGS", debian_rustflags(entry).join("\x1f"));
        }
        Ok(cargo)
    }
}

/// Whether the compiler of the workspace has the target's std.
fn sysroot_has_std() -> Result<bool> {
    let folder = ask(rustc().args(["--print", "target-libdir", "--target", TARGET]))?;
    // No such folder is the usual answer.
    let Ok(files) = fs::read_dir(folder.trim()) else {
        return Ok(false);
    };
    Ok(files
        .flatten()
        .any(|file| is_std(&file.file_name().to_string_lossy())))
}

fn is_std(file: &str) -> bool {
    file.starts_with("libstd-") && file.ends_with(".rlib")
}

fn add_with_rustup() -> Result<()> {
    if !apt::on_path("rustup") {
        bail!("not on PATH");
    }
    terminal::announce(&format!("guests: rustup target add {TARGET}"));
    let mut rustup = Command::new("rustup");
    rustup
        .args(["target", "add", TARGET])
        .env("RUST_BACKTRACE", "0");
    let ended = child::run_quietly(&mut rustup, DOWNLOAD_LIMIT)?;
    if !ended.status.success() {
        bail!("{}", ended.stderr.trim());
    }
    if !sysroot_has_std()? {
        bail!("it added {TARGET} to a toolchain other than the one of `rustc`");
    }
    Ok(())
}

/// Debian's compiler and std sources, if all that they take is here.
fn find_debian() -> Result<Toolchain> {
    for program in [DEBIAN_RUSTC, DEBIAN_CARGO] {
        if !Path::new(program).exists() {
            bail!("no {program}");
        }
    }
    let verbose = ask(Command::new(DEBIAN_RUSTC).arg("-vV"))?;
    let version = field(&verbose, "release")
        .and_then(release)
        .context("no release in `rustc -vV`")?;
    let needed =
        release(env!("CARGO_PKG_RUST_VERSION")).context("rust-version of the workspace")?;
    if version < needed {
        bail!(
            "{DEBIAN_RUSTC} is {}.{}, older than {}.{}",
            version.0,
            version.1,
            needed.0,
            needed.1
        );
    }
    let sysroot =
        PathBuf::from(ask(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]))?.trim());
    must_exist(
        &sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml"),
        "rust-web-src",
    )?;
    must_exist(&Path::new(DEBIAN_LIBC).join(COMMAND_OBJECT), "wasi-libc")?;
    Ok(Toolchain::Debian {
        linkers: find_linkers()?,
    })
}

/// Debian has neither `wasm-component-ld` nor the `wasm-ld` of its release;
/// rustup's compiler brings both for its host.
fn find_linkers() -> Result<[PathBuf; 2]> {
    let sysroot = ask(rustc().args(["--print", "sysroot"]))?;
    let verbose = ask(rustc().arg("-vV"))?;
    let host = field(&verbose, "host").context("no host in `rustc -vV`")?;
    let programs = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host)
        .join("bin");
    let wrappers = programs.join("gcc-ld");
    must_exist(&programs.join("wasm-component-ld"), "rustup's rustc")?;
    must_exist(&wrappers.join("wasm-ld"), "rustup's rustc")?;
    Ok([programs, wrappers])
}

fn must_exist(path: &Path, owner: &str) -> Result<()> {
    if !path.exists() {
        bail!("no {} (it comes with {owner})", path.display());
    }
    Ok(())
}

/// That libc knows nothing of what rustc links by itself, so it is named here.
fn debian_rustflags(entry: Entry) -> Vec<String> {
    let mut flags = vec![
        "-L".to_owned(),
        DEBIAN_LIBC.to_owned(),
        "-Clink-self-contained=no".to_owned(),
    ];
    match entry {
        Entry::Command => flags.push(format!("-Clink-arg={DEBIAN_LIBC}/{COMMAND_OBJECT}")),
        Entry::Exports => {}
    }
    flags
}

fn install_with_apt() -> Result<()> {
    terminal::announce(&format!(
        "guests: no {TARGET} beside rustc; apt-get install {}",
        PACKAGES.join(" ")
    ));
    // Another Rust of Debian may be in use here: `install` removes nothing.
    apt::install(&PACKAGES)
}

/// The compiler that the workspace is built with.
fn rustc() -> Command {
    Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

fn ask(question: &mut Command) -> Result<String> {
    let ended = child::run_quietly(question, QUESTION_LIMIT)?;
    if !ended.status.success() {
        bail!("{}: {}", child::name(question), ended.stderr.trim());
    }
    Ok(ended.stdout)
}

/// One line of `rustc -vV`.
fn field<'a>(verbose: &'a str, name: &str) -> Option<&'a str> {
    verbose
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Major and minor of a Rust release, which say what it can build.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What failed, of all that rustup says about it.
fn reason(said: &str) -> &str {
    let mut lines = said.lines();
    let error = lines.clone().find_map(|line| line.strip_prefix("error: "));
    let line = error.or_else(|| lines.next()).unwrap_or_default();
    line.split_once(": ").map_or(line, |(what, _causes)| what)
}

fn indent(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBOSE: &str = "\
rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)
binary: rustc
host: aarch64-unknown-linux-gnu
release: 1.96.0
LLVM version: 22.1.8
";

    #[test]
    fn the_host_and_release_are_read_from_the_compiler() {
        assert_eq!(field(VERBOSE, "host"), Some("aarch64-unknown-linux-gnu"));
        assert_eq!(field(VERBOSE, "release").and_then(release), Some((1, 96)));
        assert_eq!(field(VERBOSE, "commit-hash"), None);
    }

    #[test]
    fn releases_are_compared_by_number() {
        assert!(release("1.100.0-nightly") > release("1.95"));
        assert!(release("1.63.0") < release("1.95"));
        assert_eq!(release("1.95.0-beta.2"), release("1.95"));
        assert_eq!(release("unknown"), None);
    }

    #[test]
    fn std_is_told_from_what_lies_beside_it() {
        assert!(is_std("libstd-145b48c578b2b1aa.rlib"));
        assert!(!is_std("libstd-145b48c578b2b1aa.rmeta"));
        assert!(!is_std("libstd_detect-fa8fc216ac5538ba.rlib"));
        assert!(!is_std("self-contained"));
    }

    #[test]
    fn the_reason_is_found_among_rustups_lines() {
        check_reason(
            "info: downloading\nerror: no std: no network: refused",
            "no std",
        );
        check_reason("not on PATH", "not on PATH");
        check_reason("", "");
    }

    #[track_caller]
    fn check_reason(said: &str, expected: &str) {
        assert_eq!(reason(said), expected);
    }
}
