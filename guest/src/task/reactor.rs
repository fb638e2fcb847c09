//! What tasks wait for: sockets, timers and inputs, and the one place where the
//! program waits for them.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use slab::Slab;
use wasip2::clocks::monotonic_clock;

use super::sources::{Change, Direction, Interest, Key, Sources, Waiter};
use super::timers::{TimerId, Timers};
use crate::poller::{Event, Events, Poller};
use crate::raw::wasi_poll::{self, Pollable};
use crate::socket::{Socket, nanoseconds};

thread_local! {
    static REACTOR: Reactor = Reactor::default();
}

/// Whether to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    /// A task can go on.
    None,
    UntilSomethingHappens,
}

/// Nothing is borrowed while wakers are woken or dropped, since either may run
/// what comes back here.
#[derive(Default)]
pub(super) struct Reactor {
    /// There once a socket was waited for.
    poller: OnceCell<Poller>,
    /// There once a socket was waited for together with an input.
    poller_ready: OnceCell<Pollable>,
    sources: RefCell<Sources<Rc<dyn AsRef<Socket>>>>,
    timers: RefCell<Timers>,
    inputs: RefCell<Slab<(Rc<Pollable>, Waker)>>,
    events: RefCell<Events>,
}

impl Reactor {
    /// The one of this thread.
    pub(super) fn with<T>(act: impl FnOnce(&Self) -> T) -> T {
        REACTOR.with(act)
    }

    /// The same for what is dropped, perhaps after the thread's reactor was.
    pub(super) fn try_with(act: impl FnOnce(&Self)) {
        let _ = REACTOR.try_with(act);
    }

    pub(super) fn insert(&self, socket: Rc<dyn AsRef<Socket>>) -> Key {
        self.sources.borrow_mut().insert(socket)
    }

    pub(super) fn remove(&self, key: Key) {
        let removed = self.sources.borrow_mut().remove(key, |socket, change| {
            // It leaves with its last handle anyway.
            let _ = self.tell(socket, key, change);
        });
        drop(removed);
    }

    pub(super) fn number(&self) -> Waiter {
        self.sources.borrow_mut().number()
    }

    /// # Errors
    ///
    /// Those of the poller.
    pub(super) fn wait(
        &self,
        key: Key,
        direction: Direction,
        waiter: Waiter,
        waker: &Waker,
    ) -> io::Result<()> {
        let replaced =
            self.sources
                .borrow_mut()
                .wait(key, direction, waiter, waker, |socket, change| {
                    self.tell(socket, key, change)
                })?;
        match (waiter, replaced) {
            // It may belong to another task, which has to look for itself.
            (Waiter::Poll, Some(waker)) => waker.wake(),
            (Waiter::Poll | Waiter::Future(_), _) => {}
        }
        Ok(())
    }

    pub(super) fn waits(&self, key: Key, direction: Direction, waiter: Waiter) -> bool {
        self.sources.borrow_mut().waits(key, direction, waiter)
    }

    pub(super) fn stop(&self, key: Key, direction: Direction, waiter: Waiter) {
        let stopped = self.sources.borrow_mut().stop(key, direction, waiter);
        drop(stopped);
    }

    pub(super) fn start_timer(&self, deadline: Instant, waker: &Waker) -> TimerId {
        self.timers.borrow_mut().start(deadline, waker.clone())
    }

    pub(super) fn rewake_timer(&self, timer: TimerId, waker: &Waker) {
        let replaced = self.timers.borrow_mut().rewake(timer, waker);
        drop(replaced);
    }

    pub(super) fn stop_timer(&self, timer: TimerId) {
        let stopped = self.timers.borrow_mut().stop(timer);
        drop(stopped);
    }

    pub(super) fn start_input(&self, pollable: Rc<Pollable>, waker: &Waker) -> usize {
        self.inputs.borrow_mut().insert((pollable, waker.clone()))
    }

    /// Changes who is woken; whether the input has not been ready yet.
    pub(super) fn rewake_input(
        &self,
        input: usize,
        pollable: &Rc<Pollable>,
        waker: &Waker,
    ) -> bool {
        let replaced = match self.inputs.borrow_mut().get_mut(input) {
            Some((same, waiting)) if Rc::ptr_eq(same, pollable) => {
                std::mem::replace(waiting, waker.clone())
            }
            Some(_) | None => return false,
        };
        drop(replaced);
        true
    }

    pub(super) fn stop_input(&self, input: usize, pollable: &Rc<Pollable>) {
        let mut inputs = self.inputs.borrow_mut();
        let stopped = match inputs.get(input) {
            Some((same, _)) if Rc::ptr_eq(same, pollable) => inputs.try_remove(input),
            Some(_) | None => None,
        };
        drop(inputs);
        drop(stopped);
    }

