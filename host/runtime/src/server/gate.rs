//! Where those pass who have come: each gets a place, or is turned away. It must not
//! judge who they are: the policy has, by then.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_net::{Error, Socket, SocketAddress};
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::bounds::WhenFull;
use super::log::{Ending, TurnedAway, Visit};
use super::peers::Entry;
use super::phase::Phases;
use super::turn::{Bytes, Turn};

/// What a listener lets people through.
pub(crate) struct Gate {
    pub(crate) shared: Arc<Shared>,
    /// As the operator called it.
    pub(crate) endpoint: Arc<str>,
}

impl Gate {
    /// A place for the next one to come to a socket, where those who come are to wait
    /// for it. Nobody waits with a place for others to come.
    pub(crate) async fn place(
        &self,
        socket: &Socket,
    ) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let room = &self.shared.room;
        match self.shared.bounds.when_full {
            WhenFull::Refuse => Ok(None),
            WhenFull::Wait => match Arc::clone(room).try_acquire_owned() {
                Ok(place) => Ok(Some(place)),
                Err(_) => {
                    socket.wait_for_arrival().await?;
                    Ok(Arc::clone(room).acquire_owned().await.ok())
                }
            },
        }
    }

    /// A place for somebody who had come before the listener was closed; none
    /// where there is none until the end.
    pub(crate) async fn last_place(&self, phases: &mut Phases) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            place = Arc::clone(&self.shared.room).acquire_owned() => place.ok(),
            () = phases.end() => None,
        }
    }

    /// A turn for somebody, if there is room.
    pub(crate) fn turn(
        &self,
        number: u64,
        peer: SocketAddress,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Turn, TurnedAway> {
        let shared = &self.shared;
        let place = match place {
            Some(place) => place,
            None => {
                let place = Arc::clone(&shared.room).try_acquire_owned();
                place.map_err(|_| TurnedAway::Full)?
            }
        };
        let entry = shared
            .peers
            .enter(&peer, shared.bounds.connections_per_peer);
        let entry = entry.map_err(|_| TurnedAway::TooManyOfPeer)?;
        Ok(self.begin(number, peer, Some(place), entry))
    }

    /// Has a turn taken.
    pub(crate) fn spawn(
        &self,
        number: u64,
        peer: SocketAddress,
        turn: impl Future<Output = ()> + Send + 'static,
    ) {
        let listener = Arc::clone(&self.endpoint);
        self.shared.spawn(number, listener, peer, turn);
    }

    /// Tells of somebody who was let in, and is not served.
    pub(crate) fn turned_away(&self, number: u64, peer: &SocketAddress, why: TurnedAway) {
        let visit = Visit {
            number,
            listener: &self.endpoint,
            peer,
            time: SystemTime::now(),
        };
        self.shared.log.turned_away(&visit, why);
    }

    /// Tells of somebody who had no turn until the end.
    pub(crate) fn left(&self, number: u64, peer: SocketAddress) {
        drop(self.begin(number, peer, None, None));
    }

    /// Tells of what failed with a listener.
    pub(crate) fn failed(&self, error: &Error) {
        if let Some(failure) = error.audit_failure() {
            self.shared.fail(failure.clone());
        }
        self.shared.log.failed(&self.endpoint, error);
    }

    fn begin(
        &self,
        number: u64,
        peer: SocketAddress,
        place: Option<OwnedSemaphorePermit>,
        entry: Option<Entry>,
    ) -> Turn {
        let turn = Turn {
            _entry: entry,
            _place: place,
            shared: Arc::clone(&self.shared),
            number,
            listener: Arc::clone(&self.endpoint),
            peer,
            time: SystemTime::now(),
            began: Instant::now(),
            traffic: None,
            datagrams: Bytes::default(),
            cpu_time: Duration::ZERO,
            instantiation: None,
            memory: 0,
            ending: Ending::Dropped,
        };
        self.shared.log.began(&turn.visit());
        turn
    }
}
