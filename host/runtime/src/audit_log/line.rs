//! One line of the log: the schema, version 1.
//!
//! A field that is here stays here with its meaning; a new meaning is a new
//! version. `docs/audit.md` describes each.

use std::time::{Duration, Instant, SystemTime};

use portcullis_net::{Answer, Event, Family, SocketAddress, SocketType};
use portcullis_policy::{Denial, Lookup, Name, Reverse};
use serde::Serialize;

const VERSION: u8 = 1;

/// In the order in which they are written. What an event does not have is left
/// out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line {
    v: u8,
    seq: u64,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<String>,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    socket_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datagrams_sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datagrams_received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<u64>,
}

impl Line {
    pub(super) fn new(seq: u64, time: SystemTime, guest: Option<&str>, event: Event<'_>) -> Self {
        Self {
            v: VERSION,
            seq,
            time: humantime::format_rfc3339_micros(time).to_string(),
            guest: guest.map(str::to_owned),
            ..Self::of(event)
        }
    }

    fn of(event: Event<'_>) -> Self {
        match event {
            Event::Accepted(event) => Self {
                event: "accept",
                socket: Some(event.socket),
                listener: Some(event.listener),
                local: event.local.map(SocketAddress::to_string),
                remote: Some(event.remote.to_string()),
                ..Self::default()
            },
            Event::Allowed(event) => Self {
                event: if event.shadowed.is_some() {
                    "shadow"
                } else {
                    "allow"
                },
                socket: event.socket,
                request: Some(event.request.to_string()),
                address: event
                    .request
                    .socket_address()
                    .map(|address| address.to_string()),
                name: event.request.asked_name().map(Name::to_string),
                grant: event.grant.map(ToString::to_string),
                ..event.shadowed.map(Self::why).unwrap_or_default()
            },
            Event::Closed(event) => Self {
                event: "close",
                socket: Some(event.socket),
                local: event.local.map(SocketAddress::to_string),
                remote: event.remote.map(SocketAddress::to_string),
                bytes_sent: Some(event.bytes_sent),
                bytes_received: Some(event.bytes_received),
                datagrams_sent: Some(event.datagrams_sent),
                datagrams_received: Some(event.datagrams_received),
                duration_ms: Some(milliseconds(event.duration)),
                ..Self::default()
            },
            Event::Connected(event) => Self {
                event: "connect",
                socket: Some(event.socket),
                local: event.local.map(SocketAddress::to_string),
                remote: Some(event.remote.to_string()),
                ..Self::default()
            },
            Event::Denied(event) => Self {
                event: "deny",
                socket: event.socket,
                request: Some(event.denial.request().to_owned()),
                ..Self::why(event.denial)
            },
            Event::Limited(event) => Self {
                event: "limit",
                socket: event.socket,
                remote: event.peer.map(SocketAddress::to_string),
                limit: Some(event.limit.to_owned()),
                value: Some(event.value),
                ..Self::default()
            },
            Event::LookedUp(event) => Self {
                event: "lookup",
                socket: event.socket,
                request: Some(Lookup::new(event.name.clone(), event.purpose).to_string()),
                name: Some(event.name.to_string()),
                ..match event.outcome {
                    Ok(answer) => Self::answer(answer),
                    Err(error) => Self::failure(error),
                }
            },
            Event::Opened(event) => Self {
                event: "open",
                socket: Some(event.socket),
                family: Some(family(event.family)),
                socket_type: Some(socket_type(event.kind)),
                ..Self::default()
            },
            Event::Refused(event) => Self {
                event: "refuse",
                socket: Some(event.socket),
                request: Some(event.denial.request().to_owned()),
                ..Self::why(event.denial)
            },
            Event::ReverseLookedUp(event) => Self {
                event: "lookup",
                request: Some(Reverse::new(event.address).to_string()),
                address: Some(event.address.to_string()),
                ..match event.outcome {
                    Ok(names) => Self {
                        names: Some(names.iter().map(Name::to_string).collect()),
                        ..Self::default()
                    },
                    Err(error) => Self::failure(error),
                }
            },
            // A reader is told that there is more than this version has words for.
            _ => Self {
                event: "other",
                ..Self::default()
            },
        }
    }

    fn why(denial: &Denial) -> Self {
        Self {
            reason: Some(denial.reason().to_string()),
            remedy: denial.remedy(),
            ..Self::default()
        }
    }

    fn answer(answer: &Answer) -> Self {
        let left = |end: Instant| end.saturating_duration_since(Instant::now()).as_secs();
        Self {
            addresses: Some(answer.addresses.iter().map(ToString::to_string).collect()),
            names: Some(answer.chain.iter().map(Name::to_string).collect()),
            ttl: answer.valid_until.map(left),
            ..Self::default()
        }
    }

    fn failure(error: &portcullis_net::Error) -> Self {
        Self {
            error: Some(error.to_string()),
            ..Self::default()
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Inet => "inet",
        Family::Inet6 => "inet6",
        Family::Unix => "unix",
    }
}

fn socket_type(kind: SocketType) -> &'static str {
    match kind {
        SocketType::Datagram => "datagram",
        SocketType::Raw => "raw",
        SocketType::ReliableMessage => "reliable-message",
        SocketType::Seqpacket => "seqpacket",
        SocketType::Stream => "stream",
    }
}
