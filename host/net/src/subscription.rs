//! Waiting for a socket or a poller by something that does not keep it open.
//!
//! Between two looks nothing here may hold the thing itself: dropping its last handle
//! closes it, however many wait.

use std::sync::{Arc, Weak};

use crate::life::End;
use crate::poller::{self, Poller};
use crate::ready::Ready;
use crate::socket::{Shared, Socket};

/// Waits for a socket. Once the last handle on that is dropped, it is ready for good.
#[derive(Clone, Debug)]
pub struct Subscription {
    socket: Weak<Shared>,
    interest: Ready,
    end: End,
}

/// Waits for a poller in the same way.
#[derive(Clone, Debug)]
pub struct PollerSubscription {
    poller: Weak<poller::Inner>,
    end: End,
}

impl Socket {
    /// What waits until an operation of this interest would not block, without keeping
    /// the socket open.
    pub fn subscribe(&self, interest: Ready) -> Subscription {
        Subscription {
            socket: Arc::downgrade(&self.shared),
            interest,
            end: self.shared.life.end(),
        }
    }
}

impl Poller {
    /// What waits until one of the sockets is ready, without keeping the set.
    pub fn subscribe(&self) -> PollerSubscription {
        PollerSubscription {
            poller: Arc::downgrade(&self.0),
            end: self.0.life.end(),
        }
    }
}

impl Subscription {
    /// Waits until an operation would not block, or the socket has failed, or is
    /// closed. Where it cannot be waited for, that is for the next operation to say.
    pub async fn ready(&mut self) {
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
        }
    }

    fn socket(&self) -> Option<Socket> {
        self.socket.upgrade().map(Socket::on)
    }
}

impl PollerSubscription {
    /// Waits until a socket of the set is ready, or the set is dropped. Where that
    /// cannot be waited for, it is for `wait` to say.
    pub async fn ready(&mut self) {
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
