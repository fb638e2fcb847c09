//! Waiting until a socket can go on.
//!
//! The kernel is the only authority on readiness: what tokio remembers is a
//! hint, and is checked before anyone is told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};

type Registered = Arc<AsyncFd<Arc<socket2::Socket>>>;

/// A socket's place in tokio's reactor, taken when something first waits.
#[derive(Debug)]
pub(crate) struct Readiness {
    socket: Arc<socket2::Socket>,
    registered: Mutex<Option<Registered>>,
}

impl Readiness {
    pub(crate) fn new(socket: Arc<socket2::Socket>) -> Self {
        Self {
            socket,
            registered: Mutex::new(None),
        }
    }

    /// Waits until `call` does something other than ask to wait.
    ///
    /// `call` has just said that it would block.
    pub(crate) async fn retry<T>(
        &self,
        interest: Interest,
        mut call: impl FnMut(&socket2::Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            let registered = self.register().await?;
            let mut guard = registered.ready(interest).await?;
            if let Ok(result) = guard.try_io(|socket| call(socket.get_ref())) {
                return result;
            }
            let told = guard.ready();
            drop(guard);
            self.doubt(registered, told).await;
        }
    }

    /// Waits until an operation of this interest would not block.
    pub(crate) async fn wait(&self, interest: Interest) -> io::Result<()> {
        while !self.is_ready(interest)? {
            let registered = self.register().await?;
            let mut guard = registered.ready(interest).await?;
            if self.is_ready(interest)? {
                break;
            }
            guard.clear_ready();
            let told = guard.ready();
            drop(guard);
            self.doubt(registered, told).await;
        }
        Ok(())
    }

    /// The reactor told of readiness, and the kernel knows of none.
    async fn doubt(&self, registered: Registered, told: Ready) {
        drop(registered);
        // The reactor never forgets that a socket was closed or failed; a
        // stream socket can be used again after either.
        if told.is_read_closed() || told.is_write_closed() || told.is_error() {
            self.forget();
        }
        // However long the two disagree, others get the thread in between.
        tokio::task::yield_now().await;
    }

    /// Whether an operation of this interest would not block: asks the kernel.
    pub(crate) fn is_ready(&self, interest: Interest) -> io::Result<bool> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, interest.is_readable());
        flags.set(PollFlags::OUT, interest.is_writable());
        // After the peer's last word nothing urgent can come either.
        flags.set(PollFlags::PRI | PollFlags::RDHUP, interest.is_priority());
        let mut sockets = [PollFd::new(&*self.socket, flags)];
        Ok(poll(&mut sockets, Some(&Timespec::default()))? > 0)
    }

    /// Gives the place up. A stream socket that is not connected looks hung up
    /// to the reactor, which then never forgets that; so this is called
    /// whenever a socket begins anew.
    pub(crate) fn forget(&self) {
        *self.registered.lock() = None;
    }

    async fn register(&self) -> io::Result<Registered> {
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

    fn try_register(&self) -> io::Result<Registered> {
        let mut place = self.registered.lock();
        if let Some(registered) = &*place {
            return Ok(Arc::clone(registered));
        }
        let registered = Arc::new(async_fd(Arc::clone(&self.socket))?);
        *place = Some(Arc::clone(&registered));
        Ok(registered)
    }
}

#[expect(
    unsafe_code,
    reason = "tokio's only way to wait for a descriptor that it does not own"
)]
fn async_fd(socket: Arc<socket2::Socket>) -> io::Result<AsyncFd<Arc<socket2::Socket>>> {
    let interest = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
    // SAFETY: a `socket2::Socket` owns one open descriptor for all its life and
    // always names that one; the `AsyncFd` holds a reference to it as long as it
    // lives itself.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}
