//! Waiting for many sockets at once: Linux `epoll`, level-triggered.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::error::{Error, ErrorCode};
use crate::guest::Guest;
use crate::life::Life;
use crate::limits::{Charge, Counted, descriptors, entry};
use crate::network::Network;
use crate::readiness::Readiness;
use crate::ready::Ready;
use crate::socket::{Shared, Socket};
use crate::wait::{Wait, take_turn};

/// How many events one wait tells at the most; the others have their turn.
const EVENTS: usize = 4096;

/// A set of sockets to wait for, which does not keep them open.
///
/// Clones are the same set.
#[derive(Clone, Debug)]
pub struct Poller(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    epoll: Arc<OwnedFd>,
    /// Held apart by those who wait and must not keep the set.
    pub(crate) readiness: Arc<Readiness<OwnedFd>>,
    pub(crate) life: Life,
    pub(crate) guest: Arc<Guest>,
    _counted: Option<Counted>,
    /// Counts the looks at what is ready, so that arrivals and what the kernel tells
    /// come first by turns.
    turn: AtomicUsize,
    /// By descriptor, as the kernel has it. One that was closed stays until its
    /// number is added again; the kernel tells no events of it.
    watched: Mutex<Watches>,
    _memory: Charge,
}

/// What is watched, and the memory that it takes.
#[derive(Debug)]
struct Watches {
    by_descriptor: HashMap<RawFd, Watched>,
    memory: Charge,
}

#[derive(Debug)]
struct Watched {
    socket: Weak<Shared>,
    token: u64,
    interest: Ready,
}

/// A socket that is ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PollEvent {
    /// What the socket was added with.
    pub token: u64,
    /// For what it is ready.
    pub ready: Ready,
}

/// A socket, and what the kernel says of it.
type Told = (Weak<Shared>, PollEvent);

/// What is ready.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) events: Vec<PollEvent>,
    /// For how long nobody need look again at what waits for bandwidth, though the
    /// kernel says that it is ready.
    pub(crate) pause: Option<Duration>,
}

impl Poller {
    /// An empty set, for sockets of the guest that has `network`.
    ///
    /// # Errors
    ///
    /// See `open` in `wit/poll.wit`, as for every operation here.
    pub fn new(network: &Network) -> Result<Self, Error> {
        let counted = network.budget().poller();
        let counted = counted.map_err(|limit| network.record(None).exceeded(limit))?;
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        descriptors::check(&*epoll).map_err(|limit| network.record(None).exceeded(limit))?;
        let memory = network.memory();
        let own = memory.take(Inner::FOOTPRINT);
        let own = own.map_err(|limit| network.record(None).exceeded(limit))?;
        Ok(Self(Arc::new(Inner {
            readiness: Arc::new(Readiness::new(Arc::clone(&epoll))),
            life: Life::default(),
            epoll,
            guest: Arc::clone(network.guest()),
            _counted: counted,
            turn: AtomicUsize::default(),
            watched: Mutex::new(Watches {
                by_descriptor: HashMap::new(),
                memory: memory.charge(),
            }),
            _memory: own,
        })))
    }

    /// Adds a socket, to be told of as `token`.
    pub fn add(&self, socket: &Socket, token: u64, interest: Ready) -> Result<(), Error> {
        self.watch(socket, token, interest, |poller, socket, data, flags| {
            epoll::add(poller, socket, data, flags)
        })
    }

    /// Changes what a socket is waited for and told of as.
    pub fn modify(&self, socket: &Socket, token: u64, interest: Ready) -> Result<(), Error> {
        self.watch(socket, token, interest, |poller, socket, data, flags| {
            epoll::modify(poller, socket, data, flags)
        })
    }

    fn watch(
        &self,
        socket: &Socket,
        token: u64,
        interest: Ready,
        control: impl FnOnce(
            &OwnedFd,
            &socket2::Socket,
            epoll::EventData,
            epoll::EventFlags,
        ) -> rustix::io::Result<()>,
    ) -> Result<(), Error> {
        let (Inner { epoll, watched, .. }, os) = (&*self.0, &socket.shared.os);
        let mut watched = watched.lock();
        if !watched.has_room_for(descriptor(socket)) {
            let limit = self.0.guest.memory.exceeded();
            return Err(socket.shared.network.record(None).exceeded(limit));
        }
        control(epoll, os, data(socket), interest.epoll_flags())?;
        watched.by_descriptor.insert(
            descriptor(socket),
            Watched {
                socket: Arc::downgrade(&socket.shared),
                token,
                interest,
            },
        );
        Ok(())
    }

    /// Removes a socket.
    pub fn remove(&self, socket: &Socket) -> Result<(), Error> {
        let mut watched = self.0.watched.lock();
        epoll::delete(&*self.0.epoll, &*socket.shared.os)?;
        watched.by_descriptor.remove(&descriptor(socket));
        Ok(())
    }

