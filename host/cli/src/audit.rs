//! `--audit`: the log that was asked for, and when it is opened anew.

use std::path::Path;

use anyhow::{Context, Result};
use portcullis::{AuditLog, Shown};
use tokio::signal::unix::{SignalKind, signal};

use crate::stderr;

/// Opens the log that `--audit` asks for.
pub(crate) fn open(audit: Option<&Path>) -> Result<Option<AuditLog>> {
    match audit {
        None => Ok(None),
        Some(_) if is_stderr(audit) => Ok(Some(AuditLog::stderr())),
        Some(path) => {
            let log = AuditLog::open(path);
            let log = log.with_context(|| format!("--audit {}", path.display()))?;
            Ok(Some(log))
        }
    }
}

/// Whether the log goes where people would read.
pub(crate) fn is_stderr(audit: Option<&Path>) -> bool {
    audit == Some(Path::new("-"))
}

/// Opens the log anew at each SIGHUP where `check` allows it, for as long as the runtime
/// runs that this is called in.
pub(crate) fn heed_hangups(
    log: AuditLog,
    check: impl Fn() -> Result<()> + Send + 'static,
) -> Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            if let Err(error) = check().and_then(|()| Ok(log.reopen()?)) {
                stderr::say(&Shown::line(format_args!(
                    "warning: the audit log cannot be opened anew, and goes on where it was: \
                     {error:#}"
                )));
            }
        }
    });
    Ok(())
}
