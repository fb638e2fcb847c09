//! A socket: its handles, and what they do whatever the family.
//!
//! How sockets come by addresses and connections is in `inet` and `unix`, moving
//! data in `transfer` and `datagram`, options in `options`.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::io::Errno;
use tokio::io::Interest;
use tracing::debug;

use crate::account::{Account, Ends, Traffic};
use crate::address::{Endpoint, Family, SocketAddress, SocketType};
use crate::audit::{Accepted, Closed, Connected, Event};
use crate::error::{Error, ErrorCode};
use crate::life::Life;
use crate::limits::{Room, Usage};
use crate::network::Network;
use crate::os;
use crate::readiness::Readiness;
use crate::ready::Ready;
use crate::wait::{CROWD, Wait, take_turn};
use crate::{inet, unix};

/// How many connections wait to be accepted where the guest does not say:
/// CPython's choice, within what the OS allows.
const DEFAULT_BACKLOG: u32 = 128;

/// A handle on an OS socket that belongs to a [`Network`].
///
/// Operations wait for as long as the handle's timeout says and are cancelled
/// by dropping their future. Dropping the last handle closes the socket.
#[derive(Debug)]
pub struct Socket {
    pub(crate) shared: Arc<Shared>,
    timeout: Option<Duration>,
}

/// What all handles on one socket have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) os: Arc<socket2::Socket>,
    /// Held apart by those who wait and must not keep the socket open.
    pub(crate) readiness: Arc<Readiness<socket2::Socket>>,
    pub(crate) life: Life,
    pub(crate) family: Family,
    pub(crate) kind: SocketType,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) network: Network,
    pub(crate) account: Arc<Account>,
    pub(crate) inet: Mutex<inet::Place>,
    pub(crate) unix: Mutex<unix::Place>,
    pub(crate) usage: Usage,
    /// A connection that was let in to see whether one is there.
    arrived: Mutex<Option<Admitted>>,
}

/// A connection that was let in.
#[derive(Debug)]
struct Admitted {
    socket: socket2::Socket,
    peer: SocketAddress,
    room: Room,
}

/// What the guest has set and the host heeds instead of the OS: whose own timers
/// end no wait of a socket that does not block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    /// `SO_RCVTIMEO`
    pub(crate) receive_timeout: Option<Duration>,
    /// `SO_SNDTIMEO`
    pub(crate) send_timeout: Option<Duration>,
    /// `SO_LINGER`
    pub(crate) linger: Option<Duration>,
    /// Whether one of these was ever set, so that connections may have it of the
    /// OS.
    pub(crate) has_timers: bool,
    /// Whether `SO_RCVLOWAT` was set.
    pub(crate) has_low_water_mark: bool,
    /// `SO_REUSEADDR`, where the OS is not to hear of it before it may.
    pub(crate) reuse_address: bool,
    /// `SO_REUSEPORT`, likewise.
    pub(crate) reuse_port: bool,
    /// Whether an answer leaves from where the question came to.
    pub(crate) answers_as_asked: bool,
    /// `IP_MULTICAST_IF`, as an index: the OS takes one and tells an address.
    pub(crate) multicast_interface: u32,
}

impl Settings {
    /// What a connection has of its listener, as Linux has it: an internet
    /// socket what was set when the peer connected, a unix socket nothing.
    fn inherited(self, family: Family, connection: &socket2::Socket) -> Self {
        match family {
            Family::Inet | Family::Inet6 if !self.has_timers => self,
            Family::Inet | Family::Inet6 => Self {
                receive_timeout: connection.read_timeout().unwrap_or(self.receive_timeout),
                send_timeout: connection.write_timeout().unwrap_or(self.send_timeout),
                // The OS knows only of zero.
                linger: match connection.linger() {
                    Ok(Some(zero)) => Some(zero),
                    Ok(None) | Err(_) => self.linger.filter(|time| !time.is_zero()),
                },
                ..self
            },
            Family::Unix => Self::default(),
        }
    }
}

