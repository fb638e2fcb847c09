//! What a server is made of, and made of anew. It must not serve.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use portcullis::wasmtime_wasi::WasiCtx;
use portcullis::{AuditLog, Engine, Handler, Service, wasmtime};

use super::inherited::Inherited;
use crate::arguments::ServeArguments;
use crate::audit;
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
    engine: Engine,
    report: Option<Report>,
}

impl House {
    pub(crate) fn new(
        arguments: ServeArguments,
        inherited: &mut Inherited,
        health: &Health,
    ) -> Result<Self> {
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
            arguments: Arc::new(arguments),
        })
    }

    /// Reads the policy and the handler.
    pub(crate) fn service(&self) -> Result<Service> {
        let guest = &self.arguments.guest;
        let policy = self.watch.guard(run::policy(&guest.policy)?)?;
        let handler = Handler::load(&self.engine, &guest.program)?;
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
        // What cannot be given is said now, and not to a peer.
        run::open_folders(guest, &mut WasiCtx::builder())?;
        let arguments = Arc::clone(&self.arguments);
        let surroundings = move || {
            let mut wasi = run::surroundings(&arguments.guest, &variables);
            wasi.stdout(STDOUT.clone()).stderr(STDERR.clone());
            wasi
        };
        if guest.dir.is_empty() {
            return Ok(service.with_wasi(move || surroundings().build()));
        }
        let arguments = Arc::clone(&self.arguments);
        // A folder may have gone since.
        Ok(service.try_with_wasi(move || {
            let mut wasi = surroundings();
            let opened = run::open_folders(&arguments.guest, &mut wasi);
            opened.map_err(|error| wasmtime::Error::msg(format!("{error:#}")))?;
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
