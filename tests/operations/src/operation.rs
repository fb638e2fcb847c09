//! One operation on the table of sockets.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::option::{OptionName, OptionValue};

/// A live socket, counted from the one that was made last; counting goes round
/// where there are fewer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Slot(pub u8);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Operation {
    Accept(Slot),
    Bind(Slot, Address),
    Connect(Slot, Address),
    Drop(Slot),
    Duplicate(Slot),
    GetOption(Slot, OptionName),
    JoinGroup(Slot, IpAddr, u32),
    LeaveGroup(Slot, IpAddr, u32),
    Listen(Slot, Option<u32>),
    LocalAddress(Slot),
    Open(Family, Kind, u16),
    Pair(Family, Kind, u16),
    /// Whether a `subscribe` is ready.
    Ready(Slot, Wanted),
    Receive(Slot, u64, ReceiveFlags),
    ReceiveDatagrams(Slot, u32, u64, ReceiveFlags),
    ReceiveFrom(Slot, u64, ReceiveFlags),
    RemoteAddress(Slot),
    Send(Slot, Data, SendFlags),
    SendAll(Slot, Data),
    SendDatagrams(Slot, Vec<(Data, Option<Address>)>, SendFlags),
    SendTo(Slot, Data, SendFlags, Address),
    SetOption(Slot, OptionName, OptionValue),
    SetTimeout(Slot, Option<u64>),
    Shutdown(Slot, How),
    TakeError(Slot),
    Timeout(Slot),
}

impl Operation {
    /// What it is called, whatever it is done with.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept(..) => "accept",
            Self::Bind(..) => "bind",
            Self::Connect(..) => "connect",
            Self::Drop(..) => "drop",
            Self::Duplicate(..) => "duplicate",
            Self::GetOption(..) => "get-option",
            Self::JoinGroup(..) => "join-group",
            Self::LeaveGroup(..) => "leave-group",
            Self::Listen(..) => "listen",
            Self::LocalAddress(..) => "local-address",
            Self::Open(..) => "open",
            Self::Pair(..) => "pair",
            Self::Ready(..) => "ready",
            Self::Receive(..) => "receive",
            Self::ReceiveDatagrams(..) => "receive-datagrams",
            Self::ReceiveFrom(..) => "receive-from",
            Self::RemoteAddress(..) => "remote-address",
            Self::Send(..) => "send",
            Self::SendAll(..) => "send-all",
            Self::SendDatagrams(..) => "send-datagrams",
            Self::SendTo(..) => "send-to",
            Self::SetOption(..) => "set-option",
            Self::SetTimeout(..) => "set-timeout",
            Self::Shutdown(..) => "shutdown",
            Self::TakeError(..) => "take-error",
            Self::Timeout(..) => "timeout",
        }
    }

    /// The names of all.
    pub const NAMES: [&str; 26] = [
        "accept",
        "bind",
        "connect",
        "drop",
        "duplicate",
        "get-option",
        "join-group",
        "leave-group",
        "listen",
        "local-address",
        "open",
        "pair",
        "ready",
        "receive",
        "receive-datagrams",
        "receive-from",
        "remote-address",
        "send",
        "send-all",
        "send-datagrams",
        "send-to",
        "set-option",
        "set-timeout",
        "shutdown",
        "take-error",
        "timeout",
    ];
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Family {
    Unspecified,
    Inet,
    Inet6,
    Unix,
    Alg,
    Appletalk,
    Ax25,
    Bluetooth,
    Can,
    Ipx,
    Netlink,
    Packet,
    Qipcrtr,
    Rds,
    Tipc,
    Vsock,
    X25,
}

impl Family {
    /// All, in the order of the contract.
    pub const ALL: [Self; 17] = [
        Self::Unspecified,
        Self::Inet,
        Self::Inet6,
        Self::Unix,
        Self::Alg,
        Self::Appletalk,
        Self::Ax25,
        Self::Bluetooth,
        Self::Can,
        Self::Ipx,
        Self::Netlink,
        Self::Packet,
        Self::Qipcrtr,
        Self::Rds,
        Self::Tipc,
        Self::Vsock,
        Self::X25,
    ];
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Kind {
    Stream,
    Datagram,
    Seqpacket,
    Raw,
    ReliableMessage,
}

impl Kind {
    /// All, in the order of the contract.
    pub const ALL: [Self; 5] = [
        Self::Stream,
        Self::Datagram,
        Self::Seqpacket,
        Self::Raw,
        Self::ReliableMessage,
    ];
}

/// Where to bind, connect or send to.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Address {
    /// An abstract name of this many bytes after the case's prefix.
    Abstract(u8, u8),
    Inet(IpAddr, Port),
    /// Where another socket is.
    Of(Slot),
    /// A path in the case's folder.
    Path(String),
    /// A path in the case's folder that has this many bytes in all.
    PathOfLength(u8),
    /// Where another socket's peer is.
    PeerOf(Slot),
    Unnamed,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Port {
    Number(u16),
    /// The port of another socket; zero where it has none.
    Of(Slot),
}

/// Bytes that tell where they are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Data {
    pub length: u32,
    pub first: u8,
}

impl Data {
    pub fn bytes(self) -> Vec<u8> {
        let first = u64::from(self.first);
        (first..first + u64::from(self.length))
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect()
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SendFlags {
    pub dont_route: bool,
    pub dont_wait: bool,
    pub end_of_record: bool,
    pub more: bool,
    pub out_of_band: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReceiveFlags {
    pub dont_wait: bool,
    pub out_of_band: bool,
    pub peek: bool,
    pub wait_all: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum How {
    Receive,
    Send,
    Both,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Wanted {
    pub readable: bool,
    pub writable: bool,
}
