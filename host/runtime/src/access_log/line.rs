//! One line of the log: the schema, version 1.
//!
//! A field that is here stays here with its meaning; a new meaning is a new
//! version. `docs/access-log.md` describes each.

use std::time::{Duration, SystemTime};

use portcullis_policy::Shown;
use serde::Serialize;

use crate::server::{Served, TurnedAway, Visit};

const VERSION: u8 = 1;

/// In the order in which they are written. What there is not is left out.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    v: u8,
    seq: u64,
    time: String,
    began: String,
    number: u64,
    listener: &'a str,
    peer: String,
    ending: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    spent: Option<Spent>,
}

/// What it took to serve.
#[derive(Debug, Serialize)]
struct Spent {
    bytes_received: u64,
    bytes_sent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<u64>,
    duration_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    instantiation_us: Option<u64>,
    cpu_us: u64,
    memory: usize,
}

impl<'a> Line<'a> {
    pub(super) fn served(seq: u64, time: SystemTime, served: &Served<'a>) -> Self {
        Self {
            reason: served.ending.reason().map(Shown::into_string),
            spent: Some(Spent {
                bytes_received: served.bytes_received,
                bytes_sent: served.bytes_sent,
                answers: served.answers,
                duration_us: microseconds(served.duration),
                instantiation_us: served.instantiation.map(microseconds),
                cpu_us: microseconds(served.cpu_time),
                memory: served.memory,
            }),
            ..Self::of(seq, time, &served.visit, served.ending.as_str())
        }
    }

    pub(super) fn turned_away(
        seq: u64,
        time: SystemTime,
        visit: &Visit<'a>,
        why: TurnedAway,
    ) -> Self {
        Self::of(seq, time, visit, why.as_str())
    }

    fn of(seq: u64, time: SystemTime, visit: &Visit<'a>, ending: &'static str) -> Self {
        Self {
            v: VERSION,
            seq,
            time: humantime::format_rfc3339_micros(time).to_string(),
            began: humantime::format_rfc3339_micros(visit.time).to_string(),
            number: visit.number,
            listener: visit.listener,
            peer: visit.peer.to_string(),
            ending,
            reason: None,
            spent: None,
        }
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
