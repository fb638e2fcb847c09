//! A guest's sockets, and what an operation on them comes to.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use portcullis_guest::raw::network::Network;
use portcullis_guest::raw::socket::{
    self, OptionName as RawName, OptionValue as RawValue, OutgoingDatagram, Readiness, ShutdownHow,
    Socket,
};
use portcullis_guest::raw::types::{self, Endpoint, SocketAddress, UnixAddress};
use portcullis_test_operations::{
    Address, Bytes, Family, How, Kind, Operation, OptionName, OptionValue, Outcome,
    PATIENCE_MILLIS, Place, Port, ReceiveFlags, SendFlags, Slot,
};

/// The sockets, the last one made at the end.
pub struct Table {
    /// Where the next socket is opened.
    pub network: Network,
    sockets: Vec<Socket>,
    folder: Vec<u8>,
    prefix: Vec<u8>,
}

impl Table {
    /// Without sockets; the folder is that of unix paths, and abstract names begin
    /// with the prefix.
    pub fn new(network: Network, folder: Vec<u8>, prefix: Vec<u8>) -> Self {
        Self {
            network,
            sockets: Vec::new(),
            folder,
            prefix,
        }
    }

    /// Does an operation, and tells what came of it.
    pub fn execute(&mut self, operation: Operation) -> Outcome {
        self.attempt(operation)
            .unwrap_or_else(|failure| match failure {
                Failure::NoSocket => Outcome::NoSocket,
                Failure::Socket(error) => Outcome::Error(code(&error)),
            })
    }

    fn attempt(&mut self, operation: Operation) -> Result<Outcome, Failure> {
        match operation {
            Operation::Accept(slot) => {
                let (connection, peer) = self.socket(slot)?.accept()?;
                self.keep(connection);
                Ok(Outcome::Accepted(place(peer)))
            }
            Operation::Bind(slot, address) => {
                self.socket(slot)?.bind(&self.endpoint(&address)?)?;
                Ok(Outcome::Done)
            }
            Operation::Connect(slot, address) => {
                self.socket(slot)?.connect(&self.endpoint(&address)?)?;
                Ok(Outcome::Done)
            }
            Operation::Drop(slot) => {
                let at = self.index(slot)?;
                drop(self.sockets.remove(at));
                Ok(Outcome::Done)
            }
            Operation::Duplicate(slot) => {
                let twin = self.socket(slot)?.duplicate()?;
                self.sockets.push(twin);
                Ok(Outcome::Done)
            }
            Operation::GetOption(slot, name) => {
                let value = self.socket(slot)?.get_option(raw_name(name))?;
                Ok(Outcome::Value(plain_value(&value)))
            }
            Operation::JoinGroup(slot, group, interface) => {
                self.socket(slot)?.join_group(raw_ip(group), interface)?;
                Ok(Outcome::Done)
            }
            Operation::LeaveGroup(slot, group, interface) => {
                self.socket(slot)?.leave_group(raw_ip(group), interface)?;
                Ok(Outcome::Done)
            }
            Operation::Listen(slot, backlog) => {
                self.socket(slot)?.listen(backlog)?;
                Ok(Outcome::Done)
            }
            Operation::LocalAddress(slot) => {
                Ok(Outcome::Address(place(self.socket(slot)?.local_address()?)))
            }
            Operation::Open(family, kind, protocol) => {
                let (family, kind) = (raw_family(family), raw_kind(kind));
                let socket = self.network.open(family, kind, protocol)?;
                self.keep(socket);
                Ok(Outcome::Done)
            }
            Operation::Pair(family, kind, protocol) => {
                let (family, kind) = (raw_family(family), raw_kind(kind));
                let (one, other) = self.network.pair(family, kind, protocol)?;
                self.keep(one);
                self.keep(other);
                Ok(Outcome::Done)
            }
            Operation::Ready(slot, wanted) => {
                let mut interest = Readiness::empty();
                if wanted.readable {
                    interest |= Readiness::READABLE;
                }
                if wanted.writable {
                    interest |= Readiness::WRITABLE;
                }
                let pollable = self.socket(slot)?.subscribe(interest);
                Ok(Outcome::Ready(pollable.ready()))
            }
            Operation::Receive(slot, maximum, flags) => {
                let data = self.socket(slot)?.receive(maximum, receive_flags(flags))?;
                Ok(Outcome::Received(Bytes(data)))
            }
            Operation::ReceiveDatagrams(slot, count, maximum, flags) => {
                let socket = self.socket(slot)?;
                let found = socket.receive_datagrams(count, maximum, receive_flags(flags))?;
                Ok(Outcome::Datagrams(
                    found.into_iter().map(datagram).collect(),
                ))
            }
            Operation::ReceiveFrom(slot, maximum, flags) => {
                let socket = self.socket(slot)?;
                let found = socket.receive_from(maximum, receive_flags(flags))?;
                Ok(Outcome::Datagrams(vec![datagram(found)]))
            }
            Operation::RemoteAddress(slot) => Ok(Outcome::Address(place(
                self.socket(slot)?.remote_address()?,
            ))),
            Operation::Send(slot, data, flags) => {
                let sent = self.socket(slot)?.send(&data.bytes(), send_flags(flags))?;
                Ok(Outcome::Sent(sent))
            }
            Operation::SendAll(slot, data) => {
                self.socket(slot)?.send_all(&data.bytes())?;
                Ok(Outcome::Done)
            }
            Operation::SendDatagrams(slot, datagrams, flags) => {
                let mut outgoing = Vec::new();
                for (data, address) in &datagrams {
                    outgoing.push(OutgoingDatagram {
                        data: data.bytes(),
                        destination: match address {
                            Some(address) => Some(self.endpoint(address)?),
                            None => None,
                        },
                    });
                }
                let socket = self.socket(slot)?;
                Ok(Outcome::Sent(
                    socket.send_datagrams(&outgoing, send_flags(flags))?,
                ))
            }
            Operation::SendTo(slot, data, flags, address) => {
                let endpoint = self.endpoint(&address)?;
                let socket = self.socket(slot)?;
                Ok(Outcome::Sent(socket.send_to(
                    &data.bytes(),
                    send_flags(flags),
                    &endpoint,
                )?))
            }
            Operation::SetOption(slot, name, value) => {
                self.socket(slot)?.set_option(raw_value(name, value))?;
                Ok(Outcome::Done)
            }
            Operation::SetTimeout(slot, timeout) => {
                self.socket(slot)?.set_timeout(timeout);
                Ok(Outcome::Done)
            }
            Operation::Shutdown(slot, how) => {
                self.socket(slot)?.shutdown(match how {
                    How::Receive => ShutdownHow::Receive,
                    How::Send => ShutdownHow::Send,
                    How::Both => ShutdownHow::Both,
                })?;
                Ok(Outcome::Done)
            }
            Operation::TakeError(slot) => {
                let pending = self.socket(slot)?.take_error()?;
                Ok(Outcome::Pending(pending.as_ref().map(code)))
            }
            Operation::Timeout(slot) => Ok(Outcome::Timeout(self.socket(slot)?.timeout())),
        }
    }

