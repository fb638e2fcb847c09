//! `--access-log`: the log that was asked for, and who hears of what it lost.

use std::path::Path;

use anyhow::{Context, Result};
use portcullis::AccessLog;

use crate::audit;
use crate::complaints::say;
use crate::output::STDERR;

/// Opens the log that `--access-log` asks for.
pub(crate) fn open(path: Option<&Path>) -> Result<Option<AccessLog>> {
    let Some(path) = path else { return Ok(None) };
    let log = match audit::is_stderr(Some(path)) {
        true => Ok(AccessLog::writer(&*STDERR)),
        false => AccessLog::open(path),
    };
    let log = log.with_context(|| format!("--access-log {}", path.display()))?;
    Ok(Some(log.on_loss(|error| {
        say(&format!(
            "the access log loses lines, and they are counted: {error}"
        ));
    })))
}

/// Opens the file anew by its name, for whoever has renamed it.
pub(crate) fn reopen(log: &AccessLog) {
    if let Err(error) = log.reopen() {
        say(&format!("the access log goes on where it was: {error}"));
    }
}

/// Tells what is not in it.
pub(crate) fn finish(log: &AccessLog) {
    match log.lost() {
        0 => {}
        lost => say(&format!("the access log has lost {lost} lines")),
    }
}