impl Socket {
    pub(crate) fn new(
        os: socket2::Socket,
        family: Family,
        kind: SocketType,
        network: Network,
        settings: Settings,
        usage: Usage,
    ) -> Self {
        let os = Arc::new(os);
        let sharers = network.guest().sharers.clone();
        let shared = Shared {
            readiness: Arc::new(Readiness::new(Arc::clone(&os))),
            life: Life::default(),
            os,
            family,
            kind,
            settings: Mutex::new(settings),
            account: Arc::new(Account::new(network.guest().number_socket())),
            inet: Mutex::new(inet::Place::new(sharers.clone())),
            unix: Mutex::new(unix::Place::new(sharers)),
            network,
            usage,
            arrived: Mutex::default(),
        };
        Self::on(Arc::new(shared))
    }

    /// A handle that waits for ever.
    pub(crate) fn on(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            timeout: None,
        }
    }

    /// POSIX `bind`.
    ///
    /// # Errors
    ///
    /// See `bind` in `wit/socket.wit`, as for every operation here.
    pub async fn bind(&self, local: &Endpoint) -> Result<(), Error> {
        match self.shared.family {
            Family::Inet | Family::Inet6 => self.bind_inet(local).await,
            Family::Unix => self.bind_unix(local).await,
        }
    }

    /// The same OS socket, which listens, as another network has it that lets it
    /// listen there.
    pub(crate) fn within(&self, network: Network) -> Result<Self, Error> {
        let Shared {
            os, family, kind, ..
        } = &*self.shared;
        let usage = network.usage()?;
        let settings = *self.shared.settings.lock();
        let socket = Self::new(os.try_clone()?, *family, *kind, network, settings, usage);
        match family {
            Family::Inet | Family::Inet6 => {
                let place = self.shared.inet.lock();
                let (Some(bound), Some(listening)) = (&place.bound, &place.listening) else {
                    return Err(ErrorCode::InvalidArgument.into());
                };
                socket.listen_beside_inet(bound.clone(), listening.clone())?;
            }
            Family::Unix => {
                let bound = self.shared.unix.lock().listening_at();
                socket.listen_beside_unix(bound.ok_or(ErrorCode::InvalidArgument)?)?;
            }
        }
        Ok(socket)
    }

    /// Another descriptor of the OS socket: for a process that is to listen where
    /// this one does. It is closed when another program is started, unless that is
    /// seen to.
    ///
    /// # Errors
    ///
    /// Where the process has no descriptor left.
    pub fn descriptor(&self) -> Result<OwnedFd, Error> {
        Ok(self.shared.os.try_clone()?.into())
    }

    /// POSIX `listen`.
    pub fn listen(&self, backlog: Option<u32>) -> Result<(), Error> {
        if self.shared.kind == SocketType::Datagram {
            return Err(ErrorCode::NotSupported.into());
        }
        let budget = self.shared.network.budget();
        let backlog = budget.backlog(backlog.unwrap_or(DEFAULT_BACKLOG));
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        match self.shared.family {
            Family::Inet | Family::Inet6 => self.listen_inet(backlog),
            Family::Unix => self.listen_unix(backlog),
        }
    }

    /// POSIX `accept`. Peers that the policy does not admit, or who are too many,
    /// are reset, and the wait goes on.
    pub async fn accept(&self) -> Result<(Self, SocketAddress), Error> {
        self.accept_for(|| self.shared.network.clone()).await
    }

    /// The same for a guest with a network of its own, which is asked for when
    /// somebody has been let in: the connection counts as that guest's, but for
    /// the limits on how many there are at once and begin within a second, which
    /// are those of this socket's network. Nothing is lost where it is dropped.
    pub async fn accept_for(
        &self,
        guest: impl FnOnce() -> Network,
    ) -> Result<(Self, SocketAddress), Error> {
        if self.shared.kind == SocketType::Datagram {
            return Err(ErrorCode::NotSupported.into());
        }
        if !self.is_listening() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let wait = self.receive_wait(false);
        let mut turned_away = 0;
        loop {
            if let Some(arrived) = self.take_arrived() {
                return self.connection(arrived, guest());
            }
            let arrival = self.perform(Interest::READABLE, wait, |_| {
                // Who looks whether somebody is there may let them in meanwhile.
                match *self.shared.arrived.lock() {
                    Some(_) => Ok(None),
                    None => self.next_arrival(wait).map(Some),
                }
            });
            let Some(arrival) = arrival.await? else {
                continue;
            };
            if let Some(admitted) = self.admit(arrival)? {
                return self.connection(admitted, guest());
            }
            turned_away += 1;
            wait.go_on(turned_away)?;
        }
    }

    /// Whether the policy would let a peer in who came to this listener. Nothing
    /// comes of it, and so nothing goes on record.
    pub fn admits(&self, peer: &SocketAddress) -> bool {
        match peer {
            SocketAddress::Inet(peer) => {
                let request = self.accept_request(*peer);
                request.is_ok_and(|request| self.shared.network.policy().check(request).is_ok())
            }
            SocketAddress::Unix(_) => self.admit_unix().is_some(),
        }
    }

    /// POSIX `connect`, to an address or to a name.
    pub async fn connect(&self, remote: &Endpoint) -> Result<(), Error> {
        let account = &self.shared.account;
        let connected = match self.shared.family {
            Family::Inet | Family::Inet6 => self.connect_inet(remote).await,
            Family::Unix => self.connect_unix(remote).await,
        };
        match connected.as_ref().map_err(Error::code) {
            Ok(()) | Err(ErrorCode::AlreadyInProgress | ErrorCode::InProgress) => {
                account.set_connecting(true);
            }
            Err(_) => {}
        }
        self.tell_failure(connected)?;
        self.note_connected()
    }

    /// Tells of a connection as soon as there is one.
    fn note_connected(&self) -> Result<(), Error> {
        let account = &self.shared.account;
        if !account.is_connecting() {
            return Ok(());
        }
        let Ok(remote) = self.remote_address() else {
            return Ok(());
        };
        account.set_connecting(false);
        account.set_ends(Ends {
            local: None,
            remote: Some(remote.clone()),
        });
        if self.shared.kind == SocketType::Datagram {
            return Ok(());
        }
        let local = self.local_address().ok();
        self.shared.network.tell(Event::Connected(Connected {
            socket: account.socket,
            local: local.filter(SocketAddress::is_somewhere).as_ref(),
            remote: &remote,
        }))
    }

    /// POSIX `shutdown`: of receiving, of sending, or of both.
    pub fn shutdown(&self, how: Shutdown) -> Result<(), Error> {
        self.shared.readiness.forget();
        if how != Shutdown::Read {
            // So it is also where the OS says that there is no peer.
            self.shared.inet.lock().sends_no_more = true;
        }
        self.shared.os.shutdown(how)?;
        if how != Shutdown::Write && self.is_listening() {
            self.stop_listening();
        }
        Ok(())
    }

    /// An internet listener that is shut down is new again, and whoever had
    /// arrived is reset. A unix one lets in who had arrived.
    fn stop_listening(&self) {
        if self.shared.family == Family::Unix {
            return;
        }
        self.shared.inet.lock().listening = None;
        if let Some(arrived) = self.take_arrived() {
            os::reset(&arrived.socket);
        }
    }

    /// POSIX `getsockname`.
    pub fn local_address(&self) -> Result<SocketAddress, Error> {
        self.shared.local_address()
    }

    /// POSIX `getpeername`.
    pub fn remote_address(&self) -> Result<SocketAddress, Error> {
        let address = rustix::net::getpeername(&self.shared.os)?;
        Ok(os::address(address)?)
    }

    /// `SO_ERROR`: the error that waits to be reported, which is thereby taken.
    pub fn take_error(&self) -> Result<Option<Error>, Error> {
        let error = self.shared.os.take_error()?.map(Error::from);
        if error.is_none() {
            self.note_connected()?;
        }
        Ok(error)
    }

    /// POSIX `dup`: another handle on the same socket.
    pub fn duplicate(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            timeout: self.timeout,
        }
    }

    /// What goes through the socket, for whoever does not keep it open by asking.
    pub fn traffic(&self) -> Traffic {
        Traffic::of(Arc::clone(&self.shared.account))
    }

    /// How long operations on this handle wait: none for ever, zero not at all.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Sets how long operations on this handle wait.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Waits until an operation of this interest would not block, or the socket
    /// has failed. Where it cannot be waited for, that is for the next
    /// operation to say.
    pub async fn ready(&self, interest: Ready) {
        self.waiting(interest).ready().await;
    }

    /// Whether the socket is ready without a word of the kernel: a connection was let in
    /// already, or the guest is at its end.
    pub(crate) fn is_ready(&self, interest: Ready) -> bool {
        let is_over = self.shared.network.audit_failure().is_some();
        is_over || interest.readable && self.has_arrived()
    }

    /// Takes back `readable` where all that has come is what the policy does not
    /// let in, and what has to wait for bandwidth: an operation would then wait.
    pub(crate) fn vet(&self, ready: Ready) -> Ready {
        let mut ready = self.hold(ready);
        if ready.readable && !ready.failed {
            ready.readable = match self.shared.kind {
                SocketType::Datagram => self.vet_datagram(),
                SocketType::Raw
                | SocketType::ReliableMessage
                | SocketType::Seqpacket
                | SocketType::Stream => !self.is_listening() || self.vet_arrival(),
            };
        }
        ready
    }

    /// Whether a connection that may come in is there. Those that may not are
    /// turned away.
    fn vet_arrival(&self) -> bool {
        // Who else looks at the same time waits, and finds it.
        let mut arrived = self.shared.arrived.lock();
        for _ in 0..CROWD {
            if arrived.is_some() {
                return true;
            }
            match self.next_arrival(Wait::Forever) {
                Ok(arrival) => match self.admit(arrival) {
                    Ok(Some(admitted)) => {
                        *arrived = Some(admitted);
                        self.shared.note_arrival();
                    }
                    Ok(None) => {}
                    // It is for `accept` to tell.
                    Err(_) => return true,
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        arrived.is_some()
    }

    /// Takes the next connection from the queue. To one that is shut down nobody
    /// comes.
    fn next_arrival(&self, wait: Wait) -> io::Result<os::Arrival> {
        let arrival = os::accept(&self.shared.os);
        match self.shared.family {
            // The kernel says so itself.
            Family::Inet | Family::Inet6 => arrival,
            Family::Unix => {
                let arrival = self.unless_ended(wait, arrival)?;
                arrival.ok_or(Errno::INVAL.into())
            }
        }
    }

    /// Whether a connection was let in that nobody has taken yet.
    pub(crate) fn has_arrived(&self) -> bool {
        self.shared.arrived.lock().is_some()
    }

    fn take_arrived(&self) -> Option<Admitted> {
        let mut arrived = self.shared.arrived.lock();
        let taken = arrived.take();
        if taken.is_some() {
            self.shared.forget_arrival();
        }
        taken
    }

    /// Lets a connection in, or turns it away.
    fn admit(&self, arrival: os::Arrival) -> Result<Option<Admitted>, Error> {
        let (socket, peer) = if self.shared.family == Family::Unix {
            let Some(permit) = self.admit_unix() else {
                return Ok(None);
            };
            self.record().allow(&permit)?;
            arrival.admit_unix(&permit)
        } else {
            let request = self.accept_request(arrival.peer()?)?;
            let admitted = match self.shared.network.policy().check(request) {
                Ok(permit) => self.record().allow(&permit).map(|()| Some(permit)),
                Err(denial) => self.turn_away(&denial).map(|()| None),
            };
            match admitted {
                Ok(Some(permit)) => arrival.admit(&permit),
                not_admitted => {
                    arrival.refuse();
                    return not_admitted.map(|_| None);
                }
            }
        };
        match self.make_room(&socket, &peer) {
            Ok(Some(room)) => Ok(Some(Admitted { socket, peer, room })),
            none => {
                os::reset(&socket);
                none.map(|_| None)
            }
        }
    }

    fn is_listening(&self) -> bool {
        match self.shared.family {
            _ if self.shared.kind == SocketType::Datagram => false,
            Family::Inet | Family::Inet6 => self.shared.inet.lock().listening.is_some(),
            Family::Unix => self.shared.unix.lock().listening.is_some(),
        }
    }

    pub(crate) fn receive_wait(&self, dont_wait: bool) -> Wait {
        let os_timeout = self.shared.settings.lock().receive_timeout;
        self.wait(
            dont_wait,
            os_timeout.map(|time| Wait::from_now(time, ErrorCode::WouldBlock)),
        )
    }

    pub(crate) fn send_wait(&self, dont_wait: bool) -> Wait {
        let os_timeout = self.shared.settings.lock().send_timeout;
        self.wait(
            dont_wait,
            os_timeout.map(|time| Wait::from_now(time, ErrorCode::WouldBlock)),
        )
    }

    pub(crate) fn wait(&self, dont_wait: bool, os_timeout: Option<Wait>) -> Wait {
        let handle = match self.timeout {
            _ if dont_wait => Wait::Never,
            None => Wait::Forever,
            Some(Duration::ZERO) => Wait::Never,
            Some(time) => Wait::from_now(time, ErrorCode::TimedOut),
        };
        handle.min(os_timeout.unwrap_or(Wait::Forever))
    }

    /// Calls `call` now, and again whenever the socket is ready, until it no
    /// longer asks to wait or the patience ends. Where the host ends the
    /// connection, that is the end of it.
    pub(crate) async fn perform<T>(
        &self,
        interest: Interest,
        wait: Wait,
        call: impl FnMut(&socket2::Socket) -> io::Result<T>,
    ) -> Result<T, Error> {
        self.shared.check_ended()?;
        let done = self.attempt(interest, wait, call, |_| false).await;
        self.shared.check_ended()?;
        done
    }

    /// The same to take bytes out of a TCP stream. `is_last` tells of what was
    /// taken whether it was all there was: then the next who may wait for ever does
    /// so without asking the kernel first.
    pub(crate) async fn drain<T>(
        &self,
        wait: Wait,
        call: impl FnMut(&socket2::Socket) -> io::Result<T>,
        is_last: impl Fn(&T) -> bool,
    ) -> Result<T, Error> {
        self.shared.check_ended()?;
        let done = match wait {
            Wait::Forever if self.shared.readiness.is_registered() => {
                self.retry(Interest::READABLE, wait, call, is_last).await
            }
            Wait::Forever | Wait::Never | Wait::Until(..) => {
                self.attempt(Interest::READABLE, wait, call, is_last).await
            }
        };
        self.shared.check_ended()?;
        done
    }

    async fn attempt<T>(
        &self,
        interest: Interest,
        wait: Wait,
        mut call: impl FnMut(&socket2::Socket) -> io::Result<T>,
        is_last: impl Fn(&T) -> bool,
    ) -> Result<T, Error> {
        self.shared.network.must_be_audited()?;
        // What succeeds again and again would never come to wait.
        take_turn().await;
        let readiness = &self.shared.readiness;
        match readiness.attempt(interest, &mut call, &is_last) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.retry(interest, wait, call, is_last).await
            }
            done => self.done(done.map_err(Error::from)),
        }
    }

    async fn retry<T>(
        &self,
        interest: Interest,
        wait: Wait,
        call: impl FnMut(&socket2::Socket) -> io::Result<T>,
        is_last: impl Fn(&T) -> bool,
    ) -> Result<T, Error> {
        self.shared.network.must_be_audited()?;
        let pause = || self.tell_wait(interest);
        let retried = (self.shared.readiness).retry(interest, call, is_last, pause);
        self.done(wait.bound(retried).await)
    }

    fn done<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        let done = self.tell_failure(done)?;
        self.note_connected()?;
        Ok(done)
    }

    /// Tells whoever looks for a fault what the guest waits for.
    pub(crate) fn tell_wait(&self, interest: Interest) {
        debug!(socket = self.shared.account.socket, ?interest, "waits");
    }

    /// Tells whoever looks for a fault what failed. That it would wait is no
    /// failure.
    pub(crate) fn tell_failure<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let socket = self.shared.account.socket;
        result.inspect_err(|error| {
            if error.code() != ErrorCode::WouldBlock {
                debug!(socket, code = ?error.code(), "failed");
            }
        })
    }

    /// Where the receiving side is shut down nothing comes any more: who would
    /// wait for it has the end instead. The kernel says so only where it waits
    /// itself.
    pub(crate) fn unless_ended<T>(
        &self,
        wait: Wait,
        received: io::Result<T>,
    ) -> io::Result<Option<T>> {
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let waits = !matches!(wait, Wait::Never);
                if waits && self.shared.readiness.has_ended()? {
                    return Ok(None);
                }
                Err(error)
            }
            received => received.map(Some),
        }
    }

    fn connection(
        &self,
        admitted: Admitted,
        network: Network,
    ) -> Result<(Self, SocketAddress), Error> {
        let Admitted { socket, peer, room } = admitted;
        let Shared {
            family,
            kind,
            settings,
            ..
        } = &*self.shared;
        let settings = settings.lock().inherited(*family, &socket);
        let usage = Usage::new(room.socket, room.memory);
        let connection = Self::new(socket, *family, *kind, network, settings, usage);
        let account = &connection.shared.account;
        let local = connection.local_address().ok();
        account.set_ends(Ends {
            local: local.clone(),
            remote: Some(peer.clone()),
        });
        connection.shared.network.tell(Event::Accepted(Accepted {
            socket: account.socket,
            listener: self.shared.account.socket,
            local: local.as_ref(),
            remote: &peer,
        }))?;
        connection.keep_connection(room.connection)?;
        Ok((connection, peer))
    }
}