    /// Takes a socket in, as the one that was made last, and bounds its waits.
    pub fn keep(&mut self, socket: Socket) {
        assert_eq!(socket.timeout(), None);
        socket.set_timeout(Some(u64::from(PATIENCE_MILLIS) * 1_000_000));
        self.sockets.push(socket);
    }

    /// Drops the oldest sockets of more than `most`.
    pub fn make_room(&mut self, most: usize) {
        self.sockets
            .drain(..self.sockets.len().saturating_sub(most));
    }

    fn index(&self, slot: Slot) -> Result<usize, Failure> {
        let back = usize::from(slot.0).checked_rem(self.sockets.len());
        let back = back.ok_or(Failure::NoSocket)?;
        Ok(self.sockets.len() - 1 - back)
    }

    /// One of the sockets.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn socket(&self, slot: Slot) -> Result<&Socket, Failure> {
        let socket = self.sockets.get(self.index(slot)?);
        socket.ok_or(Failure::NoSocket)
    }

    fn endpoint(&self, address: &Address) -> Result<Endpoint, Failure> {
        Ok(Endpoint::Address(match address {
            Address::Abstract(name, length) => {
                let mut whole = self.prefix.clone();
                whole.resize(whole.len() + usize::from(*length), *name);
                SocketAddress::Unix(UnixAddress::Abstract(whole))
            }
            Address::Inet(ip, port) => {
                let port = match port {
                    Port::Number(port) => *port,
                    Port::Of(slot) => match self.socket(*slot)?.local_address() {
                        Ok(SocketAddress::Ipv4(address)) => address.port,
                        Ok(SocketAddress::Ipv6(address)) => address.port,
                        Ok(SocketAddress::Unix(_)) | Err(_) => 0,
                    },
                };
                raw_address((*ip, port).into())
            }
            Address::Of(slot) => self.socket(*slot)?.local_address()?,
            Address::Path(path) => {
                let whole = [&self.folder, b"/".as_slice(), path.as_bytes()].concat();
                SocketAddress::Unix(UnixAddress::Path(whole))
            }
            Address::PathOfLength(length) => {
                let mut whole = [&self.folder, b"/".as_slice()].concat();
                whole.resize(usize::from(*length).max(whole.len() + 1), b'x');
                SocketAddress::Unix(UnixAddress::Path(whole))
            }
            Address::PeerOf(slot) => self.socket(*slot)?.remote_address()?,
            Address::Unnamed => SocketAddress::Unix(UnixAddress::Unnamed),
        }))
    }
}

