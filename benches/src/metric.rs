//! What is measured: each figure's name, unit, and which way is better.

use serde::{Deserialize, Serialize};

/// A figure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metric {
    RoundTripRate,
    RoundTripCpu,
    CrowdRate,
    CrowdCpu,
    LatencyMedian,
    #[serde(rename = "latency-99")]
    Latency99,
    #[serde(rename = "latency-99.9")]
    Latency999,
    LatencyCpu,
    /// How late the load itself was: what of the latencies is its own.
    Lateness99,
    ThroughputRate,
    ThroughputCpu,
    ConnectionRate,
    ConnectionCpu,
    DatagramRate,
    DatagramCpu,
    IdlePss,
    IdleRss,
    ColdStart,
    ColdStartUncached,
    InstantiateOnDemand,
    InstantiatePooling,
    #[serde(rename = "policy-1")]
    Policy1,
    #[serde(rename = "policy-10000")]
    Policy10000,
}

/// What a figure is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    Bytes,
    BytesPerSecond,
    PerSecond,
    Seconds,
}

impl Metric {
    pub(crate) const ALL: [Self; 23] = [
        Self::RoundTripRate,
        Self::RoundTripCpu,
        Self::CrowdRate,
        Self::CrowdCpu,
        Self::LatencyMedian,
        Self::Latency99,
        Self::Latency999,
        Self::LatencyCpu,
        Self::Lateness99,
        Self::ThroughputRate,
        Self::ThroughputCpu,
        Self::ConnectionRate,
        Self::ConnectionCpu,
        Self::DatagramRate,
        Self::DatagramCpu,
        Self::IdlePss,
        Self::IdleRss,
        Self::ColdStart,
        Self::ColdStartUncached,
        Self::InstantiateOnDemand,
        Self::InstantiatePooling,
        Self::Policy1,
        Self::Policy10000,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::RoundTripRate => "round trips, 1 connection",
            Self::RoundTripCpu => "CPU per round trip, 1 connection",
            Self::CrowdRate => "round trips, 64 connections",
            Self::CrowdCpu => "CPU per round trip, 64 connections",
            Self::LatencyMedian => "latency, median",
            Self::Latency99 => "latency, 99%",
            Self::Latency999 => "latency, 99.9%",
            Self::LatencyCpu => "CPU per request at that rate",
            Self::Lateness99 => "lateness of the load itself, 99%",
            Self::ThroughputRate => "throughput, 64 KiB writes",
            Self::ThroughputCpu => "CPU per 64 KiB",
            Self::ConnectionRate => "connections",
            Self::ConnectionCpu => "CPU per connection",
            Self::DatagramRate => "UDP echoes",
            Self::DatagramCpu => "CPU per UDP echo",
            Self::IdlePss => "memory per idle connection (PSS)",
            Self::IdleRss => "memory per idle connection (RSS)",
            Self::ColdStart => "start, do nothing, end",
            Self::ColdStartUncached => "the same, compiling first",
            Self::InstantiateOnDemand => "instantiate, on demand",
            Self::InstantiatePooling => "instantiate, pooling",
            Self::Policy1 => "decisions, policy of 1 grant",
            Self::Policy10000 => "decisions, policy of 10,000 grants",
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::RoundTripRate
            | Self::CrowdRate
            | Self::ConnectionRate
            | Self::DatagramRate
            | Self::Policy1
            | Self::Policy10000 => Unit::PerSecond,
            Self::RoundTripCpu
            | Self::CrowdCpu
            | Self::LatencyMedian
            | Self::Latency99
            | Self::Latency999
            | Self::LatencyCpu
            | Self::Lateness99
            | Self::ThroughputCpu
            | Self::ConnectionCpu
            | Self::DatagramCpu
            | Self::ColdStart
            | Self::ColdStartUncached
            | Self::InstantiateOnDemand
            | Self::InstantiatePooling => Unit::Seconds,
            Self::ThroughputRate => Unit::BytesPerSecond,
            Self::IdlePss | Self::IdleRss => Unit::Bytes,
        }
    }
}

impl Unit {
    /// Whether more is better.
    pub(crate) fn is_rate(self) -> bool {
        match self {
            Self::Bytes | Self::Seconds => false,
            Self::BytesPerSecond | Self::PerSecond => true,
        }
    }

    /// A figure for people: three digits and the prefix that suits it.
    pub(crate) fn show(self, value: f64) -> String {
        let (steps, unit): (&[(f64, &str)], _) = match self {
            Self::Bytes | Self::BytesPerSecond => (
                &[
                    (f64::from(1 << 30), " Gi"),
                    (f64::from(1 << 20), " Mi"),
                    (f64::from(1 << 10), " Ki"),
                ],
                match self.is_rate() {
                    true => "B/s",
                    false => "B",
                },
            ),
            Self::PerSecond => (&[(1e6, " M"), (1e3, " k"), (1.0, " ")], "/s"),
            Self::Seconds => (&[(1.0, " "), (1e-3, " m"), (1e-6, " µ"), (1e-9, " n")], "s"),
        };
        let step = steps.iter().find(|(size, _)| value.abs() >= *size);
        let (size, prefix) = step.or(steps.last()).copied().unwrap_or((1.0, " "));
        format!("{}{prefix}{unit}", digits(value / size))
    }
}

/// Three of them.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_fitting_prefix() {
        assert_eq!(Unit::Seconds.show(0.000_005_678), "5.68 µs");
        assert_eq!(Unit::Seconds.show(0.123_4), "123 ms");
        assert_eq!(Unit::PerSecond.show(98_765.0), "98.8 k/s");
        assert_eq!(Unit::Bytes.show(100.0 * 1024.0), "100 KiB");
        assert_eq!(
            Unit::BytesPerSecond.show(3.0 * 1024.0 * 1024.0),
            "3.00 MiB/s"
        );
        assert_eq!(Unit::PerSecond.show(0.0), "0.00 /s");
    }
}
