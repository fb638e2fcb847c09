//! How much a guest may use. It must not count: the code that opens sockets
//! does.

use std::fmt;
use std::time::Duration;

use crate::quantity::Bytes;

/// How much of the network a guest may use; none of a thing is without limit.
///
/// Displays as what stands below `[limits]` in a policy file, which reads as the
/// same limits. A limit that is zero, or longer than a century, no file has.
///
/// They hold for one guest, whichever of its networks it uses, and count from
/// the creation of what they count to its end.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Sockets that are open at once, connections among them.
    pub sockets: Option<u32>,
    /// Connections that are open at once, accepted ones and those that the
    /// guest made.
    pub connections: Option<u32>,
    /// Connections that begin within a second, of either sort.
    pub connections_per_second: Option<u32>,
    /// Lookups that begin within a minute.
    pub lookups_per_minute: Option<u32>,
    /// Bytes that are sent in all.
    pub bytes_sent: Option<u64>,
    /// Bytes that are received in all.
    pub bytes_received: Option<u64>,
    /// Bytes a second in each direction. Who would exceed it waits: it is the
    /// one limit that delays.
    pub bandwidth: Option<u64>,
    /// How long a connection may go without a byte in either direction.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may last.
    pub connection_timeout: Option<Duration>,
    /// Connections that wait at one listener to be accepted. More is no error:
    /// POSIX has `listen` lower what it is asked for.
    pub backlog: Option<u32>,
}

/// What a policy file calls them.
pub(crate) const KEYS: [&str; 10] = [
    "backlog",
    "bandwidth",
    "bytes-received",
    "bytes-sent",
    "connection-timeout",
    "connections",
    "connections-per-second",
    "idle-timeout",
    "lookups-per-minute",
    "sockets",
];

impl Limits {
    /// The limits that hold where both do: of each the tighter.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            sockets: tighter(self.sockets, other.sockets),
            connections: tighter(self.connections, other.connections),
            connections_per_second: tighter(
                self.connections_per_second,
                other.connections_per_second,
            ),
            lookups_per_minute: tighter(self.lookups_per_minute, other.lookups_per_minute),
            bytes_sent: tighter(self.bytes_sent, other.bytes_sent),
            bytes_received: tighter(self.bytes_received, other.bytes_received),
            bandwidth: tighter(self.bandwidth, other.bandwidth),
            idle_timeout: tighter(self.idle_timeout, other.idle_timeout),
            connection_timeout: tighter(self.connection_timeout, other.connection_timeout),
            backlog: tighter(self.backlog, other.backlog),
        }
    }

    /// Those on how many connections there are, without those on what one of them
    /// or its guest does.
    #[must_use]
    pub fn of_connections(self) -> Self {
        Self {
            connections: self.connections,
            connections_per_second: self.connections_per_second,
            backlog: self.backlog,
            ..Self::default()
        }
    }
}

fn tighter<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("sockets", self.sockets),
            ("connections", self.connections),
            ("connections-per-second", self.connections_per_second),
            ("lookups-per-minute", self.lookups_per_minute),
            ("backlog", self.backlog),
        ];
        let sizes = [
            ("bytes-sent", self.bytes_sent, ""),
            ("bytes-received", self.bytes_received, ""),
            ("bandwidth", self.bandwidth, "/s"),
        ];
        let times = [
            ("idle-timeout", self.idle_timeout),
            ("connection-timeout", self.connection_timeout),
        ];
        for (key, count) in counts {
            if let Some(count) = count {
                writeln!(f, "{key} = {count}")?;
            }
        }
        for (key, size, per) in sizes {
            if let Some(size) = size {
                writeln!(f, "{key} = \"{}{per}\"", Bytes(size))?;
            }
        }
        for (key, time) in times {
            if let Some(time) = time {
                writeln!(f, "{key} = \"{}\"", humantime::format_duration(time))?;
            }
        }
        Ok(())
    }
}
