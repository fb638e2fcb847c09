//! Clients that have the server run hostile sequences, one after the other and several at
//! once, and that are no good peers themselves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portcullis_test_operations::{Step, encode};
use portcullis_tests::dice::Dice;
use proptest::strategy::ValueTree;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::honest::message;
use crate::sequence::{self, Places};
use crate::{CONNECTION_TIME, Result};

/// How many sequences run at once: over connections, and for datagrams.
const CONNECTIONS: u64 = 6;
const DATAGRAMS: u64 = 2;

/// How long a visitor stays at most: beyond this the server has ended the connection.
const STAY: Duration = CONNECTION_TIME.saturating_add(Duration::from_secs(3));

/// How long the server may take to end what is out of time.
const LATE: Duration = Duration::from_secs(1);

/// After as long without another one, no more answers to a datagram come.
const SILENCE: Duration = Duration::from_millis(300);

/// Where the sequences come from.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) places: Places,
    pub(crate) which: Which,
}

#[derive(Clone)]
pub(crate) enum Which {
    /// All of a seed, one after the other.
    All { seed: u64, next: Arc<AtomicU64> },
    /// One again and again.
    One { number: u64, steps: Vec<Step> },
}

impl Source {
    fn next(&self) -> Result<(u64, Vec<Step>)> {
        match &self.which {
            Which::All { seed, next } => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let tree = sequence::tree(&self.places, *seed, number)?;
                Ok((number, tree.current()))
            }
            Which::One { number, steps } => Ok((*number, steps.clone())),
        }
    }
}

/// What runs, and how often something did.
#[derive(Clone, Default)]
pub(crate) struct Visits {
    running: Arc<Mutex<BTreeMap<u64, Instant>>>,
    begun: Arc<AtomicU64>,
    /// How many came to their end rather than to the server's.
    pub(crate) done: Arc<AtomicU64>,
}

impl Visits {
    fn begin(&self, number: u64) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.running().insert(number, Instant::now());
    }

    fn end(&self, number: u64) {
        self.running().remove(&number);
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What ran in a server that has ended is over.
    pub(crate) fn forget(&self) {
        self.running().clear();
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// The sequences that run, each with its age; those that the server should have ended
    /// first.
    pub(crate) fn suspects(&self) -> Vec<(u64, Duration)> {
        let running = self.running();
        let mut all: Vec<_> = running
            .iter()
            .map(|(number, begun)| (*number, begun.elapsed()))
            .collect();
        all.sort_by_key(|(_, age)| std::cmp::Reverse(*age));
        let late: Vec<_> = all
            .iter()
            .copied()
            .filter(|(_, age)| *age > CONNECTION_TIME + LATE)
            .collect();
        match late.is_empty() {
            true => all,
            false => late,
        }
    }
}

/// Visits the server, until the set is dropped.
pub(crate) fn start(
    runtime: &tokio::runtime::Runtime,
    [stream, datagram]: [SocketAddr; 2],
    source: &Source,
    visits: &Visits,
) -> JoinSet<Result<()>> {
    let mut all = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let visitor = visit_again(stream, source.clone(), visits.clone());
        all.spawn_on(visitor, runtime.handle());
    }
    for _ in 0..DATAGRAMS {
        let visitor = send_again(datagram, source.clone(), visits.clone());
        all.spawn_on(visitor, runtime.handle());
    }
    all
}

async fn visit_again(server: SocketAddr, source: Source, visits: Visits) -> Result<()> {
    loop {
        let (number, steps) = source.next()?;
        let order = message(&sequence::order(&source.places, number, steps));
        // A server that has closed its listener is about to end.
        let Ok(stream) = TcpStream::connect(server).await else {
            return Ok(());
        };
        visits.begin(number);
        // How a visit ends is the server's to say.
        if let Ok(Ok(true)) = timeout(STAY, visit(stream, &order, number)).await {
            visits.done.fetch_add(1, Ordering::Relaxed);
        }
        visits.end(number);
    }
}

/// Returns whether the sequence came to its end.
async fn visit(mut stream: TcpStream, order: &[u8], number: u64) -> std::io::Result<bool> {
    stream.write_all(order).await?;
    let mut dice = Dice::new(number);
    let mut heard = Vec::new();
    match dice.below(8) {
        // Gone in the midst of it, with a reset and without.
        0 => {
            sleep(Duration::from_millis(dice.below(500))).await;
            stream.set_zero_linger()?;
            return Ok(false);
        }
        1 => {
            sleep(Duration::from_millis(dice.below(500))).await;
            return Ok(false);
        }
        2 => stream.shutdown().await?,
        // There is more to read than the sequence reads.
        3 => {
            let noise = vec![b'n'; 1 << 20];
            let (mut incoming, mut outgoing) = stream.split();
            let (heard_all, _) =
                tokio::join!(incoming.read_to_end(&mut heard), outgoing.write_all(&noise));
            heard_all?;
        }
        // Reads nothing until the server ends it.
        4 => sleep(CONNECTION_TIME).await,
        _ => {}
    }
    stream.read_to_end(&mut heard).await?;
    Ok(heard.ends_with(b"done"))
}

async fn send_again(server: SocketAddr, source: Source, visits: Visits) -> Result<()> {
    loop {
        let (number, steps) = source.next()?;
        let order = encode(&sequence::order(&source.places, number, steps));
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        // Some are longer than a datagram.
        if socket.send_to(&order, server).await.is_err() {
            continue;
        }
        visits.begin(number);
        let mut heard = timeout(STAY, socket.recv(&mut [0; 4])).await;
        if let Ok(Ok(_)) = heard {
            visits.done.fetch_add(1, Ordering::Relaxed);
        }
        // The server is at it while answers come.
        let begun = Instant::now();
        while let Ok(Ok(_)) = heard
            && begun.elapsed() < STAY
        {
            heard = timeout(SILENCE, socket.recv(&mut [0; 4])).await;
        }
        visits.end(number);
    }
}
