//! What one socket counts for, and how the host ends a connection whose time is
//! over.

use std::net::Shutdown;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use portcullis_policy::Limits;
use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::{Charge, Counted, Limit, Room, descriptors};
use crate::address::SocketAddress;
use crate::error::Error;
use crate::ready::Ready;
use crate::socket::{Shared, Socket};

/// What a socket counts for. It is dropped with the socket.
#[derive(Debug)]
pub(crate) struct Usage {
    _socket: Option<Counted>,
    _memory: Charge,
    connection: Mutex<Option<Connection>>,
    /// Why the host has ended the connection, where it has.
    ended: OnceLock<Limit>,
    /// When data was last moved.
    moved: Mutex<Instant>,
}

/// A connection, from when it begins.
#[derive(Debug)]
struct Connection {
    _counted: Option<Counted>,
    _timer: Option<Timer>,
}

/// What ends a connection in time. There is one for all its life: it is not set
/// anew whenever data moves, but looks when it is due.
#[derive(Debug)]
struct Timer(AbortHandle);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Usage {
    pub(crate) fn new(socket: Option<Counted>, memory: Charge) -> Self {
        Self {
            _socket: socket,
            _memory: memory,
            connection: Mutex::default(),
            ended: OnceLock::new(),
            moved: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn note_moved(&self) {
        *self.moved.lock() = Instant::now();
    }
}

impl Shared {
    /// Fails where the host has ended the connection.
    pub(crate) fn check_ended(&self) -> Result<(), Error> {
        match self.usage.ended.get() {
            Some(limit) => Err(limit.error()),
            None => Ok(()),
        }
    }

    /// Ends the connection: whoever waits is woken, and the peer hears of it.
    fn end(&self, limit: Limit) {
        if self.usage.ended.set(limit).is_ok() {
            // Where it fails there is no connection any more.
            let _ = self.os.shutdown(Shutdown::Both);
            // Where it cannot be recorded, the guest's next step fails.
            let _ = self
                .network
                .record(Some(self.account.socket))
                .exceeded(limit);
        }
        *self.usage.connection.lock() = None;
    }

    /// When the connection is over if nothing moves, and by which limit.
    fn due(&self, limits: &Limits, began: Instant) -> Option<(Instant, Limit)> {
        let moved = *self.usage.moved.lock();
        let age = limits.connection_timeout;
        let age =
            age.and_then(|time| Some((began.checked_add(time)?, Limit::ConnectionTimeout(time))));
        let idle = limits.idle_timeout;
        let idle = idle.and_then(|time| Some((moved.checked_add(time)?, Limit::IdleTimeout(time))));
        age.into_iter().chain(idle).min_by_key(|(due, _)| *due)
    }
}

impl Socket {
    /// Makes room for a connection that the guest is about to make, and lets it
    /// count as begun.
    pub(crate) fn begin_connection(&self) -> Result<(), Error> {
        let budget = self.shared.network.budget();
        if !budget.watches_connections() {
            return Ok(());
        }
        self.shared.check_ended()?;
        let mut connection = self.shared.usage.connection.lock();
        if connection.is_some() && self.has_connection() {
            return Ok(());
        }
        // The room of one that came to nothing is free again.
        *connection = None;
        let counted = budget.connection();
        let counted = counted.map_err(|limit| self.record().exceeded(limit))?;
        let begun = budget.begin_connection();
        begun.map_err(|limit| self.record().exceeded(limit))?;
        *connection = Some(self.shared.connection(counted)?);
        Ok(())
    }

    /// Gives the room up again, where a connect came to nothing.
    pub(crate) fn forget_connection(&self) {
        if self.shared.network.budget().watches_connections() && !self.has_connection() {
            *self.shared.usage.connection.lock() = None;
        }
    }

    /// Makes room for a connection that came in, if there is any: a crowd of peers
    /// is no fault of the guest's.
    pub(crate) fn make_room(
        &self,
        arrived: &socket2::Socket,
        peer: &SocketAddress,
    ) -> Result<Option<Room>, Error> {
        let network = &self.shared.network;
        let room = descriptors::check(arrived).and_then(|()| {
            let memory = network.memory().take(Shared::FOOTPRINT)?;
            network.budget().arrival(memory)
        });
        match room {
            Ok(room) => Ok(Some(room)),
            Err(limit) => self.record().crowded(limit, peer).map(|()| None),
        }
    }

    /// Keeps that room, from when the connection is taken.
    pub(crate) fn keep_connection(&self, counted: Option<Counted>) -> Result<(), Error> {
        if self.shared.network.budget().watches_connections() {
            *self.shared.usage.connection.lock() = Some(self.shared.connection(counted)?);
        }
        Ok(())
    }

    /// Whether there is a connection, or one is on its way: asks the kernel.
    fn has_connection(&self) -> bool {
        let now = self.shared.readiness.now(Ready::WRITABLE);
        self.remote_address().is_ok() || now.is_ok_and(Ready::is_nothing)
    }
}

impl Shared {
    fn connection(self: &Arc<Self>, counted: Option<Counted>) -> Result<Connection, Error> {
        self.usage.note_moved();
        let limits = *self.network.budget().limits();
        let timed = limits.connection_timeout.is_some() || limits.idle_timeout.is_some();
        let timer = if timed {
            let runtime = Handle::try_current().map_err(|_| Error::from(Errno::NOTSUP))?;
            let timer = runtime.spawn(end_in_time(Arc::downgrade(self), limits));
            Some(Timer(timer.abort_handle()))
        } else {
            None
        };
        Ok(Connection {
            _counted: counted,
            _timer: timer,
        })
    }
}

/// Ends a connection when its time is over. It does not keep the socket open.
async fn end_in_time(socket: Weak<Shared>, limits: Limits) {
    let began = Instant::now();
    while let Some(shared) = socket.upgrade() {
        let Some((due, limit)) = shared.due(&limits, began) else {
            return;
        };
        if due <= Instant::now() {
            return shared.end(limit);
        }
        drop(shared);
        sleep_until(due).await;
    }
}
