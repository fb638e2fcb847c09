//! Waiting for many sockets at once.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::from_host;
use crate::raw::poll;
use crate::raw::socket::Readiness;
use crate::raw::wasi_poll::Pollable;
use crate::socket::{Socket, nanoseconds};

/// A set of sockets to wait for, in the manner of the `polling` crate: Linux
/// `epoll`.
///
/// It is level-triggered: a socket is told of by every [`wait`](Self::wait) for as
/// long as it is ready for what it was added for. A socket leaves the set when it
/// is closed.
///
/// ```no_run
/// use portcullis_guest::{Event, Events, Poller, TcpListener};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:12345")?;
/// let poller = Poller::new()?;
/// poller.add(&listener, Event::readable(7))?;
/// let mut events = Events::new();
/// loop {
///     poller.wait(&mut events, None)?;
///     for event in &events {
///         assert_eq!(event.key, 7);
///         let (connection, peer) = listener.accept()?;
///         println!("Got connection from {peer}");
///     }
/// }
/// # }
/// ```
///
/// The set as a whole can be waited for next to standard input, or whatever else
/// in WASI can be:
///
/// ```no_run
/// use portcullis_guest::Poller;
/// use portcullis_guest::raw::wasi_poll::poll;
/// use wasip2::cli::stdin::get_stdin;
///
/// # fn main() -> std::io::Result<()> {
/// let poller = Poller::new()?;
/// let input = get_stdin();
/// let (typed, sockets) = (input.subscribe(), poller.subscribe());
/// for ready in poll(&[&typed, &sockets]) {
///     match ready {
///         0 => println!("typed {:?}", input.read(1024)),
///         _ => println!("now `wait` will not wait"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Poller(poll::Poller);

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// As the contract says for `open`.
    pub fn new() -> io::Result<Self> {
        poll::Poller::open().map(Self).map_err(from_host)
    }

    /// Adds a socket: what to wait for, and the key to tell it by.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` for a socket that is in the set, by whichever of its
    /// handles; as the contract says for `add`.
    pub fn add(&self, socket: &impl AsRef<Socket>, interest: Event) -> io::Result<()> {
        self.0
            .add(socket.as_ref().as_raw(), interest.key, interest.interest())
            .map_err(from_host)
    }

    /// Changes what a socket is waited for, and its key.
    ///
    /// # Errors
    ///
    /// `NotFound` for a socket that is not in the set.
    pub fn modify(&self, socket: &impl AsRef<Socket>, interest: Event) -> io::Result<()> {
        self.0
            .modify(socket.as_ref().as_raw(), interest.key, interest.interest())
            .map_err(from_host)
    }

    /// Removes a socket.
    ///
    /// # Errors
    ///
    /// `NotFound` for a socket that is not in the set.
    pub fn delete(&self, socket: &impl AsRef<Socket>) -> io::Result<()> {
        self.0.remove(socket.as_ref().as_raw()).map_err(from_host)
    }

    /// Waits until a socket is ready, writes those that are into `events` in place
    /// of what is there, and says how many they are. None when the timeout ends;
    /// without one it does not end.
    ///
    /// # Errors
    ///
    /// As the contract says for `wait`.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<usize> {
        events.list.clear();
        let maximum = events.capacity.get();
        let ready = self.0.wait(timeout.map(nanoseconds), maximum);
        let ready = ready.map_err(from_host)?;
        events.list.extend(ready.into_iter().map(Event::from));
        Ok(events.list.len())
    }

    /// Something to wait for with `wasi:io/poll`: it is ready when one of the
    /// sockets is.
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe()
    }
}

/// What to wait for with a socket, and what came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// What the socket is told by.
    pub key: u64,
    /// A receive or an accept would not block.
    pub readable: bool,
    /// A send would not block, or a connect has ended.
    pub writable: bool,
    /// Urgent data is there.
    pub urgent: bool,
    /// The socket has failed; `take_error` says how. Told unasked.
    pub failed: bool,
    /// Neither direction is open. Told unasked.
    pub hung_up: bool,
}

impl Event {
    /// Receiving.
    pub fn readable(key: u64) -> Self {
        Self {
            readable: true,
            ..Self::none(key)
        }
    }

    /// Sending.
    pub fn writable(key: u64) -> Self {
        Self {
            writable: true,
            ..Self::none(key)
        }
    }

    /// Receiving and sending.
    pub fn all(key: u64) -> Self {
        Self {
            readable: true,
            writable: true,
            ..Self::none(key)
        }
    }

    /// Nothing but what is told unasked.
    pub fn none(key: u64) -> Self {
        Self {
            key,
            readable: false,
            writable: false,
            urgent: false,
            failed: false,
            hung_up: false,
        }
    }

    fn interest(self) -> Readiness {
        let asked = [
            (self.readable, Readiness::READABLE),
            (self.writable, Readiness::WRITABLE),
            (self.urgent, Readiness::URGENT),
        ];
        let asked = asked.into_iter().filter(|(asked, _)| *asked);
        asked.fold(Readiness::empty(), |all, (_, one)| all | one)
    }
}

impl From<poll::Event> for Event {
    fn from(event: poll::Event) -> Self {
        let told = |flag| event.readiness.contains(flag);
        Self {
            key: event.token,
            readable: told(Readiness::READABLE),
            writable: told(Readiness::WRITABLE),
            urgent: told(Readiness::URGENT),
            failed: told(Readiness::FAILED),
            hung_up: told(Readiness::HUNG_UP),
        }
    }
}

/// The sockets that were ready at the last [`Poller::wait`].
#[derive(Debug)]
pub struct Events {
    list: Vec<Event>,
    capacity: NonZeroU32,
}

impl Events {
    /// Room for 1024 of them. Where more are ready, the others have their turn
    /// with the next `wait`.
    pub fn new() -> Self {
        const USUAL: NonZeroU32 = NonZeroU32::new(1024).expect("it is not zero");
        Self::with_capacity(USUAL)
    }

    /// Room for as many.
    pub fn with_capacity(capacity: NonZeroU32) -> Self {
        Self {
            list: Vec::new(),
            capacity,
        }
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Event> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_the_contract_calls_it() {
        assert_eq!(Event::readable(1).interest(), Readiness::READABLE);
        assert_eq!(Event::writable(1).interest(), Readiness::WRITABLE);
        let both = Readiness::READABLE | Readiness::WRITABLE;
        assert_eq!(Event::all(1).interest(), both);
        assert_eq!(Event::none(1).interest(), Readiness::empty());
    }

    #[test]
    fn what_came_of_it_is_told_with_its_key() {
        let event = Event::from(poll::Event {
            token: u64::MAX,
            readiness: Readiness::WRITABLE | Readiness::HUNG_UP,
        });
        let expected = Event {
            hung_up: true,
            ..Event::writable(u64::MAX)
        };
        assert_eq!(event, expected);
    }
}