impl Shared {
    /// What a socket takes of the host's memory, with what the reactor keeps of it.
    pub(crate) const FOOTPRINT: usize = size_of::<Self>() + 1536;

    fn local_address(&self) -> Result<SocketAddress, Error> {
        if let Some(name) = self.unix.lock().name() {
            return Ok(name);
        }
        let address = rustix::net::getsockname(&self.os)?;
        Ok(os::address(Some(address))?)
    }

    /// Tells how it ended. Where that cannot be recorded, the guest's next step
    /// fails, or whoever ran the guest asks for it.
    fn tell_closed(&self) {
        let account = &self.account;
        let Ends { local, remote } = account.ends();
        let local = local.or_else(|| self.local_address().ok());
        let _ = self.network.tell(Event::Closed(Closed {
            socket: account.socket,
            local: local.filter(SocketAddress::is_somewhere).as_ref(),
            remote: remote.as_ref(),
            bytes_sent: account.sent.bytes(),
            bytes_received: account.received.bytes(),
            datagrams_sent: account.sent.datagrams(),
            datagrams_received: account.received.datagrams(),
            duration: account.age(),
        }));
    }

    fn note_arrival(&self) {
        self.network.guest().note_arrival(self.os.as_raw_fd());
    }

    fn forget_arrival(&self) {
        self.network.guest().forget_arrival(self.os.as_raw_fd());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.arrived.get_mut().is_some() {
            self.forget_arrival();
        }
        self.account.set_over();
        self.tell_closed();
    }
}
