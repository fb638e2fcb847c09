//! What a server is made of, and made of anew. It must not serve.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use portcullis::wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use portcullis::{AuditLog, Engine, Handler, Service};

use super::inherited::Inherited;
use crate::arguments::ServeArguments;
use crate::audit;
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
    pub(crate) fn new(arguments: ServeArguments, inherited: &mut Inherited) -> Result<Self> {
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
            watch: Watch::open(&arguments, inherited)?,
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
        // What cannot be given is said now, and not to a peer.
        let _: WasiCtxBuilder = run::wasi(guest)?;
        let arguments = Arc::clone(&self.arguments);
        let wasi = move || {
            let wasi = run::wasi(&arguments.guest);
            // A folder that has gone since is gone for those who come now.
            let mut wasi = wasi.unwrap_or_else(|_| WasiCtx::builder());
            let (stdout, stderr) = (STDOUT.clone(), STDERR.clone());
            wasi.stdout(stdout).stderr(stderr).build()
        };
        let service = Service::new(handler, network).with_wasi(wasi);
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
