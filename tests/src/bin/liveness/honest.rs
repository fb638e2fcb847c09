//! A client that asks again and again, and how long it waits for its answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portcullis_test_operations::{Order, encode};

use crate::Result;
use crate::machine::Sample;

/// How often it asks.
pub(crate) const PACE: Duration = Duration::from_millis(50);

/// An answer that takes longer does not come, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the client saw.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How long each took.
    pub(crate) times: Vec<Duration>,
    /// How long the slowest took beyond what others took of the machine.
    pub(crate) slowest_of_its_own: Duration,
    /// What went wrong, with which it stops.
    pub(crate) failure: Option<String>,
}

impl Answers {
    /// What takes longer is a failure.
    pub(crate) const LIMIT: Duration = Duration::from_millis(500);

    pub(crate) fn add(&mut self, others: Self) {
        self.times.extend(others.times);
        self.slowest_of_its_own = self.slowest_of_its_own.max(others.slowest_of_its_own);
        self.failure = self.failure.take().or(others.failure);
    }

    /// The time that this share of the answers is within.
    pub(crate) fn within(&mut self, share: f64) -> Duration {
        self.times.sort_unstable();
        let last = self.times.len().saturating_sub(1);
        let at = (last as f64 * share).round();
        // A share of a length is one.
        let at = (0..=last).find(|index| *index as f64 >= at).unwrap_or(last);
        self.times.get(at).copied().unwrap_or_default()
    }
}

/// A client that runs.
pub(crate) struct Client {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Answers>,
}

impl Client {
    /// Asks the server that is this process until it is told to stop, or fails.
    pub(crate) fn start(address: SocketAddr, server: u32) -> Self {
        Self::run(move |answers| {
            let before = Sample::take(server);
            let began = Instant::now();
            let heard = ask(address);
            let took = began.elapsed();
            let of_its_own = took.saturating_sub(Sample::take(server).taken_since(&before));
            answers.times.push(took);
            answers.slowest_of_its_own = answers.slowest_of_its_own.max(of_its_own);
            if let Err(error) = heard {
                answers.failure = Some(format!("after {took:.1?}: {error}"));
            } else if of_its_own > Answers::LIMIT {
                answers.failure = Some(format!(
                    "an answer took {took:.1?}, of which {:.1?} others had the machine",
                    took - of_its_own
                ));
            }
        })
    }

    /// Asks a server that is a few lines of native code at the same pace: what that is late by
    /// is the machine's doing.
    pub(crate) fn start_native() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.9:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut length = [0; 4];
                let order = client.read_exact(&mut length);
                let mut order = order.map(|()| vec![0; u32::from_le_bytes(length) as usize]);
                let _ = order.as_mut().map(|order| client.read_exact(order));
                let _ = client.write_all(Order::ANSWER);
            }
        });
        Ok(Self::run(move |answers| {
            let began = Instant::now();
            let heard = ask(address);
            answers.times.push(began.elapsed());
            answers.failure = heard
                .err()
                .map(|error| format!("the native server: {error}"));
        }))
    }

    fn run(mut ask: impl FnMut(&mut Answers) + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut answers = Answers::default();
            while !told.load(Ordering::Relaxed) && answers.failure.is_none() {
                let next = Instant::now() + PACE;
                ask(&mut answers);
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            answers
        });
        Self { is_over, thread }
    }

    /// Whether it has stopped of its own, since something went wrong.
    pub(crate) fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    pub(crate) fn stop(self) -> Result<Answers> {
        self.is_over.store(true, Ordering::Relaxed);
        Ok(self
            .thread
            .join()
            .map_err(|_| "the honest client panicked")?)
    }
}

/// One question.
fn ask(address: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect_timeout(&address, PATIENCE)?;
    server.set_nodelay(true)?;
    server.set_read_timeout(Some(PATIENCE))?;
    server.write_all(&message(&Order::Ask))?;
    let mut heard = [0; Order::ANSWER.len()];
    server.read_exact(&mut heard)?;
    match heard == *Order::ANSWER {
        true => Ok(()),
        false => Err(io::Error::other("the answer is wrong")),
    }
}

/// An order as a connection begins with it.
pub(crate) fn message(order: &Order) -> Vec<u8> {
    let order = encode(order);
    let length = u32::try_from(order.len()).unwrap_or(u32::MAX);
    [length.to_le_bytes().as_slice(), &order].concat()
}
