//! Processes that xtask starts: each has a time limit, and none outlives it.
//!
//! Nothing here knows what the processes are for.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::terminal;

/// How often a process without pipes is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// Runs a command on our own terminal until it succeeds.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let name = name(command);
    let process = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let status = Guard(process).wait(limit).with_context(|| name.clone())?;
    if !status.success() {
        bail!("{name}: {status}");
    }
    Ok(())
}

/// Runs a command out of sight; its output is for the caller to show or drop.
pub(crate) fn run_quietly(command: &mut Command, limit: Duration) -> Result<Ended> {
    let name = name(command);
    Child::start_quietly(command)?.wait(limit).context(name)
}

/// A process in the background. What it says is shown as it says it, and kept.
pub(crate) struct Child {
    process: Guard,
    lines: Receiver<Line>,
    said: Vec<Line>,
}

/// What is left of a process that ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

struct Line {
    stream: Stream,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Child {
    /// Starts a process; `speaker` stands before each line that it says.
    pub(crate) fn start(command: &mut Command, speaker: &'static str) -> Result<Self> {
        Self::spawn(command, Some(speaker))
    }

    fn start_quietly(command: &mut Command) -> Result<Self> {
        Self::spawn(command, None)
    }

    fn spawn(command: &mut Command, speaker: Option<&'static str>) -> Result<Self> {
        let mut process = Guard(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .with_context(|| format!("cannot start {}", command.get_program().display()))?,
        );
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = process.0.stdout.take() {
            read_lines(stdout, Stream::Stdout, speaker, sender.clone());
        }
        if let Some(stderr) = process.0.stderr.take() {
            read_lines(stderr, Stream::Stderr, speaker, sender);
        }
        Ok(Self {
            process,
            lines,
            said: Vec::new(),
        })
    }

    /// Waits until `count` lines of its stdout start with `prefix`.
    pub(crate) fn wait_for(&mut self, prefix: &str, count: usize, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.count(prefix) < count {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("no line `{prefix}…` (number {count}) within {limit:?}");
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.process.wait(limit)?;
                    bail!("ended ({status}) before its line `{prefix}…` (number {count})");
                }
            }
        }
        Ok(())
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Ended> {
        let deadline = Instant::now() + limit;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Timeout) => bail!("still running after {limit:?}"),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = self
            .process
            .wait(deadline.saturating_duration_since(Instant::now()))?;
        Ok(Ended {
            status,
            stdout: self.text(Stream::Stdout),
            stderr: self.text(Stream::Stderr),
        })
    }

    /// Ends it, and says how many lines of its stdout started with `prefix`.
    pub(crate) fn stop(mut self, prefix: &str) -> Result<usize> {
        if let Some(status) = self.process.0.try_wait()? {
            bail!("ended by itself ({status})");
        }
        self.process.0.kill()?;
        self.process.0.wait()?;
        // With the process its ends of the pipes are gone, so this ends too.
        self.said.extend(self.lines.iter());
        Ok(self.count(prefix))
    }

    fn count(&self, prefix: &str) -> usize {
        let is_counted =
            |line: &&Line| line.stream == Stream::Stdout && line.text.starts_with(prefix);
        self.said.iter().filter(is_counted).count()
    }

    fn text(&self, stream: Stream) -> String {
        let lines = self.said.iter().filter(|line| line.stream == stream);
        lines.map(|line| format!("{}\n", line.text)).collect()
    }
}

/// Kills its process when dropped, whichever way the task goes.
struct Guard(process::Child);

impl Guard {
    fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("still running after {limit:?}");
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read_lines(
    pipe: impl Read + Send + 'static,
    stream: Stream,
    speaker: Option<&'static str>,
    lines: Sender<Line>,
) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches('\r')
                .to_owned();
            if let Some(speaker) = speaker {
                terminal::indented(speaker, &text);
            }
            // Nobody listens once the child was dropped; the pipe is still
            // emptied, so that the process can end.
            let _ = lines.send(Line { stream, text });
        }
    });
}

/// A command for an error: its program without the folder, and its arguments.
pub(crate) fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    command_line(command, program.parent().unwrap_or(program))
}

/// A command as one would type it in the folder `from`.
pub(crate) fn command_line(command: &Command, from: &Path) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| shell_word(word, from))
        .collect::<Vec<_>>()
        .join(" ")
}

fn shell_word(word: &OsStr, from: &Path) -> String {
    let path = Path::new(word);
    let word = match path.strip_prefix(from) {
        Ok(below) if path.is_absolute() && from.is_absolute() => below.to_string_lossy(),
        Ok(_) | Err(_) => word.to_string_lossy(),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[track_caller]
    fn check_word(word: &str, expected: &str) {
        assert_eq!(shell_word(OsStr::new(word), Path::new("/repo")), expected);
    }

    #[test]
    fn words_are_quoted_only_where_a_shell_needs_it() {
        check_word("run", "run");
        check_word("listen tcp://127.0.0.1:80", "'listen tcp://127.0.0.1:80'");
        check_word("it's", r"'it'\''s'");
        check_word("*", "'*'");
        check_word("", "''");
    }

    #[test]
    fn paths_are_shown_from_the_folder_they_are_below() {
        check_word("/repo/target/debug/portcullis", "target/debug/portcullis");
        check_word("/repository/portcullis", "/repository/portcullis");
        check_word("repo/a", "repo/a");
    }

    #[test]
    fn a_failure_names_the_command_and_its_status() {
        let error = run(&mut shell("exit 3"), LIMIT).unwrap_err().to_string();
        assert!(
            error.contains("sh -c 'exit 3'") && error.contains('3'),
            "{error}"
        );
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let started = Instant::now();
        assert!(run(&mut shell("exec sleep 60"), Duration::from_millis(50)).is_err());
        let child = Child::start_quietly(&mut shell("exec sleep 60")).unwrap();
        assert!(child.wait(Duration::from_millis(50)).is_err());
        assert!(started.elapsed() < LIMIT);
    }

    #[test]
    fn both_streams_are_kept_apart() {
        let ended = Child::start_quietly(&mut shell("echo out; echo err >&2; exit 1"))
            .unwrap()
            .wait(LIMIT)
            .unwrap();
        assert_eq!(
            (ended.stdout.as_str(), ended.stderr.as_str()),
            ("out\n", "err\n")
        );
        assert_eq!(ended.status.code(), Some(1));
    }

    #[test]
    fn lines_are_waited_for_and_counted() {
        let mut child = Child::start_quietly(&mut shell(
            "echo ready; echo got 1; echo got 2; exec sleep 60",
        ))
        .unwrap();
        child.wait_for("ready", 1, LIMIT).unwrap();
        child.wait_for("got", 2, LIMIT).unwrap();
        assert_eq!(child.stop("got").unwrap(), 2);
    }

    #[test]
    fn waiting_for_a_line_ends_with_the_process() {
        let mut child = Child::start_quietly(&mut shell("exit 7")).unwrap();
        let error = child.wait_for("ready", 1, LIMIT).unwrap_err().to_string();
        assert!(error.contains('7') && error.contains("ready"), "{error}");
    }
}
