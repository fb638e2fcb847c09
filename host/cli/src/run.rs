//! `portcullis run`.

use std::env::{self, VarError};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use portcullis::wasmtime_wasi::WasiCtxBuilder;
use portcullis::{
    AuditLog, Ctx, Engine, EngineBuilder, Network, Outcome, Policy, Program, Shown, Speaker,
    SystemResolver, TrapReport,
};

use crate::arguments::{GuestArguments, PolicyArguments, ResolverKind, RunArguments};
use crate::audit;
use crate::cache;
use crate::exit::Exit;
use crate::folders::Folders;
use crate::interrupt;
use crate::report::Report;
use crate::stderr;
use crate::terminal::Terminal;

/// How long what a program does with files may take to end after the program.
const FILES: Duration = Duration::from_secs(1);

/// Runs a program to its end.
pub(crate) fn run(arguments: RunArguments) -> Result<Exit> {
    let RunArguments { guest, shadow, ask } = arguments;
    let folders = folders(&guest, [])?;
    let policy = folders.guard(&policy(&guest.policy)?)?;
    let log = audit::open(guest.audit.as_deref())?;
    // People and programs do not read the same stream.
    let report = (!audit::is_stderr(guest.audit.as_deref())).then(|| Report::new(stderr::say));
    let audit = (log.clone(), report.clone());
    let network = network(guest.resolver).with_audit(audit);
    let network = match (shadow, ask) {
        (true, _) => {
            let what = match guest.policy.ceiling.is_empty() {
                true => "nothing",
                false => "nothing but the ceiling",
            };
            stderr::say(&Shown::line(format_args!(
                "portcullis: shadow: {what} is enforced; what would be denied is reported"
            )));
            network.with_policy(policy.shadowed())
        }
        (false, true) => network
            .with_policy(policy.growing())
            .with_ask(Terminal::new(&guest)),
        (false, false) => network.with_policy(policy),
    };
    let finish = move || report.iter().for_each(Report::finish);
    let interrupted = interrupt::heed(finish.clone())?;
    let exit = execute(&guest, &Arc::new(folders), network, log, interrupted)?;
    finish();
    Ok(exit)
}

/// Runs a program within a network until it ends, or `interrupted` says how it is to
/// end, with a log that can be rotated meanwhile. Says why it was ended, if it was not
/// by itself.
pub(crate) fn execute(
    arguments: &GuestArguments,
    folders: &Arc<Folders>,
    network: Network,
    log: Option<AuditLog>,
    interrupted: impl Future<Output = Exit>,
) -> Result<Exit> {
    let mut wasi = surroundings(arguments, &variables(arguments)?);
    folders.give(&mut wasi)?;
    let speaker = Speaker::new();
    wasi.inherit_stdin()
        .inherit_stdout()
        .stderr(speaker.heard(io::stderr()));
    let wasi = wasi.build();
    let program = Program::load(&engine(Engine::builder())?, &arguments.program)?;
    if program.imports_wasi_sockets() {
        stderr::say(&wasi_sockets(&arguments.program));
    }
    // One guest, one thread: nothing is handed from thread to thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        match log {
            Some(log) if !audit::is_stderr(arguments.audit.as_deref()) => {
                let (folders, own) = (Arc::clone(folders), arguments.audit.clone());
                audit::heed_hangups(log, move || folders.keep_from(own.as_deref()))?;
            }
            // A terminal that hangs up ends it, as ever.
            Some(_) | None => {}
        }
        let mut ctx = Ctx::new(network);
        for socket in &arguments.socket {
            let opened = preopen(&mut ctx, socket).await;
            if let Some(failure) = ctx.network().audit_failure() {
                return Ok(Ok(Outcome::Unaudited(failure.clone())));
            }
            opened?;
        }
        let network = ctx.network().clone();
        let outcome = tokio::select! {
            // It is listened for before the program begins.
            biased;
            exit = interrupted => Ok(Err(exit)),
            outcome = program.run(wasi, ctx) => outcome.map(Ok).map_err(with_causes),
        };
        match network.audit_failure() {
            Some(failure) => Ok(Ok(Outcome::Unaudited(failure.clone()))),
            None => outcome,
        }
    });
    // What is being written to a file may end; a pipe in a folder may never.
    runtime.shutdown_timeout(FILES);
    Ok(match outcome? {
        Ok(outcome) => exit(&arguments.program, outcome, &speaker),
        Err(exit) => exit,
    })
}

/// That a component asks for sockets that it does not get.
pub(crate) fn wasi_sockets(program: &Path) -> Shown {
    Shown::line(format_args!(
        "portcullis: {} imports `wasi:sockets`, which is there and denies everything as yet, \
         whatever is granted: build it with `portcullis:sockets` (the crate `portcullis-guest`)",
        program.display()
    ))
}

