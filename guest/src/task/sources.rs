//! Which task waits for which direction of which socket, and what the poller has
//! to be told of it. It calls no host.

use std::io;
use std::task::Waker;

use slab::Slab;

/// Where a socket stands among the sources.
pub(super) type Key = usize;

/// One direction of a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    /// Receiving and accepting.
    Read,
    /// Sending and connecting.
    Write,
}

/// The directions that are waited for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Interest {
    pub(super) read: bool,
    pub(super) write: bool,
}

impl Interest {
    fn with(mut self, direction: Direction) -> Self {
        match direction {
            Direction::Read => self.read = true,
            Direction::Write => self.write = true,
        }
        self
    }

    fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// What the poller has to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    Add(Interest),
    Modify(Interest),
    Remove,
}

/// Who waits: one future, or whoever polled last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waiter {
    /// A caller of `poll_read` and the like, which has no place to keep a number.
    Poll,
    Future(u64),
}

/// The sockets that tasks may wait for.
///
/// A direction is in the poller only while somebody waits for it: what is ready
/// and not waited for would end every wait of the poller at once. That is true of
/// hanging up too, which the poller tells unasked, so a socket that nobody waits
/// for leaves it. Both happen in [`settle`](Self::settle), right before the next
/// wait, since a task that was woken mostly waits for the same again.
pub(super) struct Sources<S> {
    slots: Slab<Source<S>>,
    /// Those of which the poller may know too much.
    unsettled: Vec<Key>,
    /// How many the poller knows.
    registered: usize,
    count: u64,
}

struct Source<S> {
    socket: S,
    readers: Vec<(Waiter, Waker)>,
    writers: Vec<(Waiter, Waker)>,
    /// What the poller knows, if it knows the socket.
    registered: Option<Interest>,
}

impl<S> Default for Sources<S> {
    fn default() -> Self {
        Self {
            slots: Slab::new(),
            unsettled: Vec::new(),
            registered: 0,
            count: 0,
        }
    }
}

impl<S> Sources<S> {
    pub(super) fn insert(&mut self, socket: S) -> Key {
        self.slots.insert(Source {
            socket,
            readers: Vec::new(),
            writers: Vec::new(),
            registered: None,
        })
    }

    /// Takes a socket out, with whoever waits for it; `forget` removes it from the
    /// poller.
    pub(super) fn remove(
        &mut self,
        key: Key,
        forget: impl FnOnce(&S, Change),
    ) -> Option<(S, Vec<Waker>)> {
        let source = self.slots.try_remove(key)?;
        if source.registered.is_some() {
            self.registered -= 1;
            forget(&source.socket, Change::Remove);
        }
        let waiting = source.readers.into_iter().chain(source.writers);
        Some((source.socket, waiting.map(|(_, waker)| waker).collect()))
    }

    /// Whether the poller knows any socket.
    pub(super) fn any_registered(&self) -> bool {
        self.registered > 0
    }

    /// A number for a future that is about to wait.
    pub(super) fn number(&mut self) -> Waiter {
        self.count = self.count.wrapping_add(1);
        Waiter::Future(self.count)
    }

    /// Lets `waker` be woken when the direction is ready. `tell` tells the poller
    /// where it has to know. Returns a waker that this one replaces.
    ///
    /// # Errors
    ///
    /// Those of `tell`; nobody waits then.
    pub(super) fn wait(
        &mut self,
        key: Key,
        direction: Direction,
        waiter: Waiter,
        waker: &Waker,
        tell: impl FnOnce(&S, Change) -> io::Result<()>,
    ) -> io::Result<Option<Waker>> {
        let source = self.slots.get_mut(key).ok_or_else(unknown)?;
        let wanted = source.registered.unwrap_or_default().with(direction);
        match source.registered {
            Some(registered) if registered == wanted => {}
            Some(_) => tell(&source.socket, Change::Modify(wanted))?,
            None => {
                tell(&source.socket, Change::Add(wanted))?;
                self.registered += 1;
            }
        }
        source.registered = Some(wanted);
        let waiting = source.waiting(direction);
        match waiting.iter_mut().find(|(other, _)| *other == waiter) {
            Some((_, same)) if same.will_wake(waker) => Ok(None),
            Some((_, other)) => Ok(Some(std::mem::replace(other, waker.clone()))),
            None => {
                waiting.push((waiter, waker.clone()));
                Ok(None)
            }
        }
    }

