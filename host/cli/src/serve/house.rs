//! What a server is made of, and made of anew. It must not serve.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use portcullis::{AuditLog, Engine, Handler, Service, Speaker, wasmtime};

use super::inherited::Inherited;
use super::restart::Executable;
use crate::arguments::ServeArguments;
use crate::audit;
use crate::folders::Folders;
use crate::health::Health;
use crate::output::{self, STDERR, STDOUT};
use crate::report::Report;
use crate::run;
use crate::watch::Watch;

/// What stays the same while the rest is read anew.
pub(crate) struct House {
    pub(crate) arguments: Arc<ServeArguments>,
    pub(crate) log: Option<AuditLog>,
    pub(crate) watch: Watch,
    pub(crate) folders: Arc<Folders>,
    pub(crate) executable: Executable,
    engine: Engine,
    report: Option<Report>,
}

impl House {
    pub(crate) fn new(
        arguments: ServeArguments,
        executable: Executable,
        inherited: &mut Inherited,
        health: &Health,
    ) -> Result<Self> {
        let own = arguments.held_by().chain(executable.path());
        let folders = Arc::new(run::folders(&arguments.guest, own)?);
        let path = arguments.guest.audit.as_deref();
        let log = audit::open(path)?;
        // People and programs do not read the same stream.
        let report = (!audit::is_stderr(path)).then(|| Report::new(output::say));
        let engine = match arguments.bounds.no_pool {
            true => Engine::builder(),
            false => Engine::builder().pool(&arguments.bounds.bounds()),
        };
        Ok(Self {
            engine: run::engine(engine)?,
            log,
            report,
            watch: Watch::open(&arguments, inherited, health)?,
            folders,
            executable,
            arguments: Arc::new(arguments),
        })
    }

    /// Refuses to go on where instances could change what is opened by its path: before
    /// any of it is opened anew.
    pub(crate) fn check(&self) -> Result<()> {
        let own = self.arguments.held_by().chain(self.executable.path());
        self.folders.keep_from(own)
    }

    /// Reads the policy and the handler.
    pub(crate) fn service(&self) -> Result<Service> {
        let guest = &self.arguments.guest;
        let policy = self.folders.guard(&run::policy(&guest.policy)?)?;
        let policy = self.watch.guard(policy)?;
        let handler = Handler::load(&self.engine, &guest.program)?;
        if handler.imports_wasi_sockets() {
            output::say(&run::wasi_sockets(&guest.program));
        }
        let network = run::network(guest.resolver)
            .with_policy(policy)
            .with_audit((
                self.log.clone(),
                (self.report.clone(), self.watch.metrics()),
            ));
        let service = self.with_wasi(Service::new(handler, network))?;
        let service = self.with_sockets(service)?;
        Ok(match self.log.clone() {
            Some(log) => {
                let others = (self.report.clone(), self.watch.metrics());
                service
                    .with_audit(move |number| (log.for_guest(&number.to_string()), others.clone()))
            }
            None => service,
        })
    }

    /// What each instance has beside the network.
    fn with_wasi(&self, service: Service) -> Result<Service> {
        let guest = &self.arguments.guest;
        let variables = run::variables(guest)?;
        let arguments = Arc::clone(&self.arguments);
        let surroundings = move |speaker: &Speaker| {
            let mut wasi = run::surroundings(&arguments.guest, &variables);
            let of = Some(speaker).filter(|_| !arguments.no_numbers);
            wasi.stdout(STDOUT.of(of))
                .stderr(speaker.heard(STDERR.of(of)));
            wasi
        };
        if self.folders.is_empty() {
            return Ok(service.with_wasi(move |speaker| surroundings(speaker).build()));
        }
        let folders = Arc::clone(&self.folders);
        // There may be no descriptor left.
        Ok(service.try_with_wasi(move |speaker| {
            let mut wasi = surroundings(speaker);
            let given = folders.give(&mut wasi);
            given.map_err(|error| wasmtime::Error::msg(format!("{error:#}")))?;
            Ok(wasi.build())
        }))
    }

    /// What is connected for each instance.
    fn with_sockets(&self, mut service: Service) -> Result<Service> {
        let mut names = Vec::new();
        for socket in &self.arguments.guest.socket {
            let (name, grant) = run::named_socket(socket, &names)?;
            if !grant.starts_with("connect ") {
                bail!(
                    "--socket {socket}: `serve` listens with --listen; a socket for each instance \
                     is connected, as in `{name}=connect tcp://db.internal:5432`"
                );
            }
            let with_socket = service.with_socket(name, grant);
            service = with_socket.with_context(|| format!("--socket {socket}"))?;
            names.push(name);
        }
        Ok(service)
    }

    /// Tells what there is to tell at the end.
    pub(crate) fn finish(&self) {
        self.watch.finish();
        if let Some(report) = &self.report {
            report.finish();
        }
    }
}
