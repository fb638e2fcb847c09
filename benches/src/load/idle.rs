//! What connections cost that do nothing.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::client;
use crate::memory::Memory;
use crate::metric::Metric;
use crate::server::Server;

/// Connections that are there before: what the first ones take is the program's.
const FIRST: usize = 16;

/// Long enough for a server to be at rest.
const REST: Duration = Duration::from_millis(100);

/// The server's memory for each of so many connections, in bytes. All have
/// exchanged a message, so that whatever serves them is there.
pub(super) fn memory(server: &Server, connections: usize) -> Result<Vec<(Metric, f64)>> {
    let _first = open(server, FIRST)?;
    thread::sleep(REST);
    let before = Memory::of(server.id())?;
    let _idle = open(server, connections)?;
    thread::sleep(REST);
    let after = Memory::of(server.id())?;
    let each = |after: u64, before: u64| (after as f64 - before as f64) / connections as f64;
    Ok(vec![
        (Metric::IdlePss, each(after.pss, before.pss)),
        (Metric::IdleRss, each(after.rss, before.rss)),
    ])
}

fn open(server: &Server, connections: usize) -> Result<Vec<TcpStream>> {
    (0..connections)
        .map(|number| {
            let mut stream = client::connect(server.address)?;
            client::exchange(&mut stream, number as u64)?;
            Ok(stream)
        })
        .collect()
}