    /// Whether this one has not been woken yet.
    pub(super) fn waits(&mut self, key: Key, direction: Direction, waiter: Waiter) -> bool {
        self.slots.get_mut(key).is_some_and(|source| {
            let waiting = source.waiting(direction);
            waiting.iter().any(|(other, _)| *other == waiter)
        })
    }

    /// Lets this one wait no more.
    pub(super) fn stop(&mut self, key: Key, direction: Direction, waiter: Waiter) -> Option<Waker> {
        let waiting = self.slots.get_mut(key)?.waiting(direction);
        let place = waiting.iter().position(|(other, _)| *other == waiter)?;
        let (_, waker) = waiting.swap_remove(place);
        self.unsettled.push(key);
        Some(waker)
    }

    /// Takes those who waited for what is ready.
    pub(super) fn ready(&mut self, key: Key, ready: Interest, woken: &mut Vec<Waker>) {
        let Some(source) = self.slots.get_mut(key) else {
            return;
        };
        if ready.read {
            woken.extend(source.readers.drain(..).map(|(_, waker)| waker));
        }
        if ready.write {
            woken.extend(source.writers.drain(..).map(|(_, waker)| waker));
        }
        self.unsettled.push(key);
    }

    /// Tells the poller of the directions that nobody waits for any more.
    ///
    /// # Errors
    ///
    /// Those of `tell`; the rest is settled all the same.
    pub(super) fn settle(
        &mut self,
        mut tell: impl FnMut(&S, Key, Change) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut outcome = Ok(());
        for key in self.unsettled.drain(..) {
            let Some(source) = self.slots.get_mut(key) else {
                continue;
            };
            let wanted = Interest {
                read: !source.readers.is_empty(),
                write: !source.writers.is_empty(),
            };
            let told = match source.registered {
                None => continue,
                Some(registered) if registered == wanted => continue,
                Some(_) if wanted.is_none() => {
                    source.registered = None;
                    self.registered -= 1;
                    tell(&source.socket, key, Change::Remove)
                }
                Some(_) => {
                    source.registered = Some(wanted);
                    tell(&source.socket, key, Change::Modify(wanted))
                }
            };
            outcome = outcome.and(told);
        }
        outcome
    }
}

impl<S> Source<S> {
    fn waiting(&mut self, direction: Direction) -> &mut Vec<(Waiter, Waker)> {
        match direction {
            Direction::Read => &mut self.readers,
            Direction::Write => &mut self.writers,
        }
    }
}

