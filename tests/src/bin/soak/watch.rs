//! What the server takes of the machine, as `/proc` tells it.

use std::fmt;
use std::fs;
use std::time::Instant;

use crate::Result;

const MIB: f64 = (1 << 20) as f64;

/// By how much the memory may grow, in MiB: by this, or a share of what it was.
/// What is freed does not always go back to the system.
const GROWTH: f64 = 12.0;
const GROWTH_SHARE: f64 = 0.15;

/// What was seen.
pub(crate) struct Watch {
    began: Instant,
    before: Usage,
    during: Vec<(f64, Usage)>,
    after: Option<Usage>,
}

/// What a process takes.
#[derive(Clone, Copy, Debug)]
struct Usage {
    /// Resident, in MiB.
    memory: f64,
    descriptors: usize,
}

impl Watch {
    /// With a server that nobody visits.
    pub(crate) fn begin(process: u32) -> Self {
        Self {
            began: Instant::now(),
            before: Usage::of(process),
            during: Vec::new(),
            after: None,
        }
    }

    /// Under load.
    pub(crate) fn look(&mut self, process: u32) {
        let time = self.began.elapsed().as_secs_f64();
        self.during.push((time, Usage::of(process)));
    }

    /// When nobody visits it any more.
    pub(crate) fn end(&mut self, process: u32) {
        self.after = Some(Usage::of(process));
    }

    /// By how much the memory grows under load, in MiB for each second: the line
    /// that is nearest to what was seen (least squares).
    fn slope(&self) -> f64 {
        let samples = self
            .during
            .iter()
            .map(|(time, usage)| (*time, usage.memory));
        let count = self.during.len().max(1) as f64;
        let (times, memories) = samples
            .clone()
            .fold((0.0, 0.0), |(times, memories), (time, memory)| {
                (times + time / count, memories + memory / count)
            });
        let (covariance, variance) =
            samples.fold((0.0, 0.0), |(covariance, variance), (time, memory)| {
                let away = time - times;
                (
                    covariance + away * (memory - memories),
                    variance + away * away,
                )
            });
        match variance > 0.0 {
            true => covariance / variance,
            false => 0.0,
        }
    }

    fn growth(&self) -> f64 {
        let time = self.during.last().map_or(0.0, |(time, _)| *time);
        self.slope() * time
    }

    /// That it takes no more at the end than at the beginning.
    pub(crate) fn check(&self) -> Result<()> {
        let after = self.after.ok_or("nobody looked at the end")?;
        let most = GROWTH.max(self.before.memory * GROWTH_SHARE);
        if after.descriptors != self.before.descriptors {
            return Err("descriptors were left open".into());
        }
        if after.memory > self.before.memory + most || self.growth() > most {
            return Err("the memory grows".into());
        }
        Ok(())
    }
}

impl Usage {
    /// Nothing, where it has ended: others will notice.
    fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: f64 = kibibytes
            .and_then(|number| number.parse().ok())
            .unwrap_or_default();
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"));
        Self {
            memory: kibibytes * 1024.0 / MIB,
            descriptors: descriptors.map_or(0, |descriptors| descriptors.count()),
        }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.after.unwrap_or(self.before);
        let most = |of: fn(&Usage) -> f64| {
            self.during
                .iter()
                .map(|(_, usage)| of(usage))
                .fold(0.0, f64::max)
        };
        writeln!(
            f,
            "memory: {:.1} MiB before, {:.1} MiB after, at most {:.1} MiB; under load it grew by {:.2} MiB a minute",
            self.before.memory,
            after.memory,
            most(|usage| usage.memory),
            self.slope() * 60.0,
        )?;
        write!(
            f,
            "descriptors: {} before, {} after, at most {}",
            self.before.descriptors,
            after.descriptors,
            most(|usage| usage.descriptors as f64),
        )
    }
}
