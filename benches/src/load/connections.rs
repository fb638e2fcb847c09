//! Connect, one byte there and back, close: in a closed loop, several at a time.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::Drive;
use crate::client;

/// Visitors at a time. They are served in the order in which they come, also by
/// who serves one after the other.
const VISITORS: usize = 16;

pub(super) struct Visitors {
    address: SocketAddr,
    visitors: VecDeque<Visitor>,
    /// How many there were.
    count: u64,
}

struct Visitor {
    stream: TcpStream,
    sent: u8,
}

impl Visitors {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let mut visitors = Self {
            address,
            visitors: VecDeque::with_capacity(VISITORS),
            count: 0,
        };
        for _ in 0..VISITORS {
            visitors.begin()?;
        }
        Ok(visitors)
    }

    fn begin(&mut self) -> Result<()> {
        let mut stream = client::connect_from_many(self.address, self.count)?;
        let [sent, ..] = self.count.to_le_bytes();
        stream.write_all(&[sent]).context("send")?;
        self.visitors.push_back(Visitor { stream, sent });
        self.count += 1;
        Ok(())
    }
}

impl Drive for Visitors {
    fn drive(&mut self, until: Instant) -> Result<u64> {
        let mut completed = 0;
        while Instant::now() < until {
            if let Some(Visitor { mut stream, sent }) = self.visitors.pop_front() {
                let mut echo = [0];
                stream
                    .read_exact(&mut echo)
                    .context("the echo to a visitor is lost")?;
                ensure!(echo == [sent], "the echo of {sent} is wrong: {echo:?}");
                completed += 1;
            }
            self.begin()?;
        }
        Ok(completed)
    }
}
