//! What is done to each contender, and what comes out of it.

mod connections;
mod datagrams;
mod idle;
mod latency;
mod round_trip;
mod throughput;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::contender::{Contender, Programs, Protocol};
use crate::cpu::{Spent, Stopwatch};
use crate::metric::Metric;
use crate::options::Options;
use crate::placement::Placement;
use crate::server::Server;

/// What one connection of the echo takes at once, as the standard library's copy
/// does.
const BUFFER: usize = 8 << 10;

/// Connections that a crowd has, each with one message under way.
const CROWD: usize = 64;

/// A load, in the order in which they are run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Load {
    /// One connection, one message under way: the closed loop.
    RoundTrip,
    /// Many connections, one message under way on each.
    Crowd,
    /// Messages at a fixed rate: the open loop.
    Latency,
    /// One connection as full as it gets.
    Throughput,
    /// Connect, one byte there and back, close.
    Connections,
    Datagrams,
    /// Connections that do nothing.
    Idle,
}

/// What one load on one server came to.
pub(crate) struct Outcome {
    pub(crate) values: Vec<(Metric, f64)>,
    /// The cores that the server had, on average.
    pub(crate) server_share: f64,
    /// The cores that the load had, on average.
    pub(crate) load_share: f64,
}

/// A load that can be kept up for any time.
trait Drive {
    /// Goes on until then, and says how many operations were completed.
    fn drive(&mut self, until: Instant) -> Result<u64>;
}

impl Load {
    pub(crate) const ALL: [Self; 7] = [
        Self::RoundTrip,
        Self::Crowd,
        Self::Latency,
        Self::Throughput,
        Self::Connections,
        Self::Datagrams,
        Self::Idle,
    ];

    /// On the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round-trip",
            Self::Crowd => "crowd",
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Connections => "connections",
            Self::Datagrams => "datagrams",
            Self::Idle => "idle",
        }
    }

    /// Whether the contender can serve it at all.
    pub(crate) fn suits(self, contender: Contender) -> bool {
        let is_concurrent = match self {
            Self::RoundTrip | Self::Throughput | Self::Connections | Self::Datagrams => false,
            Self::Crowd | Self::Latency | Self::Idle => true,
        };
        contender.speaks(self.protocol()) && (contender.is_concurrent() || !is_concurrent)
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Datagrams => Protocol::Udp,
            Self::RoundTrip
            | Self::Crowd
            | Self::Latency
            | Self::Throughput
            | Self::Connections
            | Self::Idle => Protocol::Tcp,
        }
    }

    /// Starts the contender, and puts the load on it.
    pub(crate) fn run(
        self,
        contender: Contender,
        programs: &Programs,
        placement: Placement,
        options: &Options,
    ) -> Result<Outcome> {
        let buffer = match self {
            Self::Throughput => throughput::CHUNK,
            Self::RoundTrip
            | Self::Crowd
            | Self::Latency
            | Self::Connections
            | Self::Datagrams
            | Self::Idle => BUFFER,
        };
        Server::start(contender, programs, placement, self.protocol(), buffer)
            .and_then(|server| self.put_on(&server, options))
            .with_context(|| {
                let said = fs::read_to_string(&programs.log).unwrap_or_default();
                format!("{} on {}\n{said}", self.name(), contender.title())
            })
    }

    fn put_on(self, server: &Server, options: &Options) -> Result<Outcome> {
        let address = server.address;
        match self {
            Self::RoundTrip => {
                let mut visitors = round_trip::RoundTrips::open(address, 1)?;
                closed_loop(&mut visitors, server, options)
                    .map(|done| done.outcome(Metric::RoundTripRate, Metric::RoundTripCpu, 1))
            }
            Self::Crowd => {
                let mut visitors = round_trip::RoundTrips::open(address, CROWD)?;
                closed_loop(&mut visitors, server, options)
                    .map(|done| done.outcome(Metric::CrowdRate, Metric::CrowdCpu, 1))
            }
            Self::Latency => {
                let mut requests = latency::Requests::open(address, options.rate)?;
                requests.drive(Instant::now() + options.warm_up)?;
                requests.forget();
                let done = measured(&mut requests, server, options.slice)?;
                let mut values = requests.latencies();
                values.push((Metric::LatencyCpu, done.cpu()));
                Ok(done.with(values))
            }
            Self::Throughput => {
                let mut stream = throughput::Stream::open(address)?;
                let chunk = throughput::CHUNK as u64;
                closed_loop(&mut stream, server, options)
                    .map(|done| done.outcome(Metric::ThroughputRate, Metric::ThroughputCpu, chunk))
            }
            Self::Connections => {
                let mut visitors = connections::Visitors::open(address)?;
                closed_loop(&mut visitors, server, options)
                    .map(|done| done.outcome(Metric::ConnectionRate, Metric::ConnectionCpu, 1))
            }
            Self::Datagrams => {
                let mut datagrams = datagrams::Datagrams::open(address)?;
                closed_loop(&mut datagrams, server, options)
                    .map(|done| done.outcome(Metric::DatagramRate, Metric::DatagramCpu, 1))
            }
            Self::Idle => {
                let watch = Stopwatch::start(server.id())?;
                let values = idle::memory(server, options.idle)?;
                let spent = watch.stop()?;
                Ok(Done {
                    operations: options.idle as u64,
                    spent,
                }
                .with(values))
            }
        }
    }
}

/// What was done within a time.
struct Done {
    operations: u64,
    spent: Spent,
}

impl Done {
    /// The server's CPU time for an operation, in seconds.
    fn cpu(&self) -> f64 {
        self.spent.server.as_secs_f64() / self.operations as f64
    }

    /// Operations of a size that counts in the rate.
    fn outcome(&self, rate: Metric, cpu: Metric, size: u64) -> Outcome {
        let amount = self.operations as f64 * size as f64;
        let values = vec![
            (rate, amount / self.spent.elapsed.as_secs_f64()),
            (cpu, self.cpu()),
        ];
        self.with(values)
    }

    fn with(&self, values: Vec<(Metric, f64)>) -> Outcome {
        let elapsed = self.spent.elapsed.as_secs_f64();
        Outcome {
            values,
            server_share: self.spent.server.as_secs_f64() / elapsed,
            load_share: self.spent.load.as_secs_f64() / elapsed,
        }
    }
}

fn closed_loop(load: &mut impl Drive, server: &Server, options: &Options) -> Result<Done> {
    load.drive(Instant::now() + options.warm_up)?;
    measured(load, server, options.slice)
}

fn measured(load: &mut impl Drive, server: &Server, time: Duration) -> Result<Done> {
    let watch = Stopwatch::start(server.id())?;
    let operations = load.drive(Instant::now() + time)?;
    let spent = watch.stop()?;
    ensure!(operations > 0, "not one operation within {time:?}");
    Ok(Done { operations, spent })
}