fn unknown() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "the socket belongs to another thread",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    const READ: Interest = Interest {
        read: true,
        write: false,
    };
    const WRITE: Interest = Interest {
        read: false,
        write: true,
    };
    const BOTH: Interest = Interest {
        read: true,
        write: true,
    };

    /// Sources with one socket, and all that the poller was told.
    #[derive(Default)]
    struct Fixture {
        sources: Sources<()>,
        told: Vec<Change>,
    }

    impl Fixture {
        fn new() -> (Self, Key) {
            let mut fixture = Self::default();
            let key = fixture.sources.insert(());
            (fixture, key)
        }

        fn wait(&mut self, key: Key, direction: Direction) -> (Waiter, Arc<Count>) {
            let waiter = self.sources.number();
            let count = Arc::<Count>::default();
            let waker = Waker::from(Arc::clone(&count));
            let told = &mut self.told;
            let replaced = self
                .sources
                .wait(key, direction, waiter, &waker, |(), change| {
                    told.push(change);
                    Ok(())
                });
            assert!(replaced.unwrap().is_none());
            (waiter, count)
        }

        fn ready(&mut self, key: Key, ready: Interest) {
            let mut woken = Vec::new();
            self.sources.ready(key, ready, &mut woken);
            woken.into_iter().for_each(Waker::wake);
        }

        /// What the poller was told since the last time.
        fn settled(&mut self) -> Vec<Change> {
            let told = &mut self.told;
            let settled = self.sources.settle(|(), _, change| {
                told.push(change);
                Ok(())
            });
            settled.unwrap();
            std::mem::take(told)
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_socket_that_nobody_waits_for_is_not_in_the_poller() {
        let (mut fixture, key) = Fixture::new();
        assert!(!fixture.sources.any_registered());
        fixture.wait(key, Direction::Read);
        assert_eq!(fixture.settled(), [Change::Add(READ)]);
        assert!(fixture.sources.any_registered());
        fixture.ready(key, READ);
        assert_eq!(fixture.settled(), [Change::Remove]);
        assert!(!fixture.sources.any_registered());
    }

    #[test]
    fn waiting_for_the_same_again_tells_the_poller_nothing() {
        let (mut fixture, key) = Fixture::new();
        fixture.wait(key, Direction::Read);
        fixture.settled();
        fixture.ready(key, READ);
        fixture.wait(key, Direction::Read);
        assert_eq!(fixture.settled(), []);
    }

    #[test]
    fn two_tasks_wait_for_two_directions_of_one_socket() {
        let (mut fixture, key) = Fixture::new();
        let (reading, reader) = fixture.wait(key, Direction::Read);
        let (writing, writer) = fixture.wait(key, Direction::Write);
        assert_eq!(fixture.settled(), [Change::Add(READ), Change::Modify(BOTH)]);
        fixture.ready(key, WRITE);
        assert_eq!((reader.get(), writer.get()), (0, 1));
        assert!(fixture.sources.waits(key, Direction::Read, reading));
        assert!(!fixture.sources.waits(key, Direction::Write, writing));
        assert_eq!(fixture.settled(), [Change::Modify(READ)]);
        fixture.ready(key, READ);
        assert_eq!((reader.get(), writer.get()), (1, 1));
        assert_eq!(fixture.settled(), [Change::Remove]);
    }

    #[test]
    fn all_who_wait_for_one_direction_are_woken() {
        let (mut fixture, key) = Fixture::new();
        let (_, first) = fixture.wait(key, Direction::Read);
        let (_, second) = fixture.wait(key, Direction::Read);
        assert_eq!(fixture.settled(), [Change::Add(READ)]);
        fixture.ready(key, READ);
        assert_eq!((first.get(), second.get()), (1, 1));
    }

    #[test]
    fn one_who_stops_is_not_woken_and_the_others_are() {
        let (mut fixture, key) = Fixture::new();
        let (stopping, stopped) = fixture.wait(key, Direction::Read);
        let (_, other) = fixture.wait(key, Direction::Read);
        fixture.settled();
        assert!(
            fixture
                .sources
                .stop(key, Direction::Read, stopping)
                .is_some()
        );
        assert_eq!(fixture.settled(), [], "the other one still waits");
        fixture.ready(key, READ);
        assert_eq!((stopped.get(), other.get()), (0, 1));
    }

    #[test]
    fn when_the_last_one_stops_the_socket_leaves_the_poller() {
        let (mut fixture, key) = Fixture::new();
        let (waiter, _) = fixture.wait(key, Direction::Write);
        fixture.settled();
        fixture.sources.stop(key, Direction::Write, waiter);
        assert_eq!(fixture.settled(), [Change::Remove]);
    }

    #[test]
    fn the_one_who_polled_last_replaces_the_one_before() {
        let (mut fixture, key) = Fixture::new();
        let wakers = [0, 1].map(|_| Waker::from(Arc::<Count>::default()));
        let mut wait = |waker| {
            let sources = &mut fixture.sources;
            sources
                .wait(key, Direction::Read, Waiter::Poll, waker, |(), _| Ok(()))
                .unwrap()
        };
        assert!(wait(&wakers[0]).is_none());
        assert!(wait(&wakers[0]).is_none());
        assert!(wait(&wakers[1]).unwrap().will_wake(&wakers[0]));
    }

    #[test]
    fn who_could_not_be_told_to_the_poller_does_not_wait() {
        let (mut fixture, key) = Fixture::new();
        let waiter = fixture.sources.number();
        let full = |&(): &(), _| Err(io::ErrorKind::StorageFull.into());
        let outcome = fixture
            .sources
            .wait(key, Direction::Read, waiter, Waker::noop(), full);
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(!fixture.sources.waits(key, Direction::Read, waiter));
        assert!(!fixture.sources.any_registered());
    }

    #[test]
    fn a_socket_that_goes_takes_its_place_in_the_poller_along() {
        let (mut fixture, key) = Fixture::new();
        fixture.wait(key, Direction::Read);
        fixture.ready(key, READ);
        let mut told = Vec::new();
        let (_, waiting) = fixture
            .sources
            .remove(key, |(), change| told.push(change))
            .unwrap();
        assert!(waiting.is_empty());
        assert_eq!(told, [Change::Remove]);
        fixture.told.clear();
        assert_eq!(fixture.settled(), []);
        assert!(!fixture.sources.any_registered());
    }
}
