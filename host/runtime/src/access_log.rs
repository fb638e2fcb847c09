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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;
    use std::time::{Duration, SystemTime};

    use portcullis_net::{AuditFailure, Error, ErrorCode, SocketAddress, UnixAddress};
    use serde_json::{Map, Value};

    use super::*;
    use crate::server::Ending;

    const DOCUMENTATION: &str = include_str!("../../../docs/access-log.md");
    const SCHEMA: &str = include_str!("../../../docs/access-log.schema.json");

    type Line = Map<String, Value>;

    fn visit(peer: &SocketAddress) -> Visit<'_> {
        Visit {
            number: 7,
            listener: "tcp://127.0.0.1:8080 from loopback",
            peer,
            time: SystemTime::now(),
        }
    }

    fn inet() -> SocketAddress {
        SocketAddress::Inet(([127, 0, 0, 1], 40910).into())
    }

    fn tell(log: &AccessLog, peer: &SocketAddress, ending: &Ending) {
        log.ended(&Served {
            visit: visit(peer),
            ending,
            bytes_received: 5,
            bytes_sent: 6,
            answers: Some(1),
            duration: Duration::from_micros(621),
            instantiation: Some(Duration::from_micros(17)),
            cpu_time: Duration::from_micros(88),
            memory: 1 << 20,
        });
    }

    fn endings() -> Vec<Ending> {
        let failure = || AuditFailure::from(io::Error::other("full"));
        let error = || wasmtime::Error::msg("the cause").context("what came of it");
        vec![
            Ending::Finished,
            Ending::Failed(Error::new(ErrorCode::Unknown, "no such order")),
            Ending::Exited(1),
            Ending::Trapped(error()),
            Ending::OutOfMemory(error()),
            Ending::OutOfCpuTime,
            Ending::OutOfTime,
            Ending::Idle,
            Ending::Dropped,
            Ending::Unaudited(failure()),
            Ending::NotBegun(error()),
        ]
    }

    fn read(path: &std::path::Path) -> Vec<Line> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'), "{text}");
        let parse = |line: &str| serde_json::from_str(line).unwrap();
        text.lines().map(parse).collect()
    }

    /// Each ending, and each reason for not serving.
    fn everything() -> Vec<Line> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.jsonl");
        let log = AccessLog::open(&path).unwrap();
        for ending in endings() {
            tell(&log, &inet(), &ending);
        }
        for why in [TurnedAway::Full, TurnedAway::TooManyOfPeer] {
            log.turned_away(&visit(&inet()), why);
        }
        read(&path)
    }

    fn words(lines: &[Line]) -> Vec<&str> {
        let word = |line| Value::as_str(Line::get(line, "ending").unwrap()).unwrap();
        lines.iter().map(word).collect()
    }

    #[test]
    fn each_ending_has_its_word_in_the_schema_and_in_the_documentation() {
        let lines = everything();
        let words = words(&lines);
        assert_eq!(words[..Ending::WORDS.len()], Ending::WORDS);
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        assert_eq!(
            schema["properties"]["ending"]["enum"],
            Value::from(words.clone())
        );
        for word in words {
            assert!(
                DOCUMENTATION.contains(&format!("\n| `{word}` | ")),
                "{word}"
            );
        }
    }

    #[test]
    fn each_line_is_as_the_schema_and_the_documentation_say() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        let documented = DOCUMENTATION
            .lines()
            .filter(|line| line.starts_with("{\"v\":"));
        let documented = documented.map(|line| serde_json::from_str::<Line>(line).unwrap());
        let documented: Vec<Line> = documented.collect();
        assert_eq!(words(&documented), ["finished", "exited", "peer"]);
        let written = everything();
        for line in written.iter().chain(&documented) {
            for (field, value) in line {
                let kind = properties[field]["type"].as_str().unwrap();
                let fits = match value {
                    Value::String(_) => kind == "string",
                    Value::Number(number) => kind == "integer" && number.is_u64(),
                    Value::Array(_) | Value::Null | Value::Bool(_) | Value::Object(_) => false,
                };
                assert!(fits, "{field}: {value}");
            }
            for field in schema["required"].as_array().unwrap() {
                assert!(line.contains_key(field.as_str().unwrap()), "{line:?}");
            }
        }
        for field in properties.keys() {
            assert!(
                DOCUMENTATION.contains(&format!("\n| `{field}` | ")),
                "{field}"
            );
            assert!(
                written.iter().any(|line| line.contains_key(field)),
                "{field}"
            );
        }
    }

    #[test]
    fn the_cause_comes_before_what_came_of_it() {
        let error = wasmtime::Error::msg("the cause").context("what came of it");
        let reason = Ending::Trapped(error).reason();
        assert_eq!(reason.unwrap().as_str(), "the cause; what came of it");
    }

    #[test]
    fn nothing_that_others_choose_breaks_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.jsonl");
        let log = AccessLog::open(&path).unwrap();
        let forged = "\"}\n{\"v\":1}\r\u{1b}[2J\u{202e}\u{9b}".to_owned() + &"x".repeat(1 << 20);
        let error = Error::new(ErrorCode::Unknown, forged);
        let peer = UnixAddress::Path(b"/tmp/\x1b[2J\n\"\xff".as_slice().into());
        tell(&log, &SocketAddress::Unix(peer), &Ending::Failed(error));
        tell(&log, &inet(), &Ending::Finished);
        let text = fs::read_to_string(&path).unwrap();
        let is_safe = |char: char| char == '\n' || (!char.is_control() && char != '\u{202e}');
        assert!(text.chars().all(is_safe), "{text}");
        assert!(
            text.len() < 4096,
            "one write(2) of so much is whole in a pipe as well"
        );
        let lines = read(&path);
        assert_eq!(words(&lines), ["failed", "finished"]);
        assert_eq!(lines[0]["peer"], "unix:/tmp/%1B[2J%0A%22%FF");
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_told_of_once() {
        let told = Arc::<Mutex<Vec<String>>>::default();
        let hear = Arc::clone(&told);
        let log = AccessLog::open("/dev/full").unwrap();
        let log = log.on_loss(move |error| hear.lock().unwrap().push(error.to_string()));
        for _ in 0..3 {
            tell(&log, &inet(), &Ending::Finished);
        }
        assert_eq!(log.clone().lost(), 3);
        let full = "No space left on device (os error 28)";
        assert_eq!(*told.lock().unwrap(), [full]);
        log.reopen().unwrap();
        tell(&log, &inet(), &Ending::Finished);
        assert_eq!((log.lost(), told.lock().unwrap().len()), (4, 2));
    }

    #[test]
    fn a_log_that_was_renamed_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let log = AccessLog::open(&path).unwrap();
        tell(&log, &inet(), &Ending::Finished);
        fs::rename(&path, &old).unwrap();
        tell(&log, &inet(), &Ending::Finished);
        log.reopen().unwrap();
        tell(&log, &inet(), &Ending::Finished);
        let of = |path| {
            read(path)
                .iter()
                .map(|line| line["seq"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&old), [1, 2]);
        assert_eq!(of(&path), [3]);
    }
}
