//! What the liveness fuzz has a handler do: any call of the contract, and whatever
//! else a guest can keep its host busy with.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::operation::{Data, Family, Kind, Operation, SendFlags, Slot};

/// What a client tells the handler, as the first thing on a connection or as a
/// datagram.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Order {
    /// To answer with [`Order::ANSWER`], at once.
    Ask,
    Run(Visit),
}

impl Order {
    /// What an honest client hears.
    pub const ANSWER: &[u8] = b"here";
}

/// A sequence, and what it needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Visit {
    /// The folder of the unix sockets, without a slash at its end.
    pub folder: Vec<u8>,
    /// What abstract names begin with.
    pub prefix: Vec<u8>,
    pub steps: Vec<Step>,
    /// Of a datagram, how many answers there are, and how long each is.
    pub answers: (u32, u32),
}

/// A poller, or something that is waited for, counted as [`Slot`]s are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Held(pub u8);

/// The contract's `readiness`, bit by bit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Interest(pub u8);

/// A host and a port that are looked up on the way.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Named(pub String, pub u16);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Step {
    /// An operation on the table of sockets.
    Socket(Operation),

    Allocate {
        mebibytes: u32,
    },
    /// The network becomes narrower.
    Attenuate(Vec<String>),
    BindName(Slot, Named),
    Compute {
        milliseconds: u32,
    },
    ConnectName(Slot, Named),
    DropPollable(Held),
    DropPoller(Held),
    Environment,
    Exit,
    HostName,
    OpenPoller,
    Panic,
    PollAll,
    PollableBlock(Held),
    PollableReady(Held),
    PollerAdd(Held, Slot, Interest),
    PollerModify(Held, Slot, Interest),
    PollerRemove(Held, Slot),
    PollerSubscribe(Held),
    PollerWait(Held, Option<u64>, u32),
    Preopens,
    Print {
        bytes: u32,
    },
    ProtocolByName(String),
    Random {
        bytes: u32,
    },
    Read,
    Repeat(u32, Vec<Step>),
    Resolve(Option<String>, Option<String>, Family, Option<Kind>, u8),
    Reverse(IpAddr, u16, u8),
    SendToName(Slot, Data, SendFlags, Named),
    ServiceByName(String, Option<String>),
    ServiceByPort(u16, Option<String>),
    /// Without an end to its waits.
    Patient(Slot),
    Sleep {
        milliseconds: u32,
    },
    Subscribe(Slot, Interest),
    SubscribeTimer {
        milliseconds: u32,
    },
    Time,
    /// The network is the whole one again.
    Widen,
}
