//! `portcullis serve`.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portcullis::wasmtime_wasi::WasiCtx;
use portcullis::{AuditLog, Ending, Engine, Handler, Log, Served, Server, Service};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::ServeArguments;
use crate::audit;
use crate::exit::Exit;
use crate::report::Report;
use crate::run;

/// Serves until a signal ends it.
pub(crate) fn serve(arguments: ServeArguments) -> Result<Exit> {
    if let Some(socket) = arguments.guest.socket.first() {
        bail!("--socket {socket}: `serve` opens sockets with --listen");
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = arguments.workers {
        runtime.worker_threads(workers.get());
    }
    let runtime = runtime.enable_all().build()?;
    // On a worker, where whatever it wakes need not be handed over.
    runtime.block_on(async { tokio::spawn(operate(arguments)).await? })
}

async fn operate(arguments: ServeArguments) -> Result<Exit> {
    let house = House::new(arguments)?;
    // From before anybody is told that it serves.
    let mut ends = [
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ];
    let mut hangups = signal(SignalKind::hangup())?;
    let server = Server::new(house.service()?, house.arguments.bounds.bounds(), Terse);
    for endpoint in &house.arguments.listen {
        let address = server.listen(endpoint).await;
        let address = address.with_context(|| format!("--listen {endpoint}"))?;
        say(&format!("listens at {address}"));
    }
    let exit = loop {
        tokio::select! {
            failure = server.audit_failure() => {
                let _ = writeln!(io::stderr(), "error: {failure}");
                break Exit::Unaudited;
            }
            () = any(&mut ends) => break Exit::Guest(0),
            _ = hangups.recv() => house.reload(&server).await,
        }
    };
    let patience = match exit {
        Exit::Unaudited => Duration::ZERO,
        _ => house.arguments.drain_timeout,
    };
    let drained = tokio::select! {
        drained = server.drain(patience) => drained,
        // Whoever asks twice does not want to wait.
        () = any(&mut ends) => server.drain(Duration::ZERO).await,
    };
    if drained.dropped > 0 {
        say(&format!("{} connections were dropped", drained.dropped));
    }
    if let Some(report) = house.report {
        report.finish();
    }
    Ok(exit)
}

/// What a server is made of, and made of anew.
struct House {
    arguments: Arc<ServeArguments>,
    engine: Engine,
    log: Option<AuditLog>,
    report: Option<Report>,
}

impl House {
    fn new(arguments: ServeArguments) -> Result<Self> {
        let path = arguments.guest.audit.as_deref();
        let log = audit::open(path)?;
        // People and programs do not read the same stream.
        let report = (!audit::is_stderr(path)).then(Report::default);
        let engine = match arguments.bounds.no_pool {
            true => Engine::builder(),
            false => Engine::builder().pool(&arguments.bounds.bounds()),
        };
        Ok(Self {
            engine: run::engine(engine)?,
            log,
            report,
            arguments: Arc::new(arguments),
        })
    }

    /// Reads the policy and the handler.
    fn service(&self) -> Result<Service> {
        let guest = &self.arguments.guest;
        let policy = run::policy(&guest.policy)?;
        let handler = Handler::load(&self.engine, &guest.program)?;
        let network = run::network(guest.resolver)
            .with_policy(policy)
            .with_audit((self.log.clone(), self.report.clone()));
        // What cannot be given is said now, and not to a peer.
        let _: WasiCtx = run::wasi(guest)?;
        let arguments = Arc::clone(&self.arguments);
        let wasi = move || {
            let wasi = run::wasi(&arguments.guest);
            // A folder that has gone since is gone for those who come now.
            wasi.unwrap_or_else(|_| WasiCtx::builder().inherit_stderr().build())
        };
        Ok(Service::new(handler, network).with_wasi(wasi))
    }

    /// Opens the audit log anew, for whoever has renamed it, and reads the rest
    /// anew.
    async fn reload(&self, server: &Server) {
        if let Some(Err(error)) = self.log.as_ref().map(AuditLog::reopen) {
            say(&format!("the audit log goes on where it was: {error}"));
        }
        let replaced = match self.service() {
            Ok(service) => {
                let replaced = server.replace(service, self.arguments.drop_denied);
                replaced.await.map_err(anyhow::Error::from)
            }
            Err(error) => Err(error),
        };
        match replaced {
            Ok(()) => say("serves with what it read anew"),
            Err(error) => {
                say("cannot serve with what it read anew, and goes on as before");
                let _ = writeln!(io::stderr(), "error: {error:#}");
            }
        }
    }
}

async fn any(signals: &mut [Signal; 2]) {
    let [one, other] = signals;
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

fn say(what: &str) {
    let _ = writeln!(io::stderr(), "portcullis: {what}");
}

/// Tells of whom it went wrong with.
struct Terse;

impl Log for Terse {
    fn ended(&self, served: &Served<'_>) {
        let why = match served.ending {
            Ending::Trapped(error) | Ending::OutOfMemory(error) | Ending::NotBegun(error) => {
                format!(": {}", run::printable(&format!("{error:?}")))
            }
            Ending::Failed(error) => format!(": {}", run::printable(&error.to_string())),
            Ending::Finished => return,
            Ending::Exited(_)
            | Ending::OutOfCpuTime
            | Ending::OutOfTime
            | Ending::Idle
            | Ending::Dropped
            | Ending::Unaudited(_) => String::new(),
        };
        let (visit, ending) = (served.visit, served.ending.as_str());
        say(&format!(
            "{} from {}: {ending}{why}",
            visit.number, visit.peer
        ));
    }
}
