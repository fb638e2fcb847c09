//! Does with OS sockets what the guest does with its own. It knows nothing of
//! the host's code; where the contract says that the host is not Linux, it says
//! so too, in [`deviation`](crate::deviation).

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use portcullis_test_operations::{
    Address, Bytes, Case, Family, How, Kind, Operation, Outcome, PATIENCE_MILLIS, Place, Port,
    ReceiveFlags, SendFlags, Slot,
};

use crate::os::Sockaddr;
use crate::{deviation, errno, option, os, sockaddr};

pub(crate) fn run(case: &Case) -> Vec<Outcome> {
    let mut table = Table {
        sockets: Vec::new(),
        case,
    };
    let mut outcomes = Vec::new();
    for operation in &case.operations {
        outcomes.push(table.execute(operation));
        thread::sleep(Duration::from_millis(case.pause_millis.into()));
    }
    outcomes
}

/// Why nothing came of an operation.
pub(crate) enum Failure {
    NoSocket,
    Os(io::Error),
    /// An error that the contract makes, by its code.
    Contract(&'static str),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Os(error)
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// The sockets, the last one made at the end.
struct Table<'a> {
    sockets: Vec<Socket>,
    case: &'a Case,
}

/// A handle on a socket.
pub(crate) struct Socket {
    pub(crate) shared: Rc<Shared>,
    timeout: Option<Duration>,
}

pub(crate) struct Shared {
    pub(crate) os: OwnedFd,
    pub(crate) family: Family,
    pub(crate) kind: Kind,
    pub(crate) contract: deviation::State,
}

impl Table<'_> {
    fn execute(&mut self, operation: &Operation) -> Outcome {
        self.attempt(operation)
            .unwrap_or_else(|failure| match failure {
                Failure::NoSocket => Outcome::NoSocket,
                Failure::Os(error) => Outcome::Error(errno::code(&error)),
                Failure::Contract(code) => Outcome::Error(code.to_owned()),
            })
    }

