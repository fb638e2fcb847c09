//! Which core does what: the server on one, the load on another, so that neither
//! takes the other's time, and each core stays warm for what it does.
//!
//! `taskset` does it, which is on every Linux.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

/// Stands for "wherever the system likes" on the command line.
const ANYWHERE: &str = "any";

/// Where servers and load run.
#[derive(Clone, Copy)]
pub(crate) enum Placement {
    /// Each on a core of its own.
    Pinned { server: u32, load: u32 },
    /// Wherever the system likes, on so many cores.
    Free { cores: usize },
}

impl Placement {
    /// The first core for servers and the last for the load, of those that this
    /// process may use, if there are two. Puts this process, which is the load,
    /// into its place.
    pub(crate) fn take(pin: bool) -> Result<Self> {
        let cores = allowed_cores()?;
        match (cores.first(), cores.last()) {
            (Some(&server), Some(&load)) if pin && server != load => {
                // Threads that are started from now on are confined as well.
                let id = process::id().to_string();
                let status = Command::new("taskset")
                    .args(["--cpu-list", "--pid", &load.to_string(), &id])
                    .stdout(Stdio::null())
                    .status()
                    .context("cannot run taskset (of util-linux; or say --no-pin)")?;
                if !status.success() {
                    bail!("taskset: {status}; or say --no-pin");
                }
                Ok(Self::Pinned { server, load })
            }
            _ => Ok(Self::Free { cores: cores.len() }),
        }
    }

    /// How many threads a server has to work with.
    pub(crate) fn workers(self) -> usize {
        match self {
            Self::Pinned { .. } => 1,
            Self::Free { cores } => cores,
        }
    }

    /// A command of this program that runs another command where servers run,
    /// and no longer than the benchmark.
    pub(crate) fn confined(self, command: &Command) -> Result<Command> {
        let cores = match self {
            Self::Pinned { server, .. } => server.to_string(),
            Self::Free { .. } => ANYWHERE.to_owned(),
        };
        let mut confined = Command::new(std::env::current_exe()?);
        confined.args(["confine", &cores]);
        confined.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => confined.env(name, value),
                None => confined.env_remove(name),
            };
        }
        Ok(confined)
    }
}

impl std::fmt::Display for Placement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pinned { server, load } => {
                write!(
                    f,
                    "servers pinned to core {server}, the load to core {load}"
                )
            }
            Self::Free { cores } => write!(f, "not pinned, {cores} cores for servers and load"),
        }
    }
}

/// Becomes the command, on its cores, and to be killed with its parent.
pub(crate) fn confine(cores: &str, command: &[&str]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let Some((program, arguments)) = command.split_first() else {
        bail!("confine: no command");
    };
    let error = match cores {
        ANYWHERE => Command::new(program).args(arguments).exec(),
        cores => Command::new("taskset")
            .args(["--cpu-list", cores])
            .args(command)
            .exec(),
    };
    Err(error).with_context(|| (*program).to_owned())
}

/// The cores that this process may use, in their order.
fn allowed_cores() -> Result<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status").context("this takes Linux's /proc")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .context("no Cpus_allowed_list in /proc/self/status")?;
    cores(list.trim()).with_context(|| format!("Cpus_allowed_list: {list}"))
}

/// `0-2,5` (cpuset(7), "List format").
fn cores(list: &str) -> Option<Vec<u32>> {
    let mut cores = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cores.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_as_the_kernel_writes_them() {
        assert_eq!(cores("0"), Some(vec![0]));
        assert_eq!(cores("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cores(""), None);
        assert_eq!(cores("all"), None);
    }
}
