//! A whole command: started, does nothing, ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::statistics::summary;

/// At least so many starts are one figure.
const STARTS: usize = 3;

/// Seconds that it takes, once what can be kept from an earlier start is there:
/// the middle of as many starts as there is time for.
pub(super) fn cached(command: &Command, time: Duration) -> Result<f64> {
    start(command, None)?;
    let until = Instant::now() + time;
    let mut times = Vec::new();
    while times.len() < STARTS || Instant::now() < until {
        times.push(start(command, None)?.as_secs_f64());
    }
    let summary = summary(times).context("no start")?;
    Ok(summary.median)
}

/// Seconds that it takes with a cache of its own that is empty.
pub(super) fn compiling(command: &Command, folder: &Path) -> Result<f64> {
    let cache = std::path::absolute(folder)?.join("empty-cache");
    if cache.exists() {
        fs::remove_dir_all(&cache)?;
    }
    fs::create_dir_all(&cache)?;
    let time = start(command, Some(&cache))?;
    fs::remove_dir_all(&cache)?;
    Ok(time.as_secs_f64())
}

fn start(command: &Command, cache: Option<&Path>) -> Result<Duration> {
    let mut process = Command::new(command.get_program());
    process
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if let Some(cache) = cache {
        process.env("XDG_CACHE_HOME", cache);
    }
    let started = Instant::now();
    let status = process
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    let time = started.elapsed();
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(time)
}
