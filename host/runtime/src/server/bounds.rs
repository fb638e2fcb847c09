//! How much a server and each of its instances may take.

use std::time::Duration;

/// What a server keeps within. Whatever is reached, only the connection that
/// reaches it is concerned.
///
/// Limits on bytes, bandwidth and the rest are the policy's
/// ([`Limits`](crate::Limits)), and count for each instance on its own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bounds {
    /// How many connections and datagrams are served at once. 1024 unless set.
    pub connections: u32,
    /// What becomes of those who come when as many are served.
    pub when_full: WhenFull,
    /// How many connections one address may have at once: an IPv4 address, or an
    /// IPv6 network of 64 bits, which is what one customer has. No bound unless
    /// set. Unix sockets have no addresses and are not counted.
    pub connections_per_peer: Option<u32>,
    /// How many bytes an instance may take in all: its linear memories and tables, and
    /// what the host keeps for it (sockets, pollers, narrowed networks, names that it
    /// looked up, handles). More is refused, as on a machine without any left, or the
    /// call fails with `limit-exceeded`. What it hands to one call of the host may be as
    /// much again. 64 MiB unless set.
    pub memory: usize,
    /// How many sockets an instance may have open at once beside its connection, and
    /// how many pollers: so that one cannot take the descriptors of all. What the
    /// policy allows it of them ([`Limits::sockets`](crate::Limits)) holds as well.
    /// 64 unless set.
    ///
    /// With them goes how many handles it may have of whatever the host has for it, be
    /// it a socket, a file, a stream or a timer: five for each socket, and 64. Whoever
    /// wants one more traps.
    pub sockets: u32,
    /// How many datagrams a datagram may be answered with. One with more is answered
    /// with none. 32 unless set.
    pub answers: u32,
    /// For how long an instance may compute for one connection, and for how long the
    /// host may to send a datagram its answers. What it waits
    /// does not count. Looked at when it waits, and at every tick of the
    /// engine's clock (10 ms). On a machine that has other things to do, half of it
    /// may pass while others compute. 10 s unless set.
    pub cpu_time: Duration,
    /// For how long a connection may last. No bound unless set.
    pub time: Option<Duration>,
    /// For how long nothing may go through a connection, within an eighth; and how
    /// long the answer to a datagram may take. No bound unless set.
    pub idle_time: Option<Duration>,
    /// Whether the next connection gets an instance that has served.
    pub reuse: Reuse,
}

/// How many handles an instance may have for each socket: of itself, of what waits for
/// it, and of what bounds that wait, each of the latter with a pollable.
const HANDLES_PER_SOCKET: usize = 5;

/// How many it may have beside: of its connection, its files, streams and timers.
const HANDLES_BESIDE: usize = 64;

/// What becomes of those who come while as many are served as may be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WhenFull {
    /// They wait in the queue of the operating system, as long as that has room.
    #[default]
    Wait,
    /// They are reset, and a datagram is dropped.
    Refuse,
}

/// Whether an instance is kept for others when it has served one connection.
///
/// What a kept instance knows of one peer it may tell the next: its memory, its
/// sockets, the names that it looked up and the limits that it used up are
/// those of all whom it served. It serves one at a time all the same.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reuse {
    /// Each connection has an instance of its own.
    #[default]
    Never,
    /// An instance serves so many, one after the other.
    Times(u32),
    /// An instance serves until it traps, or there is another handler or policy.
    Always,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 1024,
            when_full: WhenFull::default(),
            connections_per_peer: None,
            memory: 64 << 20,
            sockets: 64,
            answers: 32,
            cpu_time: Duration::from_secs(10),
            time: None,
            idle_time: None,
            reuse: Reuse::default(),
        }
    }
}

impl Bounds {
    /// How many handles an instance may have at once.
    pub(crate) fn handles(&self) -> usize {
        let sockets = usize::try_from(self.sockets).unwrap_or(usize::MAX);
        let of_sockets = sockets.saturating_mul(HANDLES_PER_SOCKET);
        of_sockets.saturating_add(HANDLES_BESIDE)
    }
}

impl Reuse {
    /// Whether an instance that has served so many may serve another.
    pub(crate) fn goes_on(self, served: u32) -> bool {
        match self {
            Self::Never => false,
            Self::Times(times) => served < times,
            Self::Always => true,
        }
    }
}