/// Why an operation came to nothing.
pub enum Failure {
    /// There is no socket to do it with.
    NoSocket,
    /// The host's answer.
    Socket(types::Error),
}

impl From<types::Error> for Failure {
    fn from(error: types::Error) -> Self {
        Self::Socket(error)
    }
}

/// `WouldBlock` of `ErrorCode::WouldBlock`.
fn code(error: &types::Error) -> String {
    let code = format!("{:?}", error.code);
    code.trim_start_matches("ErrorCode::").to_owned()
}

fn place(address: SocketAddress) -> Place {
    match address {
        SocketAddress::Ipv4(address) => {
            let (a, b, c, d) = address.address;
            Place::Inet(SocketAddrV4::new([a, b, c, d].into(), address.port).into())
        }
        SocketAddress::Ipv6(address) => {
            let (a, b, c, d, e, f, g, h) = address.address;
            let ip = [a, b, c, d, e, f, g, h].into();
            let (flow, scope) = (address.flow_info, address.scope_id);
            Place::Inet(SocketAddrV6::new(ip, address.port, flow, scope).into())
        }
        SocketAddress::Unix(UnixAddress::Abstract(name)) => Place::Abstract(name),
        SocketAddress::Unix(UnixAddress::Path(path)) => Place::Path(path),
        SocketAddress::Unix(UnixAddress::Unnamed) => Place::Unnamed,
    }
}

fn datagram(datagram: socket::Datagram) -> (Bytes, u64, Place) {
    let source = place(datagram.source);
    (Bytes(datagram.data), datagram.length, source)
}

/// An address in the contract's words.
pub fn raw_address(address: SocketAddr) -> SocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            SocketAddress::Ipv4(types::Ipv4SocketAddress {
                port: address.port(),
                address: (a, b, c, d),
            })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            SocketAddress::Ipv6(types::Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: address.scope_id(),
            })
        }
    }
}

fn raw_ip(ip: IpAddr) -> types::IpAddress {
    match raw_address((ip, 0).into()) {
        SocketAddress::Ipv4(address) => types::IpAddress::Ipv4(address.address),
        SocketAddress::Ipv6(address) => types::IpAddress::Ipv6(address.address),
        SocketAddress::Unix(_) => unreachable!("it is of the internet"),
    }
}

/// A family in the contract's words.
pub fn raw_family(family: Family) -> types::AddressFamily {
    match family {
        Family::Unspecified => types::AddressFamily::Unspecified,
        Family::Inet => types::AddressFamily::Inet,
        Family::Inet6 => types::AddressFamily::Inet6,
        Family::Unix => types::AddressFamily::Unix,
        Family::Alg => types::AddressFamily::Alg,
        Family::Appletalk => types::AddressFamily::Appletalk,
        Family::Ax25 => types::AddressFamily::Ax25,
        Family::Bluetooth => types::AddressFamily::Bluetooth,
        Family::Can => types::AddressFamily::Can,
        Family::Ipx => types::AddressFamily::Ipx,
        Family::Netlink => types::AddressFamily::Netlink,
        Family::Packet => types::AddressFamily::Packet,
        Family::Qipcrtr => types::AddressFamily::Qipcrtr,
        Family::Rds => types::AddressFamily::Rds,
        Family::Tipc => types::AddressFamily::Tipc,
        Family::Vsock => types::AddressFamily::Vsock,
        Family::X25 => types::AddressFamily::X25,
    }
}

