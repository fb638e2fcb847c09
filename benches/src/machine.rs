//! The machine that figures are of.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    /// The commit that was measured, and whether more than that was.
    pub(crate) commit: String,
    /// Of the last minute before the run.
    pub(crate) load_average: String,
}

impl Machine {
    /// This one. What it does not tell stays unknown.
    pub(crate) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: field(&read("/proc/meminfo"), "MemTotal"),
            kernel: known(&read("/proc/sys/kernel/osrelease")),
            commit: known(&git()),
            load_average: known(read("/proc/loadavg").split(' ').next().unwrap_or_default()),
        }
    }
}

fn git() -> String {
    Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}

fn field(text: &str, name: &str) -> String {
    let values = text.lines().filter_map(|line| {
        let (field, value) = line.split_once(':')?;
        (field.trim() == name).then_some(value)
    });
    known(values.into_iter().next().unwrap_or_default())
}

fn known(text: &str) -> String {
    match text.trim() {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}
