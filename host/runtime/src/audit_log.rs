//! The audit as lines of JSON, in a file or on standard error: `docs/audit.md`
//! says what is in them. A line is written before the guest goes on.

mod line;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use line::Line;
use portcullis_net::{Audit, Event};

use crate::json_lines::JsonLines;

/// An audit that writes each event as a line of JSON. Clones write to the same
/// place.
///
/// The lines of a log are counted, from 1 on: a gap in their `seq` is a loss.
///
/// ```
/// use portcullis::{AuditLog, Network, Policy};
///
/// # let folder = std::env::temp_dir().join(format!("audit-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("audit.jsonl");
/// let log = AuditLog::open(&path)?;
/// let network = Network::new(Policy::default()).with_audit(log.for_guest("web"));
/// // After `path` has been renamed, as logrotate(8) does:
/// log.reopen()?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuditLog {
    lines: Arc<JsonLines>,
    guest: Option<Arc<str>>,
}

impl AuditLog {
    /// Appends to a file, which is made for nobody but its owner where there is
    /// none. What is in it stays.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened for writing.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self::to(JsonLines::open(path.into())?))
    }

    /// Writes to standard error.
    pub fn stderr() -> Self {
        Self::writer(io::stderr())
    }

    /// Writes each line with one call, and flushes.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::to(JsonLines::writer(writer))
    }

    fn to(lines: JsonLines) -> Self {
        Self {
            lines: Arc::new(lines),
            guest: None,
        }
    }

    /// The same log, with lines that say which guest they are about: where
    /// several write to one.
    #[must_use]
    pub fn for_guest(&self, guest: &str) -> Self {
        Self {
            lines: Arc::clone(&self.lines),
            guest: Some(guest.into()),
        }
    }

    /// Opens the file anew by its name, for whoever has renamed it. Each line is
    /// in the one or the other. Does nothing where it is no file.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened: then the log goes on as before.
    pub fn reopen(&self) -> io::Result<()> {
        self.lines.reopen()
    }
}

impl Audit for AuditLog {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        let guest = self.guest.as_deref();
        self.lines
            .write(|seq, time| Line::new(seq, time, guest, event))
    }
}
