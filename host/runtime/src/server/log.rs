//! What a server tells of those whom it serves. It must not hold anybody up.

use std::time::{Duration, SystemTime};

use portcullis_net::{AuditFailure, Error, SocketAddress};
use portcullis_policy::Shown;

use crate::trap_report::TrapReport;

/// Hears of connections and datagrams: for an access log, or to count them.
///
/// It is called on the threads that serve, and must not block them.
pub trait Log: Send + Sync {
    /// Somebody is let in.
    fn began(&self, visit: &Visit<'_>) {
        let _ = visit;
    }

    /// Somebody was served, or not.
    fn ended(&self, served: &Served<'_>) {
        let _ = served;
    }

    /// Somebody whom the policy would let in is not served.
    fn turned_away(&self, visit: &Visit<'_>, why: TurnedAway) {
        let _ = (visit, why);
    }

    /// A listener fails, and goes on in a moment: the host is short of
    /// descriptors, say.
    fn failed(&self, listener: &str, error: &Error) {
        let _ = (listener, error);
    }
}

/// Nobody hears of it.
impl Log for () {}

/// Both, the first before the second.
impl<A: Log, B: Log> Log for (A, B) {
    fn began(&self, visit: &Visit<'_>) {
        self.0.began(visit);
        self.1.began(visit);
    }

    fn ended(&self, served: &Served<'_>) {
        self.0.ended(served);
        self.1.ended(served);
    }

    fn turned_away(&self, visit: &Visit<'_>, why: TurnedAway) {
        self.0.turned_away(visit, why);
        self.1.turned_away(visit, why);
    }

    fn failed(&self, listener: &str, error: &Error) {
        self.0.failed(listener, error);
        self.1.failed(listener, error);
    }
}

/// The log, if there is one.
impl<A: Log> Log for Option<A> {
    fn began(&self, visit: &Visit<'_>) {
        self.iter().for_each(|log| log.began(visit));
    }

    fn ended(&self, served: &Served<'_>) {
        self.iter().for_each(|log| log.ended(served));
    }

    fn turned_away(&self, visit: &Visit<'_>, why: TurnedAway) {
        self.iter().for_each(|log| log.turned_away(visit, why));
    }

    fn failed(&self, listener: &str, error: &Error) {
        self.iter().for_each(|log| log.failed(listener, error));
    }
}

/// Somebody who comes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Visit<'a> {
    /// A number that no other has at this server.
    pub number: u64,
    /// The endpoint that it came to, as [`Server::listen`](crate::Server::listen)
    /// was told it.
    pub listener: &'a str,
    /// Where it comes from.
    pub peer: &'a SocketAddress,
    /// When it came.
    pub time: SystemTime,
}

/// Somebody who was served, and what it took.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Served<'a> {
    /// Who it was.
    pub visit: Visit<'a>,
    /// How it ended.
    pub ending: &'a Ending,
    /// The bytes that the peer sent and the instance received.
    pub bytes_received: u64,
    /// The bytes that the instance sent to the peer.
    pub bytes_sent: u64,
    /// How many datagrams it was answered with; none for a connection.
    pub answers: Option<u64>,
    /// From when it was let in until it was over.
    pub duration: Duration,
    /// How long it took to have an instance; none where one was kept.
    pub instantiation: Option<Duration>,
    /// How long it was computed for it.
    pub cpu_time: Duration,
    /// The bytes that the linear memories and tables had at the end.
    pub memory: usize,
}

/// Why somebody is not served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TurnedAway {
    /// As many are served as may be: [`Bounds::connections`](crate::Bounds).
    Full,
    /// Their address has as many connections as it may have:
    /// [`Bounds::connections_per_peer`](crate::Bounds).
    TooManyOfPeer,
}

impl TurnedAway {
    /// A word for it, as logs and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooManyOfPeer => "peer",
        }
    }
}

/// How it ended with a connection or a datagram.
#[derive(Debug)]
pub enum Ending {
    /// The handler returned, or exited with zero.
    Finished,
    /// The handler returned an error.
    Failed(Error),
    /// The handler exited with this code, which is not zero.
    Exited(i32),
    /// It did what a component cannot: a panic, an access out of bounds.
    Trapped(wasmtime::Error),
    /// It asked for more memory than [`Bounds::memory`](crate::Bounds), and did
    /// not survive that.
    OutOfMemory(wasmtime::Error),
    /// It computed for longer than [`Bounds::cpu_time`](crate::Bounds).
    OutOfCpuTime,
    /// It lasted longer than [`Bounds::time`](crate::Bounds).
    OutOfTime,
    /// Nothing went through it for [`Bounds::idle_time`](crate::Bounds).
    Idle,
    /// The server ended it: it was in the way of the end, or of a new policy.
    Dropped,
    /// What it did could not be recorded.
    Unaudited(AuditFailure),
    /// No instance could be made, for lack of memory say.
    NotBegun(wasmtime::Error),
}

impl Ending {
    /// Each word of [`Ending::as_str`].
    pub const WORDS: [&'static str; 11] = [
        "finished",
        "failed",
        "exited",
        "trapped",
        "out-of-memory",
        "out-of-cpu-time",
        "out-of-time",
        "idle",
        "dropped",
        "unaudited",
        "not-begun",
    ];

    /// What there is to say beyond the word: one line, without what a terminal
    /// would act on, and not longer than a log can take, whatever a handler or a
    /// peer has had a part in.
    pub fn reason(&self) -> Option<Shown> {
        match self {
            Self::Trapped(error) | Self::OutOfMemory(error) | Self::NotBegun(error) => {
                Some(TrapReport::new(error).line())
            }
            Self::Failed(error) => Some(Shown::line(error)),
            Self::Exited(code) => Some(Shown::line(format_args!("exit code {code}"))),
            Self::Unaudited(failure) => Some(Shown::line(failure)),
            Self::Finished | Self::OutOfCpuTime | Self::OutOfTime | Self::Idle | Self::Dropped => {
                None
            }
        }
    }

    /// A word for it, as logs and metrics have it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed(_) => "failed",
            Self::Exited(_) => "exited",
            Self::Trapped(_) => "trapped",
            Self::OutOfMemory(_) => "out-of-memory",
            Self::OutOfCpuTime => "out-of-cpu-time",
            Self::OutOfTime => "out-of-time",
            Self::Idle => "idle",
            Self::Dropped => "dropped",
            Self::Unaudited(_) => "unaudited",
            Self::NotBegun(_) => "not-begun",
        }
    }
}
