//! Whom a server served, as lines of JSON in a file or on standard error:
//! `docs/access-log.md` says what is in them.
//!
//! It must not stop the server: what cannot be written is counted and told of.

mod line;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use line::Line;

use crate::json_lines::JsonLines;
use crate::server::{Log, Served, TurnedAway, Visit};

/// A [`Log`] that writes a line for each connection and each datagram when it is
/// over, and for each that is not served. Clones write to the same place.
///
/// A line is written before the server has forgotten whom it is about, with one
/// call, on the thread that served: a slow file slows the server, and nothing is
/// left out for speed.
///
/// ```no_run
/// use portcullis::{AccessLog, Bounds, Server, Service};
///
/// # fn serve(service: Service) -> std::io::Result<()> {
/// let log = AccessLog::open("access.jsonl")?.on_loss(|error| eprintln!("{error}"));
/// let server = Server::new(service, Bounds::default(), log.clone());
/// // After the file has been renamed, as logrotate(8) does:
/// log.reopen()?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AccessLog {
    lines: Arc<JsonLines>,
    losses: Arc<Losses>,
    on_loss: Arc<dyn Fn(&io::Error) + Send + Sync>,
}

/// What could not be written.
#[derive(Debug, Default)]
struct Losses {
    count: AtomicU64,
    is_told: AtomicBool,
}

impl AccessLog {
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
            losses: Arc::default(),
            on_loss: Arc::new(|_| {}),
        }
    }

    /// The same log, with somebody who hears of the first line that cannot be
    /// written, and of the first after each [`AccessLog::reopen`].
    #[must_use]
    pub fn on_loss(self, tell: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        Self {
            on_loss: Arc::new(tell),
            ..self
        }
    }

    /// Opens the file anew by its name, for whoever has renamed it. Each line is
    /// in the one or the other. Does nothing where it is no file.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened: then the log goes on as before.
    pub fn reopen(&self) -> io::Result<()> {
        self.lines.reopen()?;
        self.losses.is_told.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// How many lines could not be written.
    pub fn lost(&self) -> u64 {
        self.losses.count.load(Ordering::Relaxed)
    }

    fn hear(&self, written: io::Result<()>) {
        let Err(error) = written else { return };
        self.losses.count.fetch_add(1, Ordering::Relaxed);
        if !self.losses.is_told.swap(true, Ordering::Relaxed) {
            (self.on_loss)(&error);
        }
    }
}

impl Log for AccessLog {
    fn ended(&self, served: &Served<'_>) {
        let written = self
            .lines
            .write(|seq, time| Line::served(seq, time, served));
        self.hear(written);
    }

    fn turned_away(&self, visit: &Visit<'_>, why: TurnedAway) {
        let line = |seq, time| Line::turned_away(seq, time, visit, why);
        self.hear(self.lines.write(line));
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("lines", &self.lines)
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}
