//! The options of a socket, each with its own type and `socket2`'s name.

use std::io;
use std::time::Duration;

use super::{Family, Socket, SocketType, nanoseconds};
use crate::raw::socket::{OptionName, OptionValue};

/// Writes a getter for each option, and a setter for those that can be set. One
/// option serves both families, so the `_v4` and `_v6` of `socket2` are left out.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $value:ty, $getter:ident $(, $setter:ident)?;)*) => {
        /// The options. Setting one needs no grant, but where it widens what the
        /// socket reaches.
        impl Socket {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                /// `Unsupported` on a socket that has no such option.
                pub fn $getter(&self) -> io::Result<$value> {
                    let OptionValue::$name(value) = self.option(OptionName::$name)? else {
                        return Err(io::Error::other(
                            "the host answered with another option than was asked for",
                        ));
                    };
                    Ok(Value::from_contract(value))
                }

                $(
                    #[doc = concat!("Sets [`", stringify!($getter), "`](Self::", stringify!($getter), ").")]
                    ///
                    /// # Errors
                    ///
                    /// Those of the contract's `set-option`.
                    pub fn $setter(&self, value: $value) -> io::Result<()> {
                        self.set_option(OptionValue::$name(Value::to_contract(value)?))
                    }
                )?
            )*
        }
    };
}

options! {
    /// Whether the socket is listening (`SO_ACCEPTCONN`).
    AcceptingConnections: bool, is_listener;
    /// Whether a datagram to a peer leaves from the address that the peer wrote to
    /// last (`IP_PKTINFO`, `IPV6_RECVPKTINFO`).
    AnswerAsAsked: bool, answer_as_asked, set_answer_as_asked;
    /// Whether datagrams may go to everybody on a network (`SO_BROADCAST`).
    Broadcast: bool, broadcast, set_broadcast;
    /// Which kind of address it uses (`SO_DOMAIN`).
    Domain: Family, domain;
    /// Whether to send only to hosts on a network of this machine's own
    /// (`SO_DONTROUTE`).
    DoNotRoute: bool, dont_route, set_dont_route;
    /// How many routers a packet may pass, 1 to 255 (`IP_TTL`,
    /// `IPV6_UNICAST_HOPS`).
    HopLimit: u32, ttl, set_ttl;
    /// Whether a silent peer is probed (`SO_KEEPALIVE`).
    KeepAlive: bool, keepalive, set_keepalive;
    /// Probes until the connection counts as lost (`TCP_KEEPCNT`).
    KeepAliveCount: u32, tcp_keepalive_retries, set_tcp_keepalive_retries;
    /// Silence before the first probe (`TCP_KEEPIDLE`); whole seconds.
    KeepAliveIdle: Duration, tcp_keepalive_time, set_tcp_keepalive_time;
    /// Time between probes (`TCP_KEEPINTVL`); whole seconds.
    KeepAliveInterval: Duration, tcp_keepalive_interval, set_tcp_keepalive_interval;
    /// How long closing waits for data to be sent (`SO_LINGER`); whole seconds.
    /// None leaves that to the OS, zero discards it and resets the connection.
    Linger: Option<Duration>, linger, set_linger;
    /// The largest segment, in bytes (`TCP_MAXSEG`).
    MaximumSegmentSize: u32, tcp_mss, set_tcp_mss;
    /// How many routers a packet to a group may pass (`IP_MULTICAST_TTL`,
    /// `IPV6_MULTICAST_HOPS`).
    MulticastHopLimit: u32, multicast_ttl, set_multicast_ttl;
    /// The index of the interface that packets to a group leave by, zero for the
    /// one that the OS chooses (`IP_MULTICAST_IF`, `IPV6_MULTICAST_IF`).
    MulticastInterface: u32, multicast_if, set_multicast_if;
    /// Whether this machine hears what it sends to a group (`IP_MULTICAST_LOOP`,
    /// `IPV6_MULTICAST_LOOP`).
    MulticastLoop: bool, multicast_loop, set_multicast_loop;
    /// Whether small packets are sent at once (`TCP_NODELAY`).
    NoDelay: bool, tcp_nodelay, set_tcp_nodelay;
    /// Whether urgent data comes among the rest (`SO_OOBINLINE`).
    OutOfBandInline: bool, out_of_band_inline, set_out_of_band_inline;
    /// The protocol by its number, 6 for TCP (`SO_PROTOCOL`).
    Protocol: u16, protocol;
    /// Room for what came in, in bytes; Linux doubles what is set
    /// (`SO_RCVBUF`).
    ReceiveBufferSize: u32, recv_buffer_size, set_recv_buffer_size;
    /// How many bytes have to be there for a receive to return (`SO_RCVLOWAT`).
    ReceiveLowWaterMark: u32, recv_low_water_mark, set_recv_low_water_mark;
    /// How long a receive or accept waits before it fails with `WouldBlock`
    /// (`SO_RCVTIMEO`); none is for ever.
    ReceiveTimeout: Option<Duration>, read_timeout, set_read_timeout;
    /// Whether an address that was in use just now can be bound to
    /// (`SO_REUSEADDR`).
    ReuseAddress: bool, reuse_address, set_reuse_address;
    /// Whether several sockets share one address (`SO_REUSEPORT`).
    ReusePort: bool, reuse_port, set_reuse_port;
    /// Room for what is to be sent, in bytes; Linux doubles what is set
    /// (`SO_SNDBUF`).
    SendBufferSize: u32, send_buffer_size, set_send_buffer_size;
    /// How long a send waits before it fails with `WouldBlock`
    /// (`SO_SNDTIMEO`); none is for ever.
    SendTimeout: Option<Duration>, write_timeout, set_write_timeout;
    /// How it carries data (`SO_TYPE`).
    SocketType: SocketType, r#type;
    /// The traffic class of its packets (`IP_TOS`, `IPV6_TCLASS`).
    TrafficClass: u8, tos, set_tos;
    /// How long sent data may stay unacknowledged, zero for the OS's own measure
    /// (`TCP_USER_TIMEOUT`); whole milliseconds.
    UserTimeout: Duration, tcp_user_timeout, set_tcp_user_timeout;
    /// Whether an IPv6 socket leaves IPv4 alone (`IPV6_V6ONLY`).
    V6Only: bool, only_v6, set_only_v6;
}