/// A socket type in the contract's words.
pub fn raw_kind(kind: Kind) -> types::SocketType {
    match kind {
        Kind::Stream => types::SocketType::Stream,
        Kind::Datagram => types::SocketType::Datagram,
        Kind::Seqpacket => types::SocketType::Seqpacket,
        Kind::Raw => types::SocketType::Raw,
        Kind::ReliableMessage => types::SocketType::ReliableMessage,
    }
}

/// Flags in the contract's words.
pub fn send_flags(flags: SendFlags) -> socket::SendFlags {
    use socket::SendFlags as Raw;
    let set = [
        (flags.dont_route, Raw::DONT_ROUTE),
        (flags.dont_wait, Raw::DONT_WAIT),
        (flags.end_of_record, Raw::END_OF_RECORD),
        (flags.more, Raw::MORE),
        (flags.out_of_band, Raw::OUT_OF_BAND),
    ];
    let set = set.into_iter().filter(|(set, _)| *set);
    set.fold(Raw::empty(), |all, (_, flag)| all | flag)
}

fn receive_flags(flags: ReceiveFlags) -> socket::ReceiveFlags {
    use socket::ReceiveFlags as Raw;
    let set = [
        (flags.dont_wait, Raw::DONT_WAIT),
        (flags.out_of_band, Raw::OUT_OF_BAND),
        (flags.peek, Raw::PEEK),
        (flags.wait_all, Raw::WAIT_ALL),
    ];
    let set = set.into_iter().filter(|(set, _)| *set);
    set.fold(Raw::empty(), |all, (_, flag)| all | flag)
}

/// Writes down how each option's value is a number, once for both directions.
macro_rules! options {
    ($($kind:ident: $($name:ident),*;)*) => {
        fn raw_name(name: OptionName) -> RawName {
            match name {
                $($(OptionName::$name => RawName::$name,)*)*
            }
        }

        fn raw_value(name: OptionName, value: OptionValue) -> RawValue {
            match name {
                $($(OptionName::$name => RawValue::$name($kind::raw(value)),)*)*
            }
        }

        fn plain_value(value: &RawValue) -> OptionValue {
            match value {
                $($(RawValue::$name(value) => $kind::plain(*value),)*)*
            }
        }
    };
}

options! {
    truth: AcceptingConnections, AnswerAsAsked, Broadcast, DoNotRoute, KeepAlive, MulticastLoop, NoDelay,
        OutOfBandInline, ReuseAddress, ReusePort, V6Only;
    number: HopLimit, KeepAliveCount, KeepAliveIdle, KeepAliveInterval, MaximumSegmentSize,
        MulticastHopLimit, MulticastInterface, Protocol, ReceiveBufferSize, ReceiveLowWaterMark,
        SendBufferSize, TrafficClass, UserTimeout;
    perhaps: Linger, ReceiveTimeout, SendTimeout;
    family: Domain;
    kind: SocketType;
}

mod truth {
    pub(crate) fn raw(value: Option<u64>) -> bool {
        value.is_some_and(|value| value != 0)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the others")]
    pub(crate) fn plain(value: bool) -> Option<u64> {
        Some(value.into())
    }
}

mod number {
    pub(crate) fn raw<T: TryFrom<u64>>(value: Option<u64>) -> T {
        let value = T::try_from(value.unwrap_or_default());
        value.ok().expect("a value of the option's type")
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the others")]
    pub(crate) fn plain(value: impl Into<u64>) -> Option<u64> {
        Some(value.into())
    }
}

mod perhaps {
    pub(crate) fn raw(value: Option<u64>) -> Option<u64> {
        value
    }

    pub(crate) fn plain(value: Option<u64>) -> Option<u64> {
        value
    }
}

mod family {
    use super::{Family, raw_family, types};

    pub(crate) fn raw(_: Option<u64>) -> types::AddressFamily {
        types::AddressFamily::Inet
    }

    pub(crate) fn plain(value: types::AddressFamily) -> Option<u64> {
        let place = Family::ALL
            .into_iter()
            .position(|family| raw_family(family) == value);
        place.map(|place| place as u64)
    }
}

mod kind {
    use super::{Kind, raw_kind, types};

    pub(crate) fn raw(_: Option<u64>) -> types::SocketType {
        types::SocketType::Stream
    }

    pub(crate) fn plain(value: types::SocketType) -> Option<u64> {
        let place = Kind::ALL
            .into_iter()
            .position(|kind| raw_kind(kind) == value);
        place.map(|place| place as u64)
    }
}
