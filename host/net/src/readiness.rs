//! Waiting until a socket, or a poller, can go on.
//!
//! The kernel is the only authority on readiness: what tokio remembers is a
//! hint, and is checked before anyone is told.
//!
//! Each round of a wait takes a unit of the task's cooperative budget
//! ([`crate::wait::take_turn`]), and rounds that lead nowhere pause. So a guest, a peer
//! or a disagreement between the reactor and the kernel keeps no thread.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::io::{Interest, Ready as Told};

use crate::ready::Ready;
use crate::wait::take_turn;

type Registered<D> = Arc<AsyncFd<Arc<D>>>;

/// What owns one open descriptor for all its life, and always names that one.
pub(crate) trait Descriptor: AsFd + AsRawFd {}

impl Descriptor for OwnedFd {}
impl Descriptor for socket2::Socket {}

/// A descriptor's place in tokio's reactor, taken when something first waits.
#[derive(Debug)]
pub(crate) struct Readiness<D: Descriptor> {
    descriptor: Arc<D>,
    registered: Mutex<Option<Registered<D>>>,
    /// Whether anybody has had to do with urgent data. A receive stops short of
    /// it, so that who got less than was asked for may have left something.
    is_urgent: AtomicBool,
}

impl<D: Descriptor> Readiness<D> {
    pub(crate) fn new(descriptor: Arc<D>) -> Self {
        Self {
            descriptor,
            registered: Mutex::new(None),
            is_urgent: AtomicBool::new(false),
        }
    }

    /// Calls now. What the reactor remembers is corrected, so that who then waits
    /// need not try in vain.
    pub(crate) fn attempt<T>(
        &self,
        interest: Interest,
        call: impl FnMut(&D) -> io::Result<T>,
        is_last: impl Fn(&T) -> bool,
    ) -> io::Result<T> {
        let registered = self.registered.lock().clone();
        let Some(registered) = registered else {
            return uninterrupted(&*self.descriptor, call);
        };
        let ready = pin!(registered.ready(self.watched(interest)));
        match ready.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(guard)) => {
                let done = self.call(guard, interest, call, is_last);
                done.unwrap_or_else(|_| Err(io::ErrorKind::WouldBlock.into()))
            }
            // What the reactor has not heard of yet may be so all the same.
            Poll::Ready(Err(_)) | Poll::Pending => uninterrupted(&*self.descriptor, call),
        }
    }

    /// Whether the reactor remembers what the descriptor is ready for. Who may
    /// wait for ever then need not try first.
    pub(crate) fn is_registered(&self) -> bool {
        self.registered.lock().is_some()
    }

    /// Waits until `call` does something other than ask to wait. `pause` is called
    /// when it comes to waiting, `is_last` tells of what was done whether the next
    /// would have to wait, but for what urgent data may hide.
    pub(crate) async fn retry<T>(
        &self,
        interest: Interest,
        mut call: impl FnMut(&D) -> io::Result<T>,
        is_last: impl Fn(&T) -> bool,
        pause: impl Fn(),
    ) -> io::Result<T> {
        let mut doubts = Doubts::default();
        loop {
            take_turn().await;
            let registered = self.register().await?;
            let told = {
                let mut ready = pin!(registered.ready(self.watched(interest)));
                let guard = poll_fn(|context| {
                    let ready = ready.as_mut().poll(context);
                    if ready.is_pending() {
                        pause();
                    }
                    ready
                });
                match self.call(guard.await?, interest, &mut call, &is_last) {
                    Ok(done) => return done,
                    Err(told) => told,
                }
            };
            doubts.next(self, registered, told).await;
        }
    }

    /// What to watch for somebody who waits for `interest`: urgent data as well,
    /// as long as nobody knows of any, for whoever receives.
    fn watched(&self, interest: Interest) -> Interest {
        match interest.is_readable() && !self.is_urgent.load(Ordering::Relaxed) {
            true => interest | Interest::PRIORITY,
            false => interest,
        }
    }

    /// Calls where the descriptor is said to be ready. Where it is not, this tells
    /// what the reactor had said.
    fn call<T>(
        &self,
        mut guard: AsyncFdReadyGuard<'_, Arc<D>>,
        interest: Interest,
        call: impl FnMut(&D) -> io::Result<T>,
        is_last: impl Fn(&T) -> bool,
    ) -> Result<io::Result<T>, Told> {
        let told = guard.ready();
        if told.is_priority() {
            self.note_urgent();
        }
        let asked = match interest.is_readable() {
            true => Told::READABLE,
            false => Told::WRITABLE,
        };
        let done = uninterrupted(&**guard.get_ref().get_ref(), call);
        match &done {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                guard.clear_ready_matching(asked);
                return Err(told);
            }
            // What has come since is not forgotten with it: the reactor knows that
            // it has heard of something meanwhile.
            Ok(done) if is_last(done) && !self.is_urgent.load(Ordering::Relaxed) => {
                guard.clear_ready_matching(asked);
            }
            Ok(_) | Err(_) => {}
        }
        Ok(done)
    }

    /// Takes note that there is or was urgent data.
    pub(crate) fn note_urgent(&self) {
        self.is_urgent.store(true, Ordering::Relaxed);
    }

    /// Waits until the reactor says that one of `interest` may be so, which takes no
    /// call. Who finds that it is not corrects what the reactor remembers.
    pub(crate) async fn hint(&self, interest: Ready) -> io::Result<()> {
        take_turn().await;
        let registered = self.register().await?;
        let _told = registered.ready(reactor_interest(interest)).await?;
        Ok(())
    }

    /// Waits until the kernel says that one of `interest` is so, or that the
    /// descriptor has failed; says which.
    pub(crate) async fn wait(&self, interest: Ready) -> io::Result<Ready> {
        if interest.urgent {
            self.note_urgent();
        }
        let mut doubts = Doubts::default();
        loop {
            take_turn().await;
            let now = self.now(interest)?;
            if !now.is_nothing() {
                return Ok(now);
            }
            let registered = self.register().await?;
            let mut guard = registered.ready(reactor_interest(interest)).await?;
            let now = self.now(interest)?;
            if !now.is_nothing() {
                return Ok(now);
            }
            // A guard that was cleared no longer knows what it was told.
            let told = guard.ready();
            guard.clear_ready();
            drop(guard);
            doubts.next(self, registered, told).await;
        }
    }

    /// What of `interest` is so, and whether the descriptor has failed: asks the
    /// kernel.
    pub(crate) fn now(&self, interest: Ready) -> io::Result<Ready> {
        let mut flags = interest.poll_flags();
        // After the peer's last word nothing urgent can come either.
        flags.set(PollFlags::RDHUP, interest.urgent);
        let mut asked = [PollFd::new(&*self.descriptor, flags)];
        poll(&mut asked, Some(&Timespec::default()))?;
        let [answer] = asked;
        let mut now = Ready::from(answer.revents());
        now.urgent |= answer.revents().contains(PollFlags::RDHUP);
        Ok(now)
    }

    /// Whether nothing more can come in: asks the kernel.
    pub(crate) fn has_ended(&self) -> io::Result<bool> {
        self.says(PollFlags::RDHUP)
    }

    /// Whether urgent data is there: asks the kernel.
    pub(crate) fn is_urgent(&self) -> io::Result<bool> {
        self.says(PollFlags::PRI)
    }

    fn says(&self, flag: PollFlags) -> io::Result<bool> {
        let mut asked = [PollFd::new(&*self.descriptor, flag)];
        poll(&mut asked, Some(&Timespec::default()))?;
        let [answer] = asked;
        Ok(answer.revents().contains(flag))
    }

    /// Gives the place up. A stream socket that is not connected looks hung up
    /// to the reactor, which then never forgets that; so this is called
    /// whenever a socket begins anew.
    pub(crate) fn forget(&self) {
        *self.registered.lock() = None;
    }

    async fn register(&self) -> io::Result<Registered<D>> {
        loop {
            match self.try_register() {
                // Somebody else waits at the place that was given up, and will
                // leave it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                registered => return registered,
            }
        }
    }

    fn try_register(&self) -> io::Result<Registered<D>> {
        let mut place = self.registered.lock();
        if let Some(registered) = &*place {
            return Ok(Arc::clone(registered));
        }
        let registered = Arc::new(async_fd(Arc::clone(&self.descriptor))?);
        *place = Some(Arc::clone(&registered));
        Ok(registered)
    }
}

