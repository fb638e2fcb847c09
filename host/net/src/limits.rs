//! What one guest uses of the network, held against the limits of its policy.
//!
//! It must not wait: over a limit an operation fails at once. Bandwidth alone
//! delays, and those who move data do the waiting. What is counted is counted by
//! guards, which are dropped with what they stand for.

mod bandwidth;
mod connection;
mod count;
pub(crate) mod descriptors;
mod flow;
mod memory;
mod meter;
mod rate;
pub(crate) mod socket_files;

use std::time::Duration;

use portcullis_policy::Limits;

use crate::error::{Error, ErrorCode};
pub(crate) use connection::Usage;
use count::Count;
pub(crate) use count::Counted;
pub(crate) use flow::Flow;
pub(crate) use memory::entry;
pub use memory::{Charge, Memory};
pub(crate) use meter::weight;
use rate::Rate;

/// One of the [`Limits`], where it has a value, or of the host's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    BytesReceived(u64),
    BytesSent(u64),
    ConnectionTimeout(Duration),
    Connections(u32),
    ConnectionsPerSecond(u32),
    /// How many the process may have, but for those that the host keeps.
    Descriptors(u64),
    IdleTimeout(Duration),
    LookupsPerMinute(u32),
    /// How many bytes the host keeps for the guest, and the guest has itself.
    Memory(u64),
    /// How many files of unix sockets there may be.
    SocketFiles(u64),
    Sockets(u32),
}

impl Limit {
    /// What a policy calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BytesReceived(_) => "bytes-received",
            Self::BytesSent(_) => "bytes-sent",
            Self::ConnectionTimeout(_) => "connection-timeout",
            Self::Connections(_) => "connections",
            Self::ConnectionsPerSecond(_) => "connections-per-second",
            Self::Descriptors(_) => "descriptors",
            Self::IdleTimeout(_) => "idle-timeout",
            Self::LookupsPerMinute(_) => "lookups-per-minute",
            Self::Memory(_) => "memory",
            Self::SocketFiles(_) => "socket-files",
            Self::Sockets(_) => "sockets",
        }
    }

    /// How much it allows: a count, bytes, or for a time milliseconds.
    pub(crate) fn value(self) -> u64 {
        match self {
            Self::BytesReceived(value)
            | Self::BytesSent(value)
            | Self::Descriptors(value)
            | Self::Memory(value)
            | Self::SocketFiles(value) => value,
            Self::ConnectionTimeout(value) | Self::IdleTimeout(value) => {
                u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
            }
            Self::Connections(value)
            | Self::ConnectionsPerSecond(value)
            | Self::LookupsPerMinute(value)
            | Self::Sockets(value) => value.into(),
        }
    }

    /// What the guest hears.
    pub(crate) fn error(self) -> Error {
        let name = self.name();
        let message = match self {
            Self::Descriptors(_) => {
                return Error::new(
                    ErrorCode::ProcessDescriptorsExhausted,
                    "the host keeps its last descriptors for itself",
                );
            }
            Self::ConnectionTimeout(value) | Self::IdleTimeout(value) => {
                format!("limit reached: {name} = {value:?}")
            }
            Self::BytesReceived(_)
            | Self::BytesSent(_)
            | Self::Connections(_)
            | Self::ConnectionsPerSecond(_)
            | Self::LookupsPerMinute(_)
            | Self::Memory(_)
            | Self::SocketFiles(_)
            | Self::Sockets(_) => format!("limit reached: {name} = {}", self.value()),
        };
        Error::new(ErrorCode::LimitExceeded, message)
    }
}

/// Which way data goes, as the guest sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Incoming,
    Outgoing,
}

/// What a guest may use, and what it uses. Where no limit is set nothing is
/// counted.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    sockets: Count,
    /// Each takes a descriptor as a socket does, so there may be as many.
    pollers: Count,
    connections: Count,
    beginnings: Option<Rate>,
    lookups: Option<Rate>,
    incoming: Flow,
    outgoing: Flow,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            sockets: Count::default(),
            pollers: Count::default(),
            connections: Count::default(),
            beginnings: limits.connections_per_second.map(Rate::per_second),
            lookups: limits.lookups_per_minute.map(Rate::per_minute),
            incoming: Flow::new(
                limits.bytes_received,
                Limit::BytesReceived,
                limits.bandwidth,
            ),
            outgoing: Flow::new(limits.bytes_sent, Limit::BytesSent, limits.bandwidth),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many connections may wait at a listener, of those that were asked for.
    pub(crate) fn backlog(&self, asked: u32) -> u32 {
        self.limits.backlog.map_or(asked, |limit| asked.min(limit))
    }

    pub(crate) fn flow(&self, direction: Direction) -> &Flow {
        match direction {
            Direction::Incoming => &self.incoming,
            Direction::Outgoing => &self.outgoing,
        }
    }

    /// Room for one more socket.
    pub(crate) fn socket(&self) -> Result<Option<Counted>, Limit> {
        self.sockets.one_more(self.limits.sockets, Limit::Sockets)
    }

    /// Room for one more poller.
    pub(crate) fn poller(&self) -> Result<Option<Counted>, Limit> {
        self.pollers.one_more(self.limits.sockets, Limit::Sockets)
    }

    /// Room for one more connection that comes in, which then begins.
    pub(crate) fn arrival(&self, memory: Charge) -> Result<Room, Limit> {
        let room = Room {
            memory,
            socket: self.socket()?,
            connection: self.connection()?,
        };
        self.begin_connection()?;
        Ok(room)
    }

    /// Room for one more connection.
    fn connection(&self) -> Result<Option<Counted>, Limit> {
        let limit = self.limits.connections;
        self.connections.one_more(limit, Limit::Connections)
    }

    /// Whether a connection may begin now, which it then does.
    fn begin_connection(&self) -> Result<(), Limit> {
        check(self.beginnings.as_ref(), Limit::ConnectionsPerSecond)
    }

    /// Whether a lookup may begin now, which it then does.
    pub(crate) fn begin_lookup(&self) -> Result<(), Limit> {
        check(self.lookups.as_ref(), Limit::LookupsPerMinute)
    }

    /// Whether connections are anything that counts.
    fn watches_connections(&self) -> bool {
        let Limits {
            connections,
            connection_timeout,
            idle_timeout,
            ..
        } = self.limits;
        let timed = connection_timeout.is_some() || idle_timeout.is_some();
        timed || connections.is_some() || self.beginnings.is_some()
    }
}

/// What a connection that came in counts for.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) memory: Charge,
    pub(crate) socket: Option<Counted>,
    pub(crate) connection: Option<Counted>,
}

fn check(rate: Option<&Rate>, limit: impl Fn(u32) -> Limit) -> Result<(), Limit> {
    match rate {
        Some(rate) if !rate.begin() => Err(limit(rate.value())),
        Some(_) | None => Ok(()),
    }
}
