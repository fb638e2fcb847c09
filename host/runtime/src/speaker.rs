//! What an instance says on standard error, and for which connection: a panic is told
//! there, and the trap that follows says nothing of it. It must not keep more than the
//! last panic.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use portcullis_policy::Shown;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// What Rust's panics begin with, behind the name of the thread.
const PANIC: &[u8] = b"panicked at ";

/// What they end with, beside what the program says.
const NOTES: [&str; 2] = ["note: run with `RUST_BACKTRACE", "stack backtrace:"];

/// How much of a panic is kept.
const LONGEST: usize = 2048;

/// The connection that an instance speaks for, and the panic that it told of last. Clones
/// are the same.
#[derive(Clone, Debug, Default)]
pub struct Speaker(Arc<Said>);

#[derive(Debug, Default)]
struct Said {
    number: AtomicU64,
    /// From the beginning of the last panic on; of what is none, as much as one could
    /// begin with.
    last: Mutex<Vec<u8>>,
}

impl Speaker {
    /// A program, or an instance that serves no connection yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of the connection, or datagram, that the instance serves now
    /// ([`Visit::number`](crate::Visit)); zero for a program.
    pub fn number(&self) -> u64 {
        self.0.number.load(Ordering::Relaxed)
    }

    /// From now on the instance speaks for another.
    pub(crate) fn turn_to(&self, number: u64) {
        self.0.number.store(number, Ordering::Relaxed);
        self.last(|last| last.clear());
    }

    /// The stream, for an instance's standard error: what goes through it is heard.
    pub fn heard(&self, stream: impl StdoutStream + 'static) -> impl StdoutStream + 'static {
        Heard {
            speaker: self.clone(),
            stream,
        }
    }

    /// The trap, with the panic that led to it, if one was heard.
    #[must_use]
    pub fn explain(&self, trap: wasmtime::Error) -> wasmtime::Error {
        let is_panic = trap.downcast_ref() == Some(&wasmtime::Trap::UnreachableCodeReached);
        match self.last(|last| Panic::read(last)) {
            Some(panic) if is_panic => trap.context(panic),
            Some(_) | None => trap,
        }
    }

    fn hear(&self, bytes: &[u8]) {
        self.last(|last| {
            last.extend_from_slice(bytes);
            let begins = last.windows(PANIC.len()).rposition(|part| part == PANIC);
            // It may be told in pieces.
            let begins = begins.unwrap_or(last.len().saturating_sub(PANIC.len() - 1));
            last.drain(..begins);
            last.truncate(LONGEST);
        });
    }

    fn last<T>(&self, look: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        look(&mut self.0.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A panic, as the program told of it: where, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Panic {
    place: Shown,
    reason: Shown,
}

impl Panic {
    fn read(said: &[u8]) -> Option<Self> {
        let said = String::from_utf8_lossy(said.strip_prefix(PANIC)?);
        let (place, rest) = said.split_once('\n').unwrap_or((&said, ""));
        let place = place.trim_end().trim_end_matches(':');
        // The column helps no reader of a log.
        let place = match place.rsplit_once(':') {
            Some((line, column)) if column.parse::<u32>().is_ok() && line.contains(':') => line,
            Some(_) | None => place,
        };
        let is_theirs = |line: &&str| !NOTES.iter().any(|note| line.starts_with(note));
        let reason: Vec<&str> = rest.lines().take_while(is_theirs).collect();
        Some(Self {
            place: Shown::line(place),
            reason: Shown::line(reason.join(" ")),
        })
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked at {}", self.place)?;
        match self.reason.as_str() {
            "" => Ok(()),
            reason => write!(f, ": {reason}"),
        }
    }
}

/// A stream that is heard.
struct Heard<S> {
    speaker: Speaker,
    stream: S,
}

impl<S: StdoutStream> IsTerminal for Heard<S> {
    fn is_terminal(&self) -> bool {
        self.stream.is_terminal()
    }
}

impl<S: StdoutStream> StdoutStream for Heard<S> {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // The guests of this host have the other one.
        self.stream.async_stream()
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(HeardStream {
            speaker: self.speaker.clone(),
            stream: self.stream.p2_stream(),
        })
    }
}

struct HeardStream {
    speaker: Speaker,
    stream: Box<dyn OutputStream>,
}

#[async_trait]
impl Pollable for HeardStream {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[async_trait]
impl OutputStream for HeardStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.speaker.hear(&bytes);
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&str]) -> String {
        let speaker = Speaker::new();
        for piece in pieces {
            speaker.hear(piece.as_bytes());
        }
        let panic = speaker.last(|last| Panic::read(last));
        panic.map(|panic| panic.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_its_reason() {
        let note =
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        let begin = "\nthread '<unnamed>' (1) panicked at src/lib.rs:22:5:\n";
        assert_eq!(
            told(&[begin, "asked to\nand more\n", note]),
            "panicked at src/lib.rs:22: asked to and more"
        );
        // In pieces, behind what else it says, and the last of several.
        let pieces = [
            "thread 'main' pani",
            "cked a",
            "t src/a.rs:1:2:",
            "\nas ordered",
            "\n",
        ];
        assert_eq!(told(&pieces), "panicked at src/a.rs:1: as ordered");
        assert_eq!(
            told(&[&"x".repeat(10_000), begin, "once\n", begin, "twice\n"]),
            "panicked at src/lib.rs:22: twice"
        );
        assert_eq!(
            told(&["panicked at src/b.rs:7:1:\n"]),
            "panicked at src/b.rs:7"
        );
        assert_eq!(told(&["it did not panic\n"]), "");
    }

    #[test]
    fn a_long_panic_is_cut_and_little_else_is_kept() {
        let speaker = Speaker::new();
        for _ in 0..1000 {
            speaker.hear(&[b'x'; 4096]);
        }
        assert!(speaker.last(|last| last.len()) < PANIC.len());
        let long = format!("panicked at src/lib.rs:1:1:\n{}", "y".repeat(1 << 20));
        speaker.hear(long.as_bytes());
        assert_eq!(speaker.last(|last| last.len()), LONGEST);
        speaker.turn_to(7);
        assert_eq!((speaker.number(), speaker.last(|last| last.len())), (7, 0));
    }
}
