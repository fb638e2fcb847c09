//! What this process costs, as the kernel counts it.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

/// The memory that is in use (resident), in bytes.
pub fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.strip_suffix("kB")).unwrap();
    kibibytes.trim().parse::<usize>().unwrap() * 1024
}

/// How long this process was on a processor, its own calls and the kernel's work
/// for it.
pub fn time_at_work() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    let microseconds = times.map(|time| u64::try_from(time.num_microseconds()).unwrap());
    microseconds.map(Duration::from_micros).iter().sum()
}

/// Lets each table of this process hold that many descriptors.
pub fn allow_descriptors(count: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= count, "`ulimit -Hn` says {hard}, which is too few");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(count), hard).unwrap();
}

/// Says what was measured where it is seen although the test passes.
pub fn say(measured: &str) {
    let mut stderr = io::stderr();
    writeln!(stderr, "measured: {measured}").unwrap();
}

/// Runs all of this process on one processor meanwhile: what it costs to wake
/// somebody on another one changes by the hour.
pub fn on_one_processor<T>(work: impl FnOnce() -> T) -> T {
    let before = sched_getaffinity(Pid::this()).unwrap();
    let first = (0..CpuSet::count()).find(|number| before.is_set(*number).unwrap());
    let mut one = CpuSet::new();
    one.set(first.unwrap()).unwrap();
    run_on(&one);
    let output = work();
    run_on(&before);
    output
}

fn run_on(processors: &CpuSet) {
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let thread = thread.unwrap().file_name();
        let thread = Pid::from_raw(thread.to_str().unwrap().parse().unwrap());
        // It may have ended in between.
        let _ = sched_setaffinity(thread, processors);
    }
}
