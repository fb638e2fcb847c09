//! SIGUSR2: the command as it is installed now takes over, without anybody who comes
//! meanwhile being turned away.
//!
//! The new process has the sockets of the old one, and nothing else that is open. The
//! old one serves on until the new one says that it serves.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};

use super::inherited::{FIRST, PREDECESSOR, READY};

/// How often numbers in a row are looked for, which others take meanwhile.
const ATTEMPTS: usize = 1024;

/// What was started, and how.
pub(crate) struct Executable {
    path: Option<PathBuf>,
    arguments: Vec<OsString>,
}

/// The process that is to take over. It is ended unless it does.
struct Successor {
    process: Child,
    has_taken_over: bool,
}

impl Executable {
    /// To be asked at the start, before somebody replaces the file.
    pub(crate) fn of_this_process() -> Self {
        let mut arguments = env::args_os();
        // As it was called, where that says where it is: a link may lead to a newer
        // version by then.
        let called = arguments.next().map(PathBuf::from);
        let called = called.filter(|path| path.components().count() > 1 && path.is_file());
        Self {
            path: called.or_else(|| env::current_exe().ok()),
            arguments: arguments.collect(),
        }
    }

    /// The file that is started, if anybody knows it.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Starts it with the sockets, and waits until it serves. Tells its number.
    ///
    /// # Errors
    ///
    /// Where it cannot be started, ends, or does not serve in time. Then it is gone.
    pub(crate) async fn take_over(
        &self,
        mut sockets: Vec<(String, OwnedFd)>,
        patience: Duration,
    ) -> Result<u32> {
        if process::id() == 1 {
            bail!(
                "all processes of a container end with its first one, which this is; start                  another container"
            );
        }
        let path = self.path.as_ref();
        let path = path.context("nobody knows where this command is")?;
        let (heard, told) = io::pipe()?;
        sockets.push((PREDECESSOR.to_owned(), told.into()));
        let (names, descriptors): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
        let mut heard = pipe::Receiver::from_owned_fd(heard.into())?;
        let row = in_a_row(&descriptors)?;
        for descriptor in &row {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        let mut command = Command::new(path);
        command
            .args(&self.arguments)
            .env("LISTEN_FDS", row.len().to_string())
            .env("LISTEN_FDS_FIRST_FD", first(&row).to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            // Both would be of this process.
            .env_remove("LISTEN_PID")
            .env_remove("WATCHDOG_PID");
        let process = command.spawn();
        let process = process.with_context(|| format!("cannot start {}", path.display()))?;
        // Its end of the pipe is its own now, and closes when it ends.
        drop((row, descriptors));
        let mut successor = Successor {
            process,
            has_taken_over: false,
        };
        let mut word = Vec::new();
        match timeout(patience, heard.read_to_end(&mut word)).await {
            Ok(Ok(_)) if word == READY => {
                successor.has_taken_over = true;
                Ok(successor.process.id())
            }
            Ok(_) => bail!(
                "{} ended before it served: {}",
                path.display(),
                successor.ended().await?
            ),
            Err(_) => bail!(
                "{} does not serve after {}",
                path.display(),
                humantime::format_duration(patience)
            ),
        }
    }
}

impl Successor {
    /// How it ended. It is about to, or else is ended.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        for _ in 0..100 {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            sleep(Duration::from_millis(10)).await;
        }
        self.end()
    }

    /// Ends it, if it has not ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.process.kill()?;
        self.process.wait()
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.has_taken_over {
            // There is nobody to tell.
            let _ = self.end();
        }
    }
}

/// The same descriptors once more, under numbers in a row.
fn in_a_row(descriptors: &[OwnedFd]) -> io::Result<Vec<OwnedFd>> {
    let mut least = FIRST;
    for _ in 0..ATTEMPTS {
        let mut row: Vec<OwnedFd> = Vec::new();
        for descriptor in descriptors {
            // The lowest number that is free from there on.
            row.push(fcntl_dupfd_cloexec(descriptor, least)?);
            let came = row.last().map_or(least, AsRawFd::as_raw_fd);
            if came != least && row.len() > 1 {
                break;
            }
            least = came + 1;
        }
        let is_in_a_row = (first(&row)..)
            .zip(&row)
            .all(|(number, one)| number == one.as_raw_fd());
        if is_in_a_row && row.len() == descriptors.len() {
            return Ok(row);
        }
        least = row.last().map_or(least, AsRawFd::as_raw_fd);
    }
    Err(rustix::io::Errno::MFILE.into())
}

fn first(row: &[OwnedFd]) -> RawFd {
    row.first().map_or(FIRST, AsRawFd::as_raw_fd)
}
