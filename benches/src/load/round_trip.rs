//! Messages there and back, in a closed loop: on each connection one is under way.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result};

use super::Drive;
use crate::client;

/// Connections that take turns. The server has a message of each but one, while
/// the load waits for the echo that is the longest under way.
pub(super) struct RoundTrips {
    visitors: Vec<Visitor>,
    sent: u64,
}

struct Visitor {
    stream: TcpStream,
    /// The message that is under way.
    number: u64,
}

impl RoundTrips {
    pub(super) fn open(address: SocketAddr, connections: usize) -> Result<Self> {
        let mut round_trips = Self {
            visitors: Vec::with_capacity(connections),
            sent: 0,
        };
        for _ in 0..connections {
            let mut visitor = Visitor {
                stream: client::connect(address)?,
                number: 0,
            };
            visitor.send(&mut round_trips.sent)?;
            round_trips.visitors.push(visitor);
        }
        Ok(round_trips)
    }
}

impl Drive for RoundTrips {
    fn drive(&mut self, until: Instant) -> Result<u64> {
        let mut completed = 0;
        while Instant::now() < until {
            for visitor in &mut self.visitors {
                client::expect(&mut visitor.stream, visitor.number)?;
                completed += 1;
                visitor.send(&mut self.sent)?;
            }
        }
        Ok(completed)
    }
}

impl Visitor {
    fn send(&mut self, sent: &mut u64) -> Result<()> {
        *sent += 1;
        self.number = *sent;
        std::io::Write::write_all(&mut self.stream, &client::message(self.number)).context("send")
    }
}