    fn attempt(&mut self, operation: &Operation) -> Result<Outcome> {
        match operation {
            Operation::Accept(slot) => {
                let connection = self.socket(*slot)?.accept()?;
                let (connection, peer) = connection;
                self.sockets.push(connection);
                Ok(Outcome::Accepted(peer))
            }
            Operation::Bind(slot, address) => {
                let address = self.place(address)?;
                self.socket(*slot)?.bind(&address)?;
                Ok(Outcome::Done)
            }
            Operation::Connect(slot, address) => {
                let address = self.place(address)?;
                self.socket(*slot)?.connect(&address)?;
                Ok(Outcome::Done)
            }
            Operation::Drop(slot) => {
                let at = self.index(*slot)?;
                drop(self.sockets.remove(at));
                Ok(Outcome::Done)
            }
            Operation::Duplicate(slot) => {
                let socket = self.socket(*slot)?;
                let twin = Socket {
                    shared: Rc::clone(&socket.shared),
                    timeout: socket.timeout,
                };
                self.sockets.push(twin);
                Ok(Outcome::Done)
            }
            Operation::GetOption(slot, name) => {
                Ok(Outcome::Value(option::get(self.socket(*slot)?, *name)?))
            }
            Operation::JoinGroup(slot, group, interface) => {
                self.socket(*slot)?.membership(*group, *interface, true)?;
                Ok(Outcome::Done)
            }
            Operation::LeaveGroup(slot, group, interface) => {
                self.socket(*slot)?.membership(*group, *interface, false)?;
                Ok(Outcome::Done)
            }
            Operation::Listen(slot, backlog) => {
                self.socket(*slot)?.listen(*backlog)?;
                Ok(Outcome::Done)
            }
            Operation::LocalAddress(slot) => Ok(Outcome::Address(self.socket(*slot)?.local()?)),
            Operation::Open(family, kind, protocol) => {
                deviation::served(*family, *kind, *protocol)?;
                let (os_family, os_kind) = (option::family(*family), option::kind(*kind));
                let os = os::socket(os_family, os_kind, (*protocol).into())?;
                self.keep(os, *family, *kind)?;
                Ok(Outcome::Done)
            }
            Operation::Pair(family, kind, protocol) => {
                deviation::served(*family, *kind, *protocol)?;
                let (os_family, os_kind) = (option::family(*family), option::kind(*kind));
                let (one, other) = os::socketpair(os_family, os_kind, (*protocol).into())?;
                self.keep(one, *family, *kind)?;
                self.keep(other, *family, *kind)?;
                Ok(Outcome::Done)
            }
            Operation::Ready(slot, wanted) => {
                let mut events = 0;
                if wanted.readable {
                    events |= libc::POLLIN;
                }
                if wanted.writable {
                    events |= libc::POLLOUT;
                }
                let told = os::poll(&self.socket(*slot)?.shared.os, events)?;
                Ok(Outcome::Ready(told != 0))
            }
            Operation::Receive(slot, maximum, flags) => {
                let socket = self.socket(*slot)?;
                let (data, _, _) = socket.receive(*maximum, *flags)?;
                Ok(Outcome::Received(Bytes(data)))
            }
            Operation::ReceiveDatagrams(slot, count, maximum, flags) => {
                let socket = self.socket(*slot)?;
                let found = socket.receive_many(*count, *maximum, *flags)?;
                Ok(Outcome::Datagrams(found))
            }
            Operation::ReceiveFrom(slot, maximum, flags) => {
                let socket = self.socket(*slot)?;
                let (data, length, source) = socket.receive(*maximum, *flags)?;
                let source = socket.source(&source);
                Ok(Outcome::Datagrams(vec![(Bytes(data), length, source)]))
            }
            Operation::RemoteAddress(slot) => Ok(Outcome::Address(self.socket(*slot)?.remote()?)),
            Operation::Send(slot, data, flags) => {
                let socket = self.socket(*slot)?;
                let peer = deviation::peer(socket)?;
                let sent = socket.send(&data.bytes(), *flags, peer.as_deref())?;
                Ok(Outcome::Sent(sent))
            }
            Operation::SendAll(slot, data) => {
                self.socket(*slot)?.send_all(&data.bytes())?;
                Ok(Outcome::Done)
            }
            Operation::SendDatagrams(slot, datagrams, flags) => {
                let mut outgoing = Vec::new();
                for (data, address) in datagrams {
                    let place = match address {
                        Some(address) => Some(self.place(address)?),
                        None => None,
                    };
                    outgoing.push((data.bytes(), place));
                }
                let sent = self.socket(*slot)?.send_many(outgoing, *flags)?;
                Ok(Outcome::Sent(sent))
            }
            Operation::SendTo(slot, data, flags, address) => {
                let place = self.place(address)?;
                let socket = self.socket(*slot)?;
                let address = deviation::destination(socket, &place)?;
                let sent = socket.send(&data.bytes(), *flags, Some(&address))?;
                Ok(Outcome::Sent(sent))
            }
            Operation::SetOption(slot, name, value) => {
                option::set(self.socket(*slot)?, *name, *value)?;
                Ok(Outcome::Done)
            }
            Operation::SetTimeout(slot, timeout) => {
                let at = self.index(*slot)?;
                self.sockets[at].timeout = timeout.map(Duration::from_nanos);
                Ok(Outcome::Done)
            }
            Operation::Shutdown(slot, how) => {
                let how = match how {
                    How::Receive => libc::SHUT_RD,
                    How::Send => libc::SHUT_WR,
                    How::Both => libc::SHUT_RDWR,
                };
                os::shutdown(&self.socket(*slot)?.shared.os, how)?;
                Ok(Outcome::Done)
            }
            Operation::TakeError(slot) => {
                let socket = &self.socket(*slot)?.shared.os;
                let value = os::getsockopt(socket, libc::SOL_SOCKET, libc::SO_ERROR)?;
                let number = i32::from_ne_bytes(value);
                let error = (number != 0).then(|| io::Error::from_raw_os_error(number));
                Ok(Outcome::Pending(error.as_ref().map(errno::code)))
            }
            Operation::Timeout(slot) => {
                let timeout = self.socket(*slot)?.timeout;
                let nanos = timeout.map(|time| u64::try_from(time.as_nanos()).unwrap());
                Ok(Outcome::Timeout(nanos))
            }
        }
    }

    fn keep(&mut self, os: OwnedFd, family: Family, kind: Kind) -> Result<()> {
        let shared = Shared {
            os,
            family,
            kind,
            contract: deviation::State::default(),
        };
        deviation::prepare(&shared)?;
        self.sockets.push(Socket::new(shared));
        Ok(())
    }

    fn index(&self, slot: Slot) -> Result<usize> {
        let back = usize::from(slot.0).checked_rem(self.sockets.len());
        let back = back.ok_or(Failure::NoSocket)?;
        Ok(self.sockets.len() - 1 - back)
    }

    fn socket(&self, slot: Slot) -> Result<&Socket> {
        Ok(&self.sockets[self.index(slot)?])
    }

