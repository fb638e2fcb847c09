//! `portcullis run`.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use portcullis::wasmtime_wasi::{FsPerms, WasiCtx};
use portcullis::{Engine, Network, Outcome, Policy, Program};

use crate::arguments::{PolicyArguments, RunArguments};
use crate::exit::Exit;
use crate::report::Report;

/// Runs a program to its end.
pub(crate) fn run(arguments: RunArguments) -> Result<Exit> {
    let policy = policy(&arguments.policy)?;
    let wasi = wasi(&arguments)?;
    let program = Program::load(&engine()?, &arguments.program)?;

    let report = Report::default();
    let network = Network::new(policy).with_audit(report.clone());
    // One guest, one thread: nothing is handed from thread to thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime
        .block_on(program.run(wasi, network))
        .map_err(with_causes)?;
    report.finish();
    match outcome {
        Outcome::Exit(code) => Ok(Exit::Guest(code)),
        Outcome::Trap(error) => {
            use std::io::Write;
            let _ = writeln!(
                std::io::stderr(),
                "error: {}: trapped: {error:?}",
                arguments.program.display()
            );
            Ok(Exit::Trap)
        }
    }
}

fn policy(arguments: &PolicyArguments) -> Result<Policy> {
    let mut policy = Policy::builder();
    for path in &arguments.policy {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the policy {}", path.display()))?;
        policy = policy.file(&path.display().to_string(), &text);
    }
    for grant in &arguments.allow {
        policy = policy.allow(grant);
    }
    for grant in &arguments.deny {
        policy = policy.deny(grant);
    }
    Ok(policy.build()?)
}

fn wasi(arguments: &RunArguments) -> Result<WasiCtx> {
    let mut wasi = WasiCtx::builder();
    wasi.inherit_stdio()
        .arg(arguments.program.to_string_lossy())
        .args(&arguments.arguments);
    for variable in &arguments.env {
        let (name, value) = match variable.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let value = env::var(variable).with_context(|| {
                    format!(
                        "--env {variable}: no such variable here; give it a value: {variable}=…"
                    )
                })?;
                (variable.as_str(), value)
            }
        };
        wasi.env(name, value);
    }
    for dir in &arguments.dir {
        let (host, guest) = dir.split_once("::").unwrap_or((dir, dir));
        if host.is_empty() || guest.is_empty() {
            bail!("--dir {dir}: give a folder, or HOST::GUEST");
        }
        wasi.preopened_dir(host, guest, FsPerms::ReadWrite)
            .map_err(with_causes)
            .with_context(|| format!("--dir {dir}: cannot open {host}"))?;
    }
    Ok(wasi.build())
}

/// The engine with the user's cache of compiled code; without, where they have
/// no place for one.
fn engine() -> Result<Engine> {
    let engine = match cache_folder() {
        Some(folder) => Engine::with_cache(&folder).or_else(|_| Engine::new()),
        None => Engine::new(),
    };
    engine
        .map_err(with_causes)
        .context("cannot start the WebAssembly engine")
}

/// `portcullis` in the user's cache folder (XDG Base Directory Specification).
fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(folder.join("portcullis"))
}

/// wasmtime's errors are not `std::error::Error`s.
fn with_causes(error: portcullis::wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