/// A value as `socket2` has it, from and to the contract's form of it.
trait Value<C>: Sized {
    fn from_contract(value: C) -> Self;
    fn to_contract(self) -> io::Result<C>;
}

impl<T> Value<T> for T {
    fn from_contract(value: T) -> Self {
        value
    }

    fn to_contract(self) -> io::Result<T> {
        Ok(self)
    }
}

impl Value<u8> for u32 {
    fn from_contract(value: u8) -> Self {
        value.into()
    }

    fn to_contract(self) -> io::Result<u8> {
        u8::try_from(self).map_err(|_| {
            let message = format!("a limit of hops is at most 255, not {self}");
            io::Error::new(io::ErrorKind::InvalidInput, message)
        })
    }
}

impl Value<u64> for Duration {
    fn from_contract(value: u64) -> Self {
        Self::from_nanos(value)
    }

    fn to_contract(self) -> io::Result<u64> {
        Ok(nanoseconds(self))
    }
}

impl Value<Option<u64>> for Option<Duration> {
    fn from_contract(value: Option<u64>) -> Self {
        value.map(Duration::from_nanos)
    }

    fn to_contract(self) -> io::Result<Option<u64>> {
        Ok(self.map(nanoseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_hops_has_eight_bits() {
        assert_eq!(Value::<u8>::to_contract(255_u32).unwrap(), 255_u8);
        let error = Value::<u8>::to_contract(256_u32).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "a limit of hops is at most 255, not 256");
    }

    #[test]
    fn a_time_too_long_to_count_is_the_longest() {
        assert_eq!(Value::<u64>::to_contract(Duration::MAX).unwrap(), u64::MAX);
    }
}