/// How the command is to end; says why, where the program did not end by itself.
fn exit(program: &Path, outcome: Outcome, speaker: &Speaker) -> Exit {
    match outcome {
        Outcome::Exit(code) => Exit::Guest(code),
        Outcome::Trap(error) => {
            let program = Shown::line(program.display());
            stderr::say(&Shown::lines(format_args!(
                "error: {program}: trapped: {}",
                TrapReport::new(&speaker.explain(error)).lines()
            )));
            Exit::Trap
        }
        Outcome::Unaudited(failure) => {
            stderr::say(&Shown::line(format_args!("error: {failure}")));
            Exit::Unaudited
        }
    }
}

/// Opens a socket for the program: `web=tcp://0.0.0.0:443`.
async fn preopen(ctx: &mut Ctx, socket: &str) -> Result<()> {
    let taken: Vec<&str> = ctx.preopens().iter().map(|(name, _)| &**name).collect();
    let (name, grant) = named_socket(socket, &taken)?;
    ctx.preopen(name, grant)
        .await
        .with_context(|| format!("--socket {socket}"))
}

/// The name of a `--socket`, which no other has, and what to open.
pub(crate) fn named_socket<'a>(socket: &'a str, taken: &[&str]) -> Result<(&'a str, &'a str)> {
    let (name, grant) = match socket.split_once('=') {
        Some((name, grant)) if !name.is_empty() => (name, grant),
        Some((_, grant)) => bail!("--socket {socket}: give a name, as in `web={grant}`"),
        None if socket.contains(':') => {
            bail!("--socket {socket}: give a name, as in `web={socket}`")
        }
        None => bail!("--socket {socket}: say what to open, as in `{socket}=tcp://127.0.0.1:8080`"),
    };
    if taken.contains(&name) {
        bail!("--socket {socket}: there is a socket `{name}` already; give each a name of its own");
    }
    Ok((name, grant))
}

/// A network without a grant as yet.
pub(crate) fn network(resolver: ResolverKind) -> Network {
    let network = Network::new(Policy::default());
    match resolver {
        ResolverKind::Dns => network,
        ResolverKind::System => network.with_resolver(SystemResolver::default()),
    }
}

/// Reads and compiles a policy.
pub(crate) fn policy(arguments: &PolicyArguments) -> Result<Policy> {
    let mut policy = Policy::builder();
    for path in &arguments.policy {
        policy = policy.file(&path.display().to_string(), &text(path)?);
    }
    for path in &arguments.ceiling {
        policy = policy.ceiling(&path.display().to_string(), &text(path)?);
    }
    for grant in &arguments.allow {
        policy = policy.allow(grant);
    }
    for grant in &arguments.deny {
        policy = policy.deny(grant);
    }
    Ok(policy.build()?)
}

/// Reads a policy file.
pub(crate) fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read the policy {}", path.display()))
}

/// What a guest has beside the network, but for folders, an input and outputs.
pub(crate) fn surroundings(
    arguments: &GuestArguments,
    variables: &[(String, String)],
) -> WasiCtxBuilder {
    let mut wasi = portcullis::wasi();
    wasi.arg(arguments.program.to_string_lossy())
        .args(&arguments.arguments)
        .envs(variables);
    wasi
}

/// The environment variables of a guest.
pub(crate) fn variables(arguments: &GuestArguments) -> Result<Vec<(String, String)>> {
    let variable = |variable: &String| match variable.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => match env::var(variable) {
            Ok(value) => Ok((variable.clone(), value)),
            Err(VarError::NotPresent) => {
                bail!("--env {variable}: no such variable here; give it a value: {variable}=…")
            }
            Err(error) => Err(error).with_context(|| format!("--env {variable}")),
        },
    };
    arguments.env.iter().map(variable).collect()
}

/// Opens a guest's folders, where none of them holds what the operator named: the
/// files of the arguments, and `more`.
pub(crate) fn folders<'a>(
    arguments: &'a GuestArguments,
    more: impl IntoIterator<Item = &'a Path>,
) -> Result<Folders> {
    let folders = Folders::open(&arguments.dir)?;
    folders.keep_from(arguments.held_by().chain(more))?;
    for socket in &arguments.socket {
        let endpoint = socket.split_once('=').map_or(&**socket, |(_, grant)| grant);
        folders
            .keep_from_socket(endpoint)
            .with_context(|| format!("--socket {socket}"))?;
    }
    Ok(folders)
}

/// The engine with the user's cache of compiled code; without, where they have
/// no safe place for one.
pub(crate) fn engine(builder: EngineBuilder) -> Result<Engine> {
    let engine = match cache::folder() {
        Some(folder) => builder
            .clone()
            .cache(&folder)
            .build()
            .or_else(|_| builder.build()),
        None => builder.build(),
    };
    engine
        .map_err(with_causes)
        .context("cannot start the WebAssembly engine")
}

/// wasmtime's errors are not `std::error::Error`s, and in the words of a component.
pub(crate) fn with_causes(error: portcullis::wasmtime::Error) -> anyhow::Error {
    anyhow!(Shown::line(format_args!("{error:#}")))
}
