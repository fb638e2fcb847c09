//! For how long a server had to leave the processors to others: on a busy machine its
//! answers are late through no fault of its own.
//!
//! That is what its threads waited while they could have run, and no more than what
//! others than the server computed meanwhile: of threads that wait for each other, the
//! server itself is to blame.

use std::fs;
use std::time::Duration;

/// What the kernel has counted so far.
pub(crate) struct Sample {
    /// How long each thread of the server waited for a processor.
    waited: Vec<(String, Duration)>,
    /// How long this thread did.
    self_waited: Duration,
    /// How long all processors computed.
    all: Duration,
    /// How long they did for the server.
    server: Duration,
}

impl Sample {
    /// With the server's process.
    pub(crate) fn take(server: u32) -> Self {
        let threads = fs::read_dir(format!("/proc/{server}/task"));
        let threads = threads.into_iter().flatten().flatten();
        Self {
            waited: threads
                .map(|thread| {
                    let path = thread.path().join("schedstat");
                    let number = thread.file_name().to_string_lossy().into_owned();
                    (number, waited(&path.to_string_lossy()))
                })
                .collect(),
            self_waited: waited("/proc/thread-self/schedstat"),
            all: all(),
            server: of_process(server),
        }
    }

    /// How much of the time since then was taken by others.
    pub(crate) fn taken_since(&self, before: &Self) -> Duration {
        let waited = self.waited.iter().map(|(thread, waited)| {
            let before = before.waited.iter().find(|(other, _)| other == thread);
            waited.saturating_sub(before.map_or(Duration::ZERO, |(_, waited)| *waited))
        });
        let waited =
            waited.max().unwrap_or_default() + self.self_waited.saturating_sub(before.self_waited);
        let all = self.all.saturating_sub(before.all);
        let others = all.saturating_sub(self.server.saturating_sub(before.server));
        waited.min(others)
    }
}

/// The second number of `schedstat`.
fn waited(path: &str) -> Duration {
    let text = fs::read_to_string(path).unwrap_or_default();
    let number = text.split_whitespace().nth(1);
    Duration::from_nanos(number.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// The first line of `/proc/stat`, but for what is idle.
fn all() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).take(8).enumerate();
    ticks
        .filter(|(at, _)| ![3, 4].contains(at))
        .filter_map(|(_, ticks)| ticks.parse().ok())
        .map(from_ticks)
        .sum()
}

/// The fourteenth and fifteenth word of `/proc/PID/stat`.
fn of_process(number: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    // The command's name is in parentheses, and may hold anything.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse().ok())
        .map(from_ticks)
        .sum()
}

/// Linux tells programs of hundredths of a second.
fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 10)
}
