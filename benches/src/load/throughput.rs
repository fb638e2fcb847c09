//! One connection as full as it gets: one thread writes, another reads.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::net::{RecvFlags, recv};

use super::Drive;
use crate::client;

/// The size of a write, in bytes.
pub(super) const CHUNK: usize = 64 << 10;

/// Of so many chunks one is read and compared. The others are let go without a
/// copy, so that the load is quicker than the server.
const SAMPLE: u64 = 16;

pub(super) struct Stream {
    stream: TcpStream,
    chunk: Vec<u8>,
}

impl Stream {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let messages = (0..).flat_map(client::message);
        Ok(Self {
            stream: client::connect(address)?,
            chunk: messages.take(CHUNK).collect(),
        })
    }
}

impl Drive for Stream {
    /// In chunks.
    fn drive(&mut self, until: Instant) -> Result<u64> {
        let written = AtomicU64::new(0);
        let finished = AtomicBool::new(false);
        thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let outcome = write(&self.stream, &self.chunk, until, &written);
                finished.store(true, Ordering::Release);
                outcome
            });
            let reading = read(&self.stream, &self.chunk, &written, &finished);
            if reading.is_err() {
                // Nobody empties it any more, so the writer would wait.
                self.stream.shutdown(std::net::Shutdown::Both)?;
            }
            let writing = writing.join().map_err(|_| anyhow!("the writer panicked"))?;
            reading.and_then(|chunks| writing.map(|()| chunks))
        })
    }
}

fn write(mut stream: &TcpStream, chunk: &[u8], until: Instant, written: &AtomicU64) -> Result<()> {
    // The reader must know of at least one, else it might see none and leave.
    loop {
        written.fetch_add(1, Ordering::Release);
        stream.write_all(chunk).context("send")?;
        if Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Reads all that is written, and says how many chunks it was.
fn read(
    mut stream: &TcpStream,
    chunk: &[u8],
    written: &AtomicU64,
    finished: &AtomicBool,
) -> Result<u64> {
    let mut echo = vec![0; chunk.len()];
    let mut chunks = 0;
    loop {
        // In this order: what was written before it was finished counts.
        let is_finished = finished.load(Ordering::Acquire);
        if is_finished && chunks == written.load(Ordering::Acquire) {
            return Ok(chunks);
        }
        if chunks % SAMPLE == 0 {
            stream.read_exact(&mut echo).context("an echo is lost")?;
            ensure!(echo == chunk, "the echo of chunk {chunks} is wrong");
        } else {
            discard(stream, &mut echo)?;
        }
        chunks += 1;
    }
}

/// Takes as many bytes as the buffer has, without their copy (tcp(7), `MSG_TRUNC`).
fn discard(stream: &TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        let (_, length) = recv(stream, &mut *rest, RecvFlags::TRUNC).context("an echo is lost")?;
        ensure!(length > 0, "an echo is lost: the connection was closed");
        rest = rest.get_mut(length..).unwrap_or_default();
    }
    Ok(())
}
