//! The CPU time of a process, user and system together.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How many of a process's ticks are a second: `USER_HZ` of Linux, the same on
/// every machine that Rust's wasmtime runs on.
const TICKS: u32 = 100;

/// What a process has used up to now.
struct CpuTime {
    /// Of all threads that it ever had, by the clock's tick.
    total: Duration,
    /// Of the threads that it has, by the nanosecond.
    threads: BTreeMap<String, Duration>,
}

/// How long something took, by the clock and by the processors.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) elapsed: Duration,
    /// The server's CPU time.
    pub(crate) server: Duration,
    /// The CPU time of this process, which is the load.
    pub(crate) load: Duration,
}

/// Runs from when it is started to when it is stopped.
pub(crate) struct Stopwatch {
    server: PathBuf,
    started: Instant,
    server_before: CpuTime,
    load_before: CpuTime,
}

impl Stopwatch {
    /// Watches this process and the server with a process id.
    pub(crate) fn start(server: u32) -> Result<Self> {
        let server = PathBuf::from(format!("/proc/{server}"));
        Ok(Self {
            server_before: CpuTime::of(&server)?,
            load_before: CpuTime::of(&own())?,
            started: Instant::now(),
            server,
        })
    }

    pub(crate) fn stop(self) -> Result<Spent> {
        let elapsed = self.started.elapsed();
        let load = CpuTime::of(&own())?.since(&self.load_before);
        let server = CpuTime::of(&self.server)?.since(&self.server_before);
        Ok(Spent {
            elapsed,
            server,
            load,
        })
    }
}

impl CpuTime {
    fn of(process: &std::path::Path) -> Result<Self> {
        let stat = fs::read_to_string(process.join("stat"))
            .context("the server is gone, so what it used cannot be read")?;
        let ticks = ticks(&stat).with_context(|| format!("unknown format: {stat}"))?;
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(process.join("task"))? {
            let entry = entry?;
            // A thread that ended meanwhile is in the total.
            if let Ok(line) = fs::read_to_string(entry.path().join("schedstat"))
                && let Some(nanoseconds) = line.split(' ').next().and_then(|it| it.parse().ok())
            {
                let id = entry.file_name().to_string_lossy().into_owned();
                threads.insert(id, Duration::from_nanos(nanoseconds));
            }
        }
        Ok(Self {
            total: Duration::from_secs(ticks) / TICKS,
            threads,
        })
    }

    /// To the nanosecond if the threads are the same, else to the tick, since what
    /// ended threads used is counted in ticks alone.
    fn since(&self, earlier: &Self) -> Duration {
        match self.threads.is_empty() || !self.threads.keys().eq(earlier.threads.keys()) {
            true => self.total.saturating_sub(earlier.total),
            false => {
                let now: Duration = self.threads.values().sum();
                now.saturating_sub(earlier.threads.values().sum())
            }
        }
    }
}

fn own() -> PathBuf {
    PathBuf::from("/proc/self")
}

/// `utime` and `stime` of proc_pid_stat(5): the 14th and 15th field. The second is
/// a name in parentheses, with whatever is in it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "12 (a b) c) S 1 12 12 0 -1 4194304 100 0 0 0 37 5 0 0 20 0 1 0 300";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("12 (a"), None);
    }

    #[test]
    fn threads_count_to_the_nanosecond_unless_one_came_or_went() {
        let time = |total, threads: &[(&str, u64)]| CpuTime {
            total: Duration::from_millis(total),
            threads: threads
                .iter()
                .map(|(id, time)| ((*id).to_owned(), Duration::from_nanos(*time)))
                .collect(),
        };
        let before = time(10, &[("1", 5), ("2", 6)]);
        let same = time(30, &[("1", 7), ("2", 9)]);
        assert_eq!(same.since(&before), Duration::from_nanos(5));
        let fewer = time(30, &[("1", 7)]);
        assert_eq!(fewer.since(&before), Duration::from_millis(20));
    }

    #[test]
    fn this_process_uses_time_when_it_computes() {
        let before = CpuTime::of(&own()).unwrap();
        // Others may have the processor for most of the time.
        let deadline = Instant::now() + Duration::from_secs(60);
        while CpuTime::of(&own()).unwrap().since(&before) < Duration::from_millis(20) {
            assert!(
                Instant::now() < deadline,
                "a busy loop seems to use nothing"
            );
        }
    }
}