    fn place(&self, address: &Address) -> Result<Place> {
        let in_folder = |name: &[u8]| [&self.case.folder, b"/".as_slice(), name].concat();
        Ok(match address {
            Address::Abstract(name, length) => {
                let mut whole = self.case.prefix.clone();
                whole.resize(whole.len() + usize::from(*length), *name);
                Place::Abstract(whole)
            }
            Address::Inet(ip, port) => {
                let port = match port {
                    Port::Number(port) => *port,
                    Port::Of(slot) => match self.socket(*slot)?.local() {
                        Ok(Place::Inet(address)) => address.port(),
                        _ => 0,
                    },
                };
                Place::Inet((*ip, port).into())
            }
            Address::Of(slot) => self.socket(*slot)?.local()?,
            Address::Path(path) => Place::Path(in_folder(path.as_bytes())),
            Address::PathOfLength(length) => {
                let mut whole = in_folder(b"");
                whole.resize(usize::from(*length).max(whole.len() + 1), b'x');
                Place::Path(whole)
            }
            Address::PeerOf(slot) => self.socket(*slot)?.remote()?,
            Address::Unnamed => Place::Unnamed,
        })
    }
}

impl Socket {
    fn new(shared: Shared) -> Self {
        Self {
            shared: Rc::new(shared),
            timeout: Some(Duration::from_millis(PATIENCE_MILLIS.into())),
        }
    }

    fn accept(&self) -> Result<(Self, Place)> {
        let (os, peer) =
            self.blocking(Direction::Receive, false, || os::accept(&self.shared.os))?;
        let Shared { family, kind, .. } = *self.shared;
        let contract = self.shared.contract.inherit();
        deviation::inherit_linger(self, &os)?;
        let shared = Shared {
            os,
            family,
            kind,
            contract,
        };
        Ok((Self::new(shared), sockaddr::place(&peer)))
    }

    fn bind(&self, place: &Place) -> Result<()> {
        let address = deviation::own_address(self, place)?;
        os::bind(&self.shared.os, &address)?;
        self.shared.contract.bound.set(true);
        Ok(())
    }

    fn connect(&self, place: &Place) -> Result<()> {
        let address = deviation::peer_address(self, place)?;
        self.blocking(Direction::Send, false, || {
            os::connect(&self.shared.os, &address)
        })?;
        deviation::was_connected(self, place);
        Ok(())
    }

    fn listen(&self, backlog: Option<u32>) -> Result<()> {
        let backlog = i32::try_from(backlog.unwrap_or(128)).unwrap_or(i32::MAX);
        Ok(os::listen(&self.shared.os, backlog)?)
    }

    fn local(&self) -> Result<Place> {
        Ok(sockaddr::place(&os::getsockname(&self.shared.os)?))
    }

    fn remote(&self) -> Result<Place> {
        Ok(sockaddr::place(&os::getpeername(&self.shared.os)?))
    }

    fn send(&self, data: &[u8], flags: SendFlags, address: Option<&[u8]>) -> Result<u64> {
        let sent = self.blocking(Direction::Send, flags.dont_wait, || {
            os::sendto(&self.shared.os, data, send_flags(flags), address)
        })?;
        Ok(sent as u64)
    }

