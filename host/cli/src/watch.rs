//! Who watches a server: its access log, its metrics, and what is told on
//! standard error. It must not be what a server ends with.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use portcullis::{AccessLog, Log, Policy};

use crate::access_log;
use crate::arguments::ServeArguments;
use crate::complaints::{Complaints, say};
use crate::health::Health;
use crate::metrics::endpoint::Endpoint;
use crate::metrics::{Metrics, Stage};
use crate::serve::Inherited;

/// What a successor knows the socket of the metrics by.
const METRICS: &str = "metrics=";

/// All who watch a server.
#[derive(Debug)]
pub(crate) struct Watch {
    access_log: Option<AccessLog>,
    complaints: Complaints,
    metrics: Option<Metrics>,
    /// The socket of the metrics, for a process that is to take over.
    socket: Option<OwnedFd>,
    /// What no instance may do, so that none reaches the metrics.
    denies: Vec<String>,
}

impl Watch {
    /// Opens what the arguments ask for, and answers at the address of the
    /// metrics from now on: with the socket of the process that this one takes over
    /// from, if it has one. In a runtime.
    pub(crate) fn open(
        arguments: &ServeArguments,
        inherited: &mut Inherited,
        health: &Health,
    ) -> Result<Self> {
        let path = arguments.access_log.as_deref();
        let access_log = access_log::open(path)?;
        let complaints = match access_log {
            Some(_) => Complaints::of_listeners(),
            None => Complaints::new(),
        };
        tokio::spawn(complaints.clone().count());
        let (mut metrics, mut socket, mut denies) = (None, None, Vec::new());
        if let Some(address) = &arguments.metrics {
            let passed = inherited.of_predecessor(METRICS);
            let endpoint = match passed {
                Some(passed) => Endpoint::take_over(address, passed),
                None => Endpoint::open(address),
            };
            let endpoint = endpoint.with_context(|| format!("--metrics {address}"))?;
            let bounds = arguments.bounds.bounds();
            let counting = Metrics::new(&arguments.listen, &bounds, access_log.as_ref());
            denies = endpoint.denies();
            socket = Some(endpoint.descriptor()?);
            say(&format!("metrics at {}", endpoint.address()));
            endpoint.answer(counting.clone(), health.clone())?;
            metrics = Some(counting);
        }
        Ok(Self {
            access_log,
            complaints,
            metrics,
            socket,
            denies,
        })
    }

    /// The socket of the metrics, with the name by which a process that is to take
    /// over finds it.
    pub(crate) fn sockets(&self) -> Result<Option<(String, OwnedFd)>> {
        let socket = self.socket.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(socket.map(|socket| (METRICS.to_owned(), socket)))
    }

    /// What a server tells of those whom it serves.
    pub(crate) fn log(&self) -> impl Log + use<> {
        let lines = (self.access_log.clone(), self.complaints.clone());
        (self.metrics.clone(), lines)
    }

    /// What counts the decisions of policies.
    pub(crate) fn metrics(&self) -> Option<Metrics> {
        self.metrics.clone()
    }

    /// The policy that keeps every instance from the metrics.
    pub(crate) fn guard(&self, policy: Policy) -> Result<Policy> {
        match self.denies.is_empty() {
            true => Ok(policy),
            false => Ok(policy.denying(&self.denies)?),
        }
    }

    /// Says what the server is at.
    pub(crate) fn enter(&self, stage: Stage) {
        self.metrics.iter().for_each(|metrics| metrics.enter(stage));
    }

    /// Opens the access log anew, for whoever has renamed it.
    pub(crate) fn reopen(&self) {
        self.access_log.iter().for_each(access_log::reopen);
    }

    /// Hears that the policy and the handler were read anew, and whether the
    /// server goes on with them.
    pub(crate) fn reloaded(&self, is_good: bool) {
        self.metrics
            .iter()
            .for_each(|metrics| metrics.reloaded(is_good));
    }

    /// Tells what there is still to tell.
    pub(crate) fn finish(&self) {
        self.complaints.finish();
        self.access_log.iter().for_each(access_log::finish);
    }
}
