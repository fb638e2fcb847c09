//! Waiting for a socket or a poller by something that does not keep it open.
//!
//! Between two looks nothing here may hold the thing itself: dropping its last handle
//! closes it, however many wait.

use std::sync::{Arc, Weak};

use crate::error::Error;
use crate::life::End;
use crate::limits::{Charge, Limit};
use crate::poller::{self, Poller};
use crate::ready::Ready;
use crate::socket::{Shared, Socket};

/// Waits for a socket. Once the last handle on that is dropped, it is ready for good.
#[derive(Debug)]
pub struct Subscription {
    waiting: Waiting,
    _memory: Charge,
}

/// Waits for a poller in the same way.
#[derive(Debug)]
pub struct PollerSubscription {
    waiting: WaitingForPoller,
    _memory: Charge,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    socket: Weak<Shared>,
    interest: Ready,
    end: End,
}

#[derive(Debug)]
pub(crate) struct WaitingForPoller {
    poller: Weak<poller::Inner>,
    end: End,
}

/// What is kept of what is subscribed to, also when that is gone, with what tells of
/// its end.
const FOOTPRINT: usize = size_of::<Shared>() + 1024;

impl Socket {
    /// What waits until an operation of this interest would not block, without keeping
    /// the socket open.
    ///
    /// # Errors
    ///
    /// `limit-exceeded`, by the memory of the guest.
    pub fn subscribe(&self, interest: Ready) -> Result<Subscription, Error> {
        let memory = self.shared.network.memory().take(FOOTPRINT);
        Ok(Subscription {
            _memory: memory.map_err(|limit| self.record().exceeded(limit))?,
            waiting: self.waiting(interest),
        })
    }

    pub(crate) fn waiting(&self, interest: Ready) -> Waiting {
        Waiting {
            socket: Arc::downgrade(&self.shared),
            interest,
            end: self.shared.life.end(),
        }
    }
}

impl Poller {
    /// What waits until one of the sockets is ready, without keeping the set.
    ///
    /// # Errors
    ///
    /// `limit-exceeded`, by the memory of the guest.
    pub fn subscribe(&self) -> Result<PollerSubscription, Error> {
        let memory = self.0.guest.memory.take(FOOTPRINT);
        Ok(PollerSubscription {
            _memory: memory.map_err(Limit::error)?,
            waiting: self.waiting(),
        })
    }

    pub(crate) fn waiting(&self) -> WaitingForPoller {
        WaitingForPoller {
            poller: Arc::downgrade(&self.0),
            end: self.0.life.end(),
        }
    }
}

impl Subscription {
    /// Waits until an operation would not block, or the socket has failed, or is
    /// closed. Where it cannot be waited for, that is for the next operation to say.
    pub async fn ready(&mut self) {
        self.waiting.ready().await;
    }
}

impl PollerSubscription {
    /// Waits until a socket of the set is ready, or the set is dropped. Where that
    /// cannot be waited for, it is for `wait` to say.
    pub async fn ready(&mut self) {
        self.waiting.ready().await;
    }
}

impl Waiting {
    pub(crate) async fn ready(&mut self) {
        let interest = self.interest;
        while let Some(socket) = self.socket() {
            if socket.is_ready(interest) {
                return;
            }
            let readiness = Arc::clone(&socket.shared.readiness);
            drop(socket);
            let told = self.end.or(readiness.wait(interest)).await;
            drop(readiness);
            let (Some(Ok(ready)), Some(socket)) = (told, self.socket()) else {
                return;
            };
            if !socket.vet(ready).is_nothing() {
                return;
            }
            let pause = socket.pause(ready);
            drop(socket);
            if let Some(pause) = pause {
                self.end.or(tokio::time::sleep(pause)).await;
            }
            // To judge a crowd takes long, and another may be there.
            tokio::task::yield_now().await;
        }
    }

    fn socket(&self) -> Option<Socket> {
        self.socket.upgrade().map(Socket::on)
    }
}

impl WaitingForPoller {
    pub(crate) async fn ready(&mut self) {
        while let Some(poller) = self.poller.upgrade().map(Poller) {
            let Ok(found) = poller.look(1).await else {
                return;
            };
            if poller.is_over() || !found.events.is_empty() {
                return;
            }
            let readiness = Arc::clone(&poller.0.readiness);
            drop(poller);
            let more = self.end.or(poller::more(&readiness, found.pause)).await;
            if !matches!(more, Some(Ok(()))) {
                return;
            }
        }
    }
}