    /// Python's `sendall`: at least one `send`.
    fn send_all(&self, data: &[u8]) -> Result<()> {
        let peer = deviation::peer(self)?;
        let mut rest = data;
        loop {
            let sent = self.send(rest, SendFlags::default(), peer.as_deref())?;
            rest = &rest[usize::try_from(sent).unwrap()..];
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn send_many(&self, datagrams: Vec<(Vec<u8>, Option<Place>)>, flags: SendFlags) -> Result<u64> {
        let mut outgoing = Vec::new();
        for (data, place) in datagrams {
            let address = match place {
                Some(place) => deviation::destination(self, &place).map(Some),
                None => deviation::peer(self),
            };
            match address {
                Ok(address) => outgoing.push((data, address)),
                Err(error) if outgoing.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        let sent = self.blocking(Direction::Send, flags.dont_wait, || {
            os::sendmmsg(&self.shared.os, &outgoing, send_flags(flags))
        })?;
        Ok(sent as u64)
    }

    /// The data, how long the message was, and the address.
    fn receive(&self, maximum: u64, flags: ReceiveFlags) -> Result<(Vec<u8>, u64, Sockaddr)> {
        let maximum = usize::try_from(maximum.min(1 << 20)).unwrap();
        let (data, length, source) = self.blocking(Direction::Receive, flags.dont_wait, || {
            os::recvfrom(&self.shared.os, maximum, self.receive_flags(flags))
        })?;
        Ok((data, length as u64, source))
    }

    fn receive_many(
        &self,
        count: u32,
        maximum: u64,
        flags: ReceiveFlags,
    ) -> Result<Vec<(Bytes, u64, Place)>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if deviation::is_one_by_one(self, flags) {
            let (data, length, source) = self.receive(maximum, flags)?;
            return Ok(vec![(Bytes(data), length, self.source(&source))]);
        }
        let count = usize::try_from(count).unwrap();
        let maximum = usize::try_from(maximum.min(1 << 20)).unwrap();
        let found = self.blocking(Direction::Receive, flags.dont_wait, || {
            let flags = self.receive_flags(flags);
            os::recvmmsg(&self.shared.os, count, maximum, flags)
        })?;
        let told = found.into_iter().map(|(data, length, source)| {
            let source = self.source(&source);
            (Bytes(data), length as u64, source)
        });
        Ok(told.collect())
    }

    /// Where data came from: the OS leaves it out where it is the peer.
    fn source(&self, told: &[u8]) -> Place {
        match self.shared.kind {
            _ if told.len() > 2 => sockaddr::place(told),
            Kind::Datagram | Kind::Raw => deviation::source(self, None),
            _ => deviation::source(self, self.remote().ok()),
        }
    }

    fn membership(&self, group: IpAddr, interface: u32, join: bool) -> Result<()> {
        if join {
            deviation::must_be_group(self, group)?;
        }
        let (level, name, value) = match group {
            IpAddr::V4(group) => {
                let value = [&group.octets()[..], &[0; 4], &interface.to_ne_bytes()].concat();
                let name = if join {
                    libc::IP_ADD_MEMBERSHIP
                } else {
                    libc::IP_DROP_MEMBERSHIP
                };
                (libc::IPPROTO_IP, name, value)
            }
            IpAddr::V6(group) => {
                let value = [&group.octets()[..], &interface.to_ne_bytes()].concat();
                let name = if join {
                    libc::IPV6_ADD_MEMBERSHIP
                } else {
                    libc::IPV6_DROP_MEMBERSHIP
                };
                (libc::IPPROTO_IPV6, name, value)
            }
        };
        Ok(os::setsockopt(&self.shared.os, level, name, &value)?)
    }

    fn receive_flags(&self, flags: ReceiveFlags) -> i32 {
        let mut all = 0;
        // Of a stream it would throw the data away.
        if self.shared.kind != Kind::Stream {
            all |= libc::MSG_TRUNC;
        }
        for (set, flag) in [
            (flags.dont_wait, libc::MSG_DONTWAIT),
            (flags.out_of_band, libc::MSG_OOB),
            (flags.peek, libc::MSG_PEEK),
            (flags.wait_all, libc::MSG_WAITALL),
        ] {
            if set {
                all |= flag;
            }
        }
        all
    }

    /// Lets the kernel wait as long as the handle and the socket's own option
    /// say, whichever is less.
    fn blocking<T>(
        &self,
        direction: Direction,
        dont_wait: bool,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> Result<T> {
        let socket = &self.shared.os;
        let name = match direction {
            Direction::Receive => libc::SO_RCVTIMEO,
            Direction::Send => libc::SO_SNDTIMEO,
        };
        let own = option::timeval(socket, name)?;
        let mine = self.timeout.unwrap();
        os::set_blocking(socket, !mine.is_zero())?;
        let own_is_first = own.is_some_and(|own| own < mine);
        if !own_is_first && !mine.is_zero() {
            option::set_timeval(socket, name, Some(mine))?;
        }
        let result = call();
        option::set_timeval(socket, name, own)?;
        os::set_blocking(socket, true)?;
        result.map_err(|error| match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINPROGRESS)
                if !mine.is_zero() && !own_is_first && !dont_wait =>
            {
                Failure::Contract("TimedOut")
            }
            _ => Failure::Os(error),
        })
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Receive,
    Send,
}

fn send_flags(flags: SendFlags) -> i32 {
    let mut all = 0;
    for (set, flag) in [
        (flags.dont_route, libc::MSG_DONTROUTE),
        (flags.dont_wait, libc::MSG_DONTWAIT),
        (flags.end_of_record, libc::MSG_EOR),
        (flags.more, libc::MSG_MORE),
        (flags.out_of_band, libc::MSG_OOB),
    ] {
        if set {
            all |= flag;
        }
    }
    all
}
