//! Options of sockets, and their values as numbers.

use serde::{Deserialize, Serialize};

/// Truth as zero or one, times in nanoseconds, families and types by their place
/// in the contract; none where the contract has an option without a value.
pub type OptionValue = Option<u64>;

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum OptionName {
    AcceptingConnections,
    AnswerAsAsked,
    Broadcast,
    Domain,
    DoNotRoute,
    HopLimit,
    KeepAlive,
    KeepAliveCount,
    KeepAliveIdle,
    KeepAliveInterval,
    Linger,
    MaximumSegmentSize,
    MulticastHopLimit,
    MulticastInterface,
    MulticastLoop,
    NoDelay,
    OutOfBandInline,
    Protocol,
    ReceiveBufferSize,
    ReceiveLowWaterMark,
    ReceiveTimeout,
    ReuseAddress,
    ReusePort,
    SendBufferSize,
    SendTimeout,
    SocketType,
    TrafficClass,
    UserTimeout,
    V6Only,
}

impl OptionName {
    /// All, in the order of the contract.
    pub const ALL: [Self; 29] = [
        Self::AcceptingConnections,
        Self::AnswerAsAsked,
        Self::Broadcast,
        Self::Domain,
        Self::DoNotRoute,
        Self::HopLimit,
        Self::KeepAlive,
        Self::KeepAliveCount,
        Self::KeepAliveIdle,
        Self::KeepAliveInterval,
        Self::Linger,
        Self::MaximumSegmentSize,
        Self::MulticastHopLimit,
        Self::MulticastInterface,
        Self::MulticastLoop,
        Self::NoDelay,
        Self::OutOfBandInline,
        Self::Protocol,
        Self::ReceiveBufferSize,
        Self::ReceiveLowWaterMark,
        Self::ReceiveTimeout,
        Self::ReuseAddress,
        Self::ReusePort,
        Self::SendBufferSize,
        Self::SendTimeout,
        Self::SocketType,
        Self::TrafficClass,
        Self::UserTimeout,
        Self::V6Only,
    ];
}
