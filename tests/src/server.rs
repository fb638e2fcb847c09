//! `portcullis serve` as a process that is put under load, and what it says.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// It says where it listens when it has compiled its handler.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How often its end is looked for.
const POLL: Duration = Duration::from_millis(5);

const LISTENS: &str = "portcullis: listens at ";
const RELOADED: &str = "portcullis: serves with what it read anew";
const NOT_RELOADED: &str = "portcullis: cannot serve with what it read anew";

/// Where a guest panics, which is no fault of the server's.
const GUEST: &str = " panicked at tests/";

/// How many of its last lines are kept.
const KEPT: usize = 40;

/// A server that runs. It is killed when this is dropped.
pub struct Server {
    process: Child,
    listens: Receiver<String>,
    said: Option<JoinHandle<Said>>,
}

/// What a server said, and how it ended.
#[derive(Debug, Default)]
pub struct Said {
    /// How often it has read everything anew.
    pub reloads: usize,
    failures: usize,
    /// Where the host itself panicked.
    pub panics: Vec<String>,
    /// The last lines.
    pub last: VecDeque<String>,
    /// How it ended.
    pub status: Option<ExitStatus>,
    /// How long it took to end.
    pub took: Duration,
}

impl Server {
    /// Starts the command, which is `portcullis serve` with its arguments and with what becomes
    /// of its standard output.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("cannot start {}: {error}", command.get_program().display())
            })?;
        let stderr = process.stderr.take().ok_or("it has no standard error")?;
        let (sender, listens) = mpsc::channel();
        let said = thread::spawn(move || {
            let mut said = Said::default();
            // What guests print is not always text.
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if let Some(place) = line.strip_prefix(LISTENS) {
                    // It is no error if the place is not asked for any more.
                    let _ = sender.send(place.to_owned());
                } else if line.starts_with(RELOADED) {
                    said.reloads += 1;
                } else if line.starts_with(NOT_RELOADED) {
                    said.failures += 1;
                } else if line.contains(" panicked at ") && !line.contains(GUEST) {
                    said.panics.push(line.clone());
                }
                said.last.push_back(line);
                said.last.drain(..said.last.len().saturating_sub(KEPT));
            }
            said
        });
        Ok(Self {
            process,
            listens,
            said: Some(said),
        })
    }

    /// Waits until it listens, and returns where: the next of its listeners, which is of
    /// a protocol (`tcp`).
    ///
    /// # Errors
    ///
    /// It does not say so.
    pub fn address(&self, protocol: &str) -> Result<SocketAddr> {
        let place = self.listens.recv_timeout(START_LIMIT);
        let place = place.map_err(|_| "the server does not say where it listens")?;
        let address = place.strip_prefix(protocol);
        let address = address.and_then(|address| address.strip_prefix("://"));
        let address = address.and_then(|address| address.parse().ok());
        address.ok_or_else(|| format!("the server listens at {place}").into())
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Has it read its handler and its policy anew.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn hang_up(&self) -> Result<()> {
        self.signal("HUP")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let number = self.process.id().to_string();
        let status = Command::new("kill")
            .args(["-s", signal, &number])
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err("the server has ended".into()),
        }
    }

    /// Sends it SIGTERM, waits for its end, and returns what it has said.
    ///
    /// # Errors
    ///
    /// It has ended before, or does not end within `limit`.
    pub fn stop(mut self, limit: Duration) -> Result<Said> {
        if let Some(status) = self.process.try_wait()? {
            let said = self.said()?;
            return Err(format!("the server has ended by itself, {status}: {said:#?}").into());
        }
        self.signal("TERM")?;
        let told = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait()? {
                break status;
            }
            if told.elapsed() > limit {
                return Err(format!("the server does not end within {limit:?}").into());
            }
            thread::sleep(POLL);
        };
        let took = told.elapsed();
        let mut said = self.said()?;
        said.status = Some(status);
        said.took = took;
        Ok(said)
    }

    fn said(&mut self) -> Result<Said> {
        let said = self.said.take().map(JoinHandle::join);
        Ok(said
            .and_then(|said| said.ok())
            .ok_or("what the server says was not read")?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Said {
    /// Fails if it could not always serve with what it read anew, or if something went
    /// wrong in the host itself.
    ///
    /// # Errors
    ///
    /// All that it said.
    pub fn check(&self) -> Result<()> {
        let has_ended_well = self.status.is_some_and(|status| status.success());
        match self.reloads > 0 && self.failures == 0 && self.panics.is_empty() && has_ended_well {
            true => Ok(()),
            false => Err(format!("the server did not do well: {self:#?}").into()),
        }
    }
}