    /// Wakes whoever waits for what has come, and waits for something to come if
    /// it may.
    ///
    /// # Panics
    ///
    /// When nothing can come, or the host cannot wait.
    pub(super) fn turn(&self, patience: Patience) {
        let woken = self.wake_timers();
        let limit = match patience {
            Patience::UntilSomethingHappens if !woken => {
                let first = self.timers.borrow().first();
                first.map(|deadline| deadline.saturating_duration_since(Instant::now()))
            }
            Patience::None | Patience::UntilSomethingHappens => Some(Duration::ZERO),
        };
        if let Err(error) = self.look(limit) {
            fail(&format!("waiting for sockets failed: {error}"));
        }
        self.wake_timers();
    }

    /// Looks at sockets and inputs until one is ready, or the time ends.
    fn look(&self, limit: Option<Duration>) -> io::Result<()> {
        let mut sources = self.sources.borrow_mut();
        sources.settle(|socket, key, change| self.tell(socket, key, change))?;
        let sockets = sources.any_registered();
        drop(sources);
        let inputs = !self.inputs.borrow().is_empty();
        match (sockets, inputs) {
            (true, false) => self.look_at_sockets(limit),
            (true, true) => {
                if self.look_at_inputs(limit, Some(self.poller_ready()?)) {
                    self.look_at_sockets(Some(Duration::ZERO))?;
                }
                Ok(())
            }
            (false, true) => {
                self.look_at_inputs(limit, None);
                Ok(())
            }
            (false, false) => {
                let Some(limit) = limit else {
                    fail("nothing is left that could wake a task");
                };
                if !limit.is_zero() {
                    thread::sleep(limit);
                }
                Ok(())
            }
        }
    }

    fn look_at_sockets(&self, limit: Option<Duration>) -> io::Result<()> {
        let mut woken = Vec::new();
        let mut events = self.events.borrow_mut();
        self.poller()?.wait(&mut events, limit)?;
        let mut sources = self.sources.borrow_mut();
        for event in &*events {
            // Whoever waits for one direction learns from the operation what has
            // become of the socket.
            let ended = event.failed || event.hung_up;
            let ready = Interest {
                read: event.readable || ended,
                write: event.writable || ended,
            };
            // It was a key when it was given to the poller.
            if let Ok(key) = Key::try_from(event.key) {
                sources.ready(key, ready, &mut woken);
            }
        }
        drop((events, sources));
        woken.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Whether a socket is ready.
    fn look_at_inputs(&self, limit: Option<Duration>, sockets: Option<&Pollable>) -> bool {
        let inputs: Vec<(usize, Rc<Pollable>)> = {
            let inputs = self.inputs.borrow();
            let inputs = inputs.iter();
            inputs
                .map(|(input, (pollable, _))| (input, Rc::clone(pollable)))
                .collect()
        };
        let timer = limit.map(|limit| monotonic_clock::subscribe_duration(nanoseconds(limit)));
        let pollables: Vec<&Pollable> = inputs
            .iter()
            .map(|(_, pollable)| &**pollable)
            .chain(sockets)
            .chain(&timer)
            .collect();
        let ready = wasi_poll::poll(&pollables);
        let ready = ready
            .into_iter()
            .filter_map(|place| usize::try_from(place).ok());
        let mut socket_is_ready = false;
        let mut woken = Vec::new();
        for place in ready {
            match inputs.get(place) {
                Some((input, _)) => woken.push(self.inputs.borrow_mut().try_remove(*input)),
                None => socket_is_ready |= sockets.is_some() && place == inputs.len(),
            }
        }
        drop(inputs);
        for (_, waker) in woken.into_iter().flatten() {
            waker.wake();
        }
        socket_is_ready
    }

    /// Whether one has ended.
    fn wake_timers(&self) -> bool {
        if self.timers.borrow().first().is_none() {
            return false;
        }
        let now = Instant::now();
        let mut woken = false;
        loop {
            let ended = self.timers.borrow_mut().pop_ended(now);
            let Some(waker) = ended else { return woken };
            waker.wake();
            woken = true;
        }
    }

    fn tell(&self, socket: &Rc<dyn AsRef<Socket>>, key: Key, change: Change) -> io::Result<()> {
        let poller = self.poller()?;
        let socket = (**socket).as_ref();
        let event = |interest: Interest| Event {
            readable: interest.read,
            writable: interest.write,
            ..Event::none(key as u64)
        };
        match change {
            Change::Add(interest) => poller.add(socket, event(interest)),
            Change::Modify(interest) => poller.modify(socket, event(interest)),
            Change::Remove => poller.delete(socket),
        }
    }

    fn poller(&self) -> io::Result<&Poller> {
        if let Some(poller) = self.poller.get() {
            return Ok(poller);
        }
        let poller = Poller::new()?;
        Ok(self.poller.get_or_init(|| poller))
    }

    fn poller_ready(&self) -> io::Result<&Pollable> {
        if let Some(ready) = self.poller_ready.get() {
            return Ok(ready);
        }
        let ready = self.poller()?.subscribe();
        Ok(self.poller_ready.get_or_init(|| ready))
    }
}

/// There is nobody whom an error could be returned to: every task waits.
#[expect(clippy::panic, reason = "the alternative is to wait for ever")]
fn fail(why: &str) -> ! {
    panic!("{why}")
}
