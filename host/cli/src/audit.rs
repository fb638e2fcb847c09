//! `--audit`: where the program's events go, and who opens that anew.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use portcullis::{Audit, AuditLog, Event};
use tokio::signal::unix::{SignalKind, signal};

use crate::report::Report;

/// What hears of a program: the log that was asked for, and the operator at the
/// terminal unless the log goes there. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Audits {
    log: Option<AuditLog>,
    report: Option<Report>,
}

impl Audits {
    /// Opens what `--audit` says.
    pub(crate) fn open(audit: Option<&Path>) -> Result<Self> {
        let (log, report) = match audit {
            None => (None, Some(Report::default())),
            Some(path) if path == Path::new("-") => (Some(AuditLog::stderr()), None),
            Some(path) => {
                let log = AuditLog::open(path);
                let log = log.with_context(|| format!("--audit {}", path.display()))?;
                (Some(log), Some(Report::default()))
            }
        };
        Ok(Self { log, report })
    }

    /// Opens the log anew at each SIGHUP, for as long as the runtime runs.
    pub(crate) fn heed_hangups(&self) -> Result<()> {
        let Some(log) = self.log.clone() else {
            return Ok(());
        };
        let mut hangups = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                if let Err(error) = log.reopen() {
                    let _ = writeln!(
                        io::stderr(),
                        "warning: the audit log cannot be opened anew, and goes on where it was: \
                         {error}"
                    );
                }
            }
        });
        Ok(())
    }

    /// Tells the operator what was not told apart.
    pub(crate) fn finish(&self) {
        if let Some(report) = &self.report {
            report.finish();
        }
    }
}

/// The log hears first: what it cannot record has not happened.
impl Audit for Audits {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        self.log.record(event)?;
        self.report.record(event)
    }
}
