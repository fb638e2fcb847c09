//! `portcullis run`.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use portcullis::wasmtime_wasi::{FsPerms, WasiCtx};
use portcullis::{Ctx, Engine, Network, Outcome, Policy, Program, SystemResolver};

use crate::arguments::{PolicyArguments, ResolverKind, RunArguments};
use crate::audit::Audits;
use crate::cache;
use crate::exit::Exit;

/// Runs a program to its end.
pub(crate) fn run(arguments: RunArguments) -> Result<Exit> {
    let policy = policy(&arguments.policy)?;
    let wasi = wasi(&arguments)?;
    let program = Program::load(&engine()?, &arguments.program)?;

    let audits = Audits::open(arguments.audit.as_deref())?;
    let network = network(policy, arguments.resolver).with_audit(audits.clone());
    // One guest, one thread: nothing is handed from thread to thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        audits.heed_hangups()?;
        let mut ctx = Ctx::new(network);
        for socket in &arguments.socket {
            let opened = preopen(&mut ctx, socket).await;
            if let Some(failure) = ctx.network().audit_failure() {
                return Ok(Outcome::Unaudited(failure.clone()));
            }
            opened?;
        }
        program.run(wasi, ctx).await.map_err(with_causes)
    })?;
    audits.finish();
    match outcome {
        Outcome::Exit(code) => Ok(Exit::Guest(code)),
        Outcome::Trap(error) => {
            // The functions of the guest are called what the guest likes.
            let trap = printable(&format!("{error:?}"));
            let program = arguments.program.display();
            let _ = writeln!(io::stderr(), "error: {program}: trapped: {trap}");
            Ok(Exit::Trap)
        }
        Outcome::Unaudited(failure) => {
            let _ = writeln!(io::stderr(), "error: {failure}");
            Ok(Exit::Unaudited)
        }
    }
}

/// Opens a socket for the program: `web=tcp://0.0.0.0:443`.
async fn preopen(ctx: &mut Ctx, socket: &str) -> Result<()> {
    let (name, grant) = match socket.split_once('=') {
        Some((name, grant)) if !name.is_empty() => (name, grant),
        Some((_, grant)) => bail!("--socket {socket}: give a name, as in `web={grant}`"),
        None if socket.contains(':') => {
            bail!("--socket {socket}: give a name, as in `web={socket}`")
        }
        None => bail!("--socket {socket}: say what to open, as in `{socket}=tcp://127.0.0.1:8080`"),
    };
    if ctx.preopens().iter().any(|(other, _)| other == name) {
        bail!("--socket {socket}: there is a socket `{name}` already; give each a name of its own");
    }
    ctx.preopen(name, grant)
        .await
        .with_context(|| format!("--socket {socket}"))
}

/// The text without what a terminal would act on.
fn printable(text: &str) -> String {
    let shown = |char: char| match char {
        '\n' | '\t' => char,
        _ if char.is_control() => char::REPLACEMENT_CHARACTER,
        _ => char,
    };
    text.chars().map(shown).collect()
}

fn network(policy: Policy, resolver: ResolverKind) -> Network {
    let network = Network::new(policy);
    match resolver {
        ResolverKind::Dns => network,
        ResolverKind::System => network.with_resolver(SystemResolver::default()),
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
        cache::keep_out(Path::new(host)).with_context(|| format!("--dir {dir}"))?;
        wasi.preopened_dir(host, guest, FsPerms::ReadWrite)
            .map_err(with_causes)
            .with_context(|| format!("--dir {dir}: cannot open {host}"))?;
    }
    Ok(wasi.build())
}

/// The engine with the user's cache of compiled code; without, where they have
/// no safe place for one.
fn engine() -> Result<Engine> {
    let engine = match cache::folder() {
        Some(folder) => Engine::with_cache(&folder).or_else(|_| Engine::new()),
        None => Engine::new(),
    };
    engine
        .map_err(with_causes)
        .context("cannot start the WebAssembly engine")
}

/// wasmtime's errors are not `std::error::Error`s.
fn with_causes(error: portcullis::wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
