//! The server as a process: `portcullis serve`, and what it says.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Result;

/// It says where it listens when it has compiled its handler.
const START_LIMIT: Duration = Duration::from_secs(120);
/// It has nobody to serve any more when it is told to end.
const END_LIMIT: Duration = Duration::from_secs(60);

const LISTENS: &str = "portcullis: listens at tcp://";
const RELOADED: &str = "portcullis: serves with what it read anew";
const NOT_RELOADED: &str = "portcullis: cannot serve with what it read anew";

/// Where a guest panics, which is no fault of the server's.
const GUEST: &str = " panicked at tests/guests/";

/// A server that runs.
pub(crate) struct Server {
    process: Child,
    address: Receiver<SocketAddr>,
    said: Option<JoinHandle<Said>>,
}

/// What it said, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// How often it has read everything anew.
    pub(crate) reloads: usize,
    failures: usize,
    panics: Vec<String>,
    has_ended_well: bool,
}

impl Server {
    pub(crate) fn start(command: &Path, handler: &Path) -> Result<Self> {
        let mut process = Command::new(command)
            .arg("serve")
            .args(["--listen", "tcp://127.0.0.1:0 from 127.0.0.1"])
            // Little more than come at once, so that each place is soon used.
            .args(["--max-connections", "96", "--memory", "16 MiB"])
            .args(["--cpu-time", "500ms", "--idle-time", "30s"])
            .arg(handler)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", command.display()))?;
        let stderr = process.stderr.take().ok_or("it has no standard error")?;
        let (sender, address) = mpsc::channel();
        let said = thread::spawn(move || {
            let mut said = Said::default();
            for line in BufReader::new(stderr).lines().map_while(|line| line.ok()) {
                if let Some(address) = line.strip_prefix(LISTENS) {
                    // Nobody waits for a second one.
                    let _ = address.parse().map(|address| sender.send(address));
                } else if line.starts_with(RELOADED) {
                    said.reloads += 1;
                } else if line.starts_with(NOT_RELOADED) {
                    said.failures += 1;
                } else if line.contains(" panicked at ") && !line.contains(GUEST) {
                    said.panics.push(line);
                }
            }
            said
        });
        Ok(Self {
            process,
            address,
            said: Some(said),
        })
    }

    /// Where it listens, once it does.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        let address = self.address.recv_timeout(START_LIMIT);
        Ok(address.map_err(|_| "the server does not say where it listens")?)
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Has it read its handler and its policy anew.
    pub(crate) fn hang_up(&self) -> Result<()> {
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

    /// Ends it, and hears what it has said.
    pub(crate) fn stop(mut self) -> Result<Said> {
        self.signal("TERM")?;
        let end = Instant::now() + END_LIMIT;
        let status = loop {
            if let Some(status) = self.process.try_wait()? {
                break status;
            }
            if Instant::now() > end {
                return Err("the server does not end".into());
            }
            thread::sleep(Duration::from_millis(20));
        };
        let said = self.said.take().map(JoinHandle::join);
        let mut said = said
            .and_then(|said| said.ok())
            .ok_or("nobody listened to it")?;
        said.has_ended_well = status.success();
        Ok(said)
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
    /// That it could always serve with what it read, and nothing went wrong in the
    /// host itself.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self {
                reloads: 1..,
                failures: 0,
                panics,
                has_ended_well: true,
            } if panics.is_empty() => Ok(()),
            Self { .. } => Err(format!("the server did not do well: {self:?}").into()),
        }
    }
}