/// How often, within one wait, the reactor told of readiness and the kernel knew of none.
#[derive(Debug, Default)]
struct Doubts(u32);

impl Doubts {
    /// How many of them cost no time: others may have been faster to take what came.
    const FREE: u32 = 32;

    /// How long each pause after that is: short enough for a listener that several
    /// processes share, and long enough that a thousand rounds a second cost little.
    const PAUSE: Duration = Duration::from_millis(1);

    /// Corrects what the reactor remembers, as far as it can. However long the reactor
    /// and the kernel disagree, the wait takes next to no time on the processor.
    async fn next<D: Descriptor>(
        &mut self,
        readiness: &Readiness<D>,
        registered: Registered<D>,
        told: Told,
    ) {
        drop(registered);
        // The reactor never forgets that a socket was closed or failed; a
        // stream socket can be used again after either.
        if told.is_read_closed() || told.is_write_closed() || told.is_error() {
            readiness.forget();
        }
        self.0 = self.0.saturating_add(1);
        if self.0 > Self::FREE {
            tokio::time::sleep(Self::PAUSE).await;
        }
    }
}

fn uninterrupted<D, T>(descriptor: &D, mut call: impl FnMut(&D) -> io::Result<T>) -> io::Result<T> {
    // Bounded: a signal is handled between two calls, and few come to the process.
    loop {
        match call(descriptor) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// What wakes somebody who waits for `interest`. A closed direction comes with
/// it: that of receiving with what is urgent as well.
fn reactor_interest(interest: Ready) -> Interest {
    let asked = [
        (interest.readable, Interest::READABLE),
        (interest.writable, Interest::WRITABLE),
        (interest.urgent, Interest::PRIORITY),
        // A hang-up closes the direction of sending.
        (interest.is_nothing(), Interest::WRITABLE),
    ];
    let asked = asked.into_iter().filter(|(asked, _)| *asked);
    asked.fold(Interest::ERROR, |all, (_, one)| all | one)
}

#[expect(
    unsafe_code,
    reason = "tokio's only way to wait for a descriptor that it does not own"
)]
fn async_fd<D: Descriptor>(descriptor: Arc<D>) -> io::Result<AsyncFd<Arc<D>>> {
    let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
    // SAFETY: a `Descriptor` owns one open descriptor for all its life and
    // always names that one; the `AsyncFd` holds a reference to it as long as it
    // lives itself.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}
