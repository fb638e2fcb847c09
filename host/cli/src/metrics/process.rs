//! What the process takes of the machine, under the names that Prometheus'
//! clients share. It is looked up when it is asked for, in proc(5).

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustix::process::{Resource, getrlimit};

/// In how many parts of a second the kernel tells times (`USER_HZ`): 100 wherever
/// wasmtime compiles to.
const TICKS: f64 = 100.0;

/// This process. What the system does not tell is left out.
#[derive(Debug)]
pub(super) struct Process {
    began: SystemTime,
}

/// As of now: who counts is made when the process begins.
impl Default for Process {
    fn default() -> Self {
        Self {
            began: SystemTime::now(),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let began = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = Some(began.as_secs_f64());
        let (seconds, bytes) = (Some(&Unit::Seconds), Some(&Unit::Bytes));
        counter(&mut to, "process_cpu", "Time on processors.", cpu_time())?;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let gauges = [
            (
                "process_start_time",
                "When it began, since 1970.",
                seconds,
                began,
            ),
            (
                "process_resident_memory",
                "Memory in use.",
                bytes,
                field(&status, "VmRSS:").map(|kib| kib * 1024.0),
            ),
            (
                "process_virtual_memory",
                "Addresses in use.",
                bytes,
                field(&status, "VmSize:").map(|kib| kib * 1024.0),
            ),
            (
                "process_threads",
                "Threads.",
                None,
                field(&status, "Threads:"),
            ),
            (
                "process_open_fds",
                "Open descriptors.",
                None,
                open_descriptors(),
            ),
            (
                "process_max_fds",
                "How many descriptors may be open.",
                None,
                most_descriptors(),
            ),
        ];
        for (name, help, unit, value) in gauges {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            gauge.encode(to.encode_descriptor(name, help, unit, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

fn counter(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    seconds: Option<f64>,
) -> fmt::Result {
    let Some(seconds) = seconds else {
        return Ok(());
    };
    let counter = ConstCounter::new(seconds);
    let unit = Some(&Unit::Seconds);
    counter.encode(to.encode_descriptor(name, help, unit, counter.metric_type())?)
}

/// Of the process and in the kernel for it (`utime` and `stime`).
fn cpu_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name, in parentheses, and may hold any.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

/// The number of a line of /proc/self/status.
fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn open_descriptors() -> Option<f64> {
    // One of them is that of the folder.
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(f64::from(u32::try_from(count.saturating_sub(1)).ok()?))
}

fn most_descriptors() -> Option<f64> {
    let limit = getrlimit(Resource::Nofile).current?;
    Some(f64::from(u32::try_from(limit).unwrap_or(u32::MAX)))
}
