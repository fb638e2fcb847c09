//! Requests at a fixed rate, in an open loop: each is due at its time, whether
//! those before were answered or not, and its latency counts from when it was due.
//! So a server that stops for a while pays for all who came meanwhile, and not for
//! one (what is called coordinated omission is avoided).
//!
//! The load never sleeps, since waking up takes as long as an echo.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;

use super::Drive;
use crate::client::{self, MESSAGE};
use crate::metric::Metric;

/// Connections that take turns.
const CONNECTIONS: usize = 16;

/// What is answered later than this behind the last request is lost.
const GRACE: Duration = Duration::from_secs(5);

/// Latencies above a minute are a minute.
const LONGEST: u64 = 60_000_000_000;

pub(super) struct Requests {
    visitors: Vec<Visitor>,
    interval: Duration,
    sent: u64,
    /// In nanoseconds.
    latencies: Histogram<u64>,
    /// How late requests were sent, in nanoseconds.
    lateness: Histogram<u64>,
}

struct Visitor {
    stream: TcpStream,
    /// What is under way: a message's number, and when it was due.
    under_way: VecDeque<(u64, Instant)>,
    /// The beginning of an echo.
    echo: [u8; MESSAGE],
    length: usize,
}

impl Requests {
    /// So many requests a second in all.
    pub(super) fn open(address: SocketAddr, rate: u32) -> Result<Self> {
        let mut visitors = Vec::with_capacity(CONNECTIONS);
        for number in 0..CONNECTIONS {
            let mut stream = client::connect(address)?;
            client::exchange(&mut stream, number as u64)?;
            stream.set_nonblocking(true)?;
            visitors.push(Visitor {
                stream,
                under_way: VecDeque::new(),
                echo: [0; MESSAGE],
                length: 0,
            });
        }
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3)?;
        Ok(Self {
            visitors,
            interval: Duration::from_secs(1) / rate,
            sent: 0,
            latencies: histogram.clone(),
            lateness: histogram,
        })
    }

    /// Forgets the latencies up to now.
    pub(super) fn forget(&mut self) {
        self.latencies.clear();
        self.lateness.clear();
    }

    /// In seconds.
    pub(super) fn latencies(&self) -> Vec<(Metric, f64)> {
        [
            (Metric::LatencyMedian, &self.latencies, 0.5),
            (Metric::Latency99, &self.latencies, 0.99),
            (Metric::Latency999, &self.latencies, 0.999),
            (Metric::Lateness99, &self.lateness, 0.99),
        ]
        .map(|(metric, histogram, quantile)| {
            (metric, histogram.value_at_quantile(quantile) as f64 / 1e9)
        })
        .into()
    }
}

impl Drive for Requests {
    fn drive(&mut self, until: Instant) -> Result<u64> {
        let mut due = Instant::now();
        let mut under_way = 0_u64;
        let mut completed = 0;
        let mut turn = 0;
        loop {
            let now = Instant::now();
            if due <= now && due < until {
                self.sent += 1;
                if let Some(visitor) = self.visitors.get_mut(turn) {
                    visitor.send(self.sent, due)?;
                }
                self.lateness.saturating_record(nanoseconds(now - due));
                turn = (turn + 1) % CONNECTIONS;
                under_way += 1;
                due += self.interval;
            }
            if under_way > 0 {
                for visitor in &mut self.visitors {
                    while let Some(due) = visitor.receive()? {
                        let latency = Instant::now() - due;
                        self.latencies.saturating_record(nanoseconds(latency));
                        under_way -= 1;
                        completed += 1;
                    }
                }
            } else if due >= until {
                return Ok(completed);
            }
            ensure!(
                now < until + GRACE,
                "{under_way} requests are unanswered {GRACE:?} after the last: \
                 it does not carry this rate"
            );
        }
    }
}

impl Visitor {
    fn send(&mut self, number: u64, due: Instant) -> Result<()> {
        let message = client::message(number);
        let length = self.stream.write(&message);
        // A full buffer would be thousands of unanswered requests.
        let length = length.context("send (it may not carry this rate)")?;
        ensure!(length == MESSAGE, "a message was sent in part");
        self.under_way.push_back((number, due));
        Ok(())
    }

    /// When the request was due that is answered by now.
    fn receive(&mut self) -> Result<Option<Instant>> {
        let Some(&(number, due)) = self.under_way.front() else {
            return Ok(None);
        };
        let rest = self.echo.get_mut(self.length..).unwrap_or_default();
        match self.stream.read(rest) {
            Ok(0) => bail!("the echo of message {number} is lost: the connection was closed"),
            Ok(length) => self.length += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("receive"),
        }
        if self.length < MESSAGE {
            return Ok(None);
        }
        client::check(&self.echo, number)?;
        self.length = 0;
        self.under_way.pop_front();
        Ok(Some(due))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