    /// Waits until a socket is ready, for at most `timeout`, and tells up to
    /// `maximum` of those that are.
    pub async fn wait(
        &self,
        timeout: Option<Duration>,
        maximum: usize,
    ) -> Result<Vec<PollEvent>, Error> {
        if maximum == 0 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let wait = match timeout {
            None => Wait::Forever,
            Some(Duration::ZERO) => Wait::Never,
            Some(time) => Wait::from_now(time, ErrorCode::TimedOut),
        };
        loop {
            if let Some(failure) = self.0.guest.audit_failure() {
                return Err(failure.clone().into());
            }
            let Found { events, pause } = self.look(maximum).await?;
            // Those who may not come in can come faster than they are sent off.
            if !events.is_empty() || wait.go_on(u32::MAX).is_err() {
                return Ok(events);
            }
            match wait.bound(more(&self.0.readiness, pause)).await {
                Ok(()) => {}
                Err(error) if is_end(&error) => return Ok(events),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until a socket is ready. Where that cannot be waited for, it is for
    /// `wait` to say.
    pub async fn ready(&self) {
        self.waiting().ready().await;
    }

    /// Whether the guest is at its end, so that no wait is worth while.
    pub(crate) fn is_over(&self) -> bool {
        self.0.guest.audit_failure().is_some()
    }

    /// What is ready now. Listeners with a connection that is let in already, and
    /// what the kernel tells of, come first by turns, so that neither keep the
    /// others from being told; nor does one listener.
    pub(crate) async fn look(&self, maximum: usize) -> Result<Found, Error> {
        take_turn().await;
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed);
        let arrivals = self.0.guest.arrivals();
        let mut found = Found::default();
        if !turn.is_multiple_of(2) {
            self.add_told(&mut found, maximum, &arrivals).await?;
        }
        let first = (turn / 2).checked_rem(arrivals.len()).unwrap_or_default();
        let (later, sooner) = arrivals.split_at(first);
        self.add_arrived(&mut found, maximum, sooner.iter().chain(later));
        if turn.is_multiple_of(2) {
            self.add_told(&mut found, maximum, &arrivals).await?;
        }
        Ok(found)
    }

    fn add_arrived<'a>(
        &self,
        found: &mut Found,
        maximum: usize,
        arrivals: impl Iterator<Item = &'a RawFd>,
    ) {
        let watched = self.0.watched.lock();
        let arrived = arrivals.filter_map(|number| watched.by_descriptor.get(number));
        let arrived = arrived.filter(|watched| watched.has_arrival());
        let events = arrived.map(|watched| PollEvent {
            token: watched.token,
            ready: Ready::READABLE,
        });
        found
            .events
            .extend(events.take(maximum - found.events.len()));
    }

    /// Adds what the kernel tells of, as far as it holds.
    async fn add_told(
        &self,
        found: &mut Found,
        maximum: usize,
        arrivals: &[RawFd],
    ) -> Result<(), Error> {
        for (socket, event) in self.told(maximum - found.events.len(), arrivals)? {
            let Some(socket) = socket.upgrade().map(Socket::on) else {
                continue;
            };
            let ready = socket.vet(event.ready);
            if !ready.is_nothing() {
                found.events.push(PollEvent { ready, ..event });
                continue;
            }
            let pauses = found.pause.into_iter().chain(socket.pause(event.ready));
            found.pause = pauses.min();
            drop(socket);
            // A crowd at each of many sockets must not keep the thread from others.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// What the kernel says is ready, but for those who are known to have an
    /// arrival.
    fn told(&self, maximum: usize, arrivals: &[RawFd]) -> Result<Vec<Told>, Error> {
        if maximum == 0 {
            return Ok(Vec::new());
        }
        let watched = self.0.watched.lock();
        let mut told: Vec<epoll::Event> = Vec::with_capacity(maximum.min(EVENTS));
        let now = Timespec::default();
        epoll::wait(&*self.0.epoll, spare_capacity(&mut told), Some(&now))?;
        let told = told.into_iter().filter_map(|event| {
            let (flags, data) = (event.flags, event.data.u64());
            let number = RawFd::try_from(data).ok()?;
            let watched = watched.by_descriptor.get(&number)?;
            if arrivals.binary_search(&number).is_ok() && watched.has_arrival() {
                return None;
            }
            let (token, ready) = (watched.token, Ready::from(flags));
            Some((watched.socket.clone(), PollEvent { token, ready }))
        });
        Ok(told.collect())
    }
}

impl Inner {
    /// What a poller takes, with what the reactor and the kernel keep of it.
    const FOOTPRINT: usize = size_of::<Self>() + 1024;
}

impl Watches {
    /// What one takes that is watched. Once it is closed there is as much left of it, until
    /// it is forgotten.
    const FOOTPRINT: usize = entry::<RawFd, Watched>() + size_of::<Shared>() + 256;

    /// Takes the memory for what is to be watched. Where there is none, what was closed
    /// is forgotten.
    fn has_room_for(&mut self, number: RawFd) -> bool {
        self.by_descriptor.contains_key(&number) || self.makes_room() || {
            (self.by_descriptor).retain(|_, watched| watched.socket.strong_count() > 0);
            self.makes_room()
        }
    }

    fn makes_room(&mut self) -> bool {
        let count = self.by_descriptor.len() + 1;
        self.memory.resize(count * Self::FOOTPRINT)
    }
}

impl Watched {
    /// Whether it is a listener with a connection that is let in already, which
    /// the kernel tells nobody of any more.
    fn has_arrival(&self) -> bool {
        self.interest.readable && self.socket().is_some_and(|socket| socket.has_arrived())
    }

    /// The socket, where it is still open.
    fn socket(&self) -> Option<Socket> {
        self.socket.upgrade().map(Socket::on)
    }
}

/// Waits until there may be more.
pub(crate) async fn more(
    readiness: &Readiness<OwnedFd>,
    pause: Option<Duration>,
) -> io::Result<()> {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => {
            readiness.wait(Ready::READABLE).await?;
        }
    }
    Ok(())
}

fn is_end(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::TimedOut | ErrorCode::WouldBlock)
}

fn descriptor(socket: &Socket) -> RawFd {
    socket.shared.os.as_raw_fd()
}

fn data(socket: &Socket) -> epoll::EventData {
    // Descriptors are never negative.
    epoll::EventData::new_u64(u64::from(descriptor(socket).unsigned_abs()))
}
