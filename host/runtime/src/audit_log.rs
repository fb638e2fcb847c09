//! The audit as lines of JSON, in a file or on standard error: `docs/audit.md`
//! says what is in them.
//!
//! A line is written before the guest goes on, and whole. Nothing is kept back,
//! so that nothing is lost with the process.

mod line;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use line::Line;
use portcullis_net::{Audit, Event};

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
    state: Arc<Mutex<State>>,
    guest: Option<Arc<str>>,
}

#[derive(Debug)]
struct State {
    place: Place,
    /// How many lines there are.
    lines: u64,
    /// Whether the last line could not be finished.
    is_torn: bool,
}

enum Place {
    File { path: PathBuf, file: File },
    Writer(Box<dyn Write + Send>),
}

impl AuditLog {
    /// Appends to a file, which is made for nobody but its owner where there is
    /// none. What is in it stays.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened for writing.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let file = append(&path)?;
        Ok(Self::to(Place::File { path, file }))
    }

    /// Writes to standard error.
    pub fn stderr() -> Self {
        Self::writer(io::stderr())
    }

    /// Writes each line with one call, and flushes.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::to(Place::Writer(Box::new(writer)))
    }

    fn to(place: Place) -> Self {
        let state = State {
            place,
            lines: 0,
            is_torn: false,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            guest: None,
        }
    }

    /// The same log, with lines that say which guest they are about: where
    /// several write to one.
    #[must_use]
    pub fn for_guest(&self, guest: &str) -> Self {
        Self {
            state: Arc::clone(&self.state),
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
        match &mut self.lock().place {
            Place::File { path, file } => *file = append(path)?,
            Place::Writer(_) => {}
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked had not counted the line.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit for AuditLog {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        // Together, so that the lines come in the order of their numbers and
        // times.
        let mut state = self.lock();
        let line = Line::new(
            state.lines + 1,
            SystemTime::now(),
            self.guest.as_deref(),
            event,
        );
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        if state.is_torn {
            // What others could not finish must not swallow this.
            text.insert(0, b'\n');
        }
        let written = state.place.write(&text);
        state.is_torn = written.is_err();
        state.lines += u64::from(written.is_ok());
        written
    }
}

impl Place {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::File { file, .. } => file.write_all(line),
            Self::Writer(writer) => {
                writer.write_all(line)?;
                writer.flush()
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => f.debug_tuple("File").field(path).finish(),
            Self::Writer(_) => f.debug_tuple("Writer").finish(),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).open(path)?;
    if ends_within_a_line(&file, path)? {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Whether somebody was kept from finishing their last line, by a disk that was
/// full. The next one must not be lost with it.
fn ends_within_a_line(file: &File, path: &Path) -> io::Result<bool> {
    let about = file.metadata()?;
    if !about.is_file() || about.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    let mut reader = File::open(path)?;
    reader.seek(SeekFrom::End(-1))?;
    reader.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
