//! Datagrams there and back, in a closed loop: so many are under way.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Drive;
use crate::client::{self, MESSAGE};

/// Few enough that no buffer of the kernel overflows, so none may be lost.
const UNDER_WAY: usize = 32;

pub(super) struct Datagrams {
    socket: UdpSocket,
    under_way: HashSet<u64>,
    sent: u64,
}

impl Datagrams {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let mut datagrams = Self {
            socket: client::datagrams(address)?,
            under_way: HashSet::with_capacity(UNDER_WAY),
            sent: 0,
        };
        for _ in 0..UNDER_WAY {
            datagrams.send()?;
        }
        Ok(datagrams)
    }

    fn send(&mut self) -> Result<()> {
        self.sent += 1;
        self.socket
            .send(&client::message(self.sent))
            .context("send")?;
        self.under_way.insert(self.sent);
        Ok(())
    }

    /// In whatever order they come: threads overtake each other.
    fn receive(&mut self) -> Result<()> {
        let mut echo = [0; MESSAGE + 1];
        let length = self
            .socket
            .recv(&mut echo)
            .context("the echo of a datagram is lost")?;
        let echo = echo.get(..length).unwrap_or_default();
        let is_awaited = client::number(echo).is_some_and(|it| self.under_way.remove(&it));
        ensure!(is_awaited, "no such datagram was sent: {echo:?}");
        Ok(())
    }
}

impl Drive for Datagrams {
    fn drive(&mut self, until: Instant) -> Result<u64> {
        let mut completed = 0;
        while Instant::now() < until {
            self.receive()?;
            completed += 1;
            self.send()?;
        }
        Ok(completed)
    }
}
