//! Lines of JSON in a file or on standard error, numbered, that others can
//! rename the file of. It must not know what is in them.
//!
//! A line is written when it is told, and whole, with one call. Nothing is kept
//! back, so that nothing is lost with the process.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use portcullis_policy::Shown;
use serde::Serialize;

/// Where lines of JSON are written, one after the other.
#[derive(Debug)]
pub(crate) struct JsonLines {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    place: Place,
    /// How many lines there are.
    lines: u64,
    /// Whether the last line could not be finished.
    is_torn: bool,
    /// The line that is being written.
    text: Vec<u8>,
}

enum Place {
    File { path: PathBuf, file: File },
    Writer(Box<dyn Write + Send>),
}

impl JsonLines {
    /// Appends to a file, which is made for nobody but its owner where there is
    /// none. What is in it stays.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened for writing.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let file = append(&path)?;
        Ok(Self::to(Place::File { path, file }))
    }

    /// Writes each line with one call, and flushes.
    pub(crate) fn writer(writer: impl Write + Send + 'static) -> Self {
        Self::to(Place::Writer(Box::new(writer)))
    }

    fn to(place: Place) -> Self {
        Self {
            state: Mutex::new(State {
                place,
                lines: 0,
                is_torn: false,
                text: Vec::new(),
            }),
        }
    }

    /// Opens the file anew by its name, for whoever has renamed it. Each line is
    /// in the one or the other. Does nothing where it is no file.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened: then it goes on as before.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        match &mut self.lock().place {
            Place::File { path, file } => *file = append(path)?,
            Place::Writer(_) => {}
        }
        Ok(())
    }

    /// Writes a line, which is told its number, from 1 on, and the time.
    ///
    /// # Errors
    ///
    /// Where it cannot be written. Then the next one has its number.
    pub(crate) fn write<T: Serialize>(
        &self,
        line: impl FnOnce(u64, SystemTime) -> T,
    ) -> io::Result<()> {
        // Together, so that the lines come in the order of their numbers and
        // times.
        let mut state = self.lock();
        let State {
            place,
            lines,
            is_torn,
            text,
        } = &mut *state;
        text.clear();
        if *is_torn {
            // What others could not finish must not swallow this.
            text.push(b'\n');
        }
        let json = serde_json::to_string(&line(*lines + 1, SystemTime::now()))?;
        text.extend_from_slice(Shown::json(json).as_str().as_bytes());
        text.push(b'\n');
        let written = place.write(text);
        *is_torn = written.is_err();
        *lines += u64::from(written.is_ok());
        written
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked had not counted the line.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
