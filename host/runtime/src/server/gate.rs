//! Where those pass who have come: each gets a place and is served, or is turned
//! away. It must not judge who they are: the policy has, by then.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_net::{Datagram, Socket, SocketAddress};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{self, sleep_until};

use super::Shared;
use super::bounds::WhenFull;
use super::crew::{Crew, Instance};
use super::log::{Ending, TurnedAway, Visit};
use super::turn::{Bytes, Turn, length};
use crate::bindings::datagram::DatagramServer;
use crate::bindings::stream::StreamServer;

/// What a listener lets people through.
pub(crate) struct Gate {
    pub(crate) shared: Arc<Shared>,
    /// As the operator called it.
    pub(crate) endpoint: Arc<str>,
}

/// A connection, and the instance that is to serve it.
pub(crate) struct Accepted {
    pub(crate) number: u64,
    pub(crate) instance: Option<Instance<StreamServer>>,
    pub(crate) connection: Socket,
    pub(crate) peer: SocketAddress,
}

impl Gate {
    /// A place for the next one, where those who come are to wait for it.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        match self.shared.bounds.when_full {
            WhenFull::Wait => Arc::clone(&self.shared.room).acquire_owned().await.ok(),
            WhenFull::Refuse => None,
        }
    }

    /// A place for somebody who had come before the listener was closed; none
    /// where there is none until the end.
    pub(crate) async fn last_place(
        &self,
        closing: &mut watch::Receiver<Option<time::Instant>>,
    ) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            place = Arc::clone(&self.shared.room).acquire_owned() => place.ok(),
            () = end(closing) => None,
        }
    }

    /// Has a connection served, or resets it where that is one too many.
    pub(crate) fn admit(
        &self,
        crew: &Arc<Crew<StreamServer>>,
        accepted: Accepted,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let Accepted {
            number,
            instance,
            connection,
            peer,
        } = accepted;
        // There is none where nobody was let in.
        let Some(instance) = instance else { return };
        let mut turn = match self.turn(number, peer.clone(), place) {
            Ok(turn) => turn,
            Err(why) => {
                // Where that fails, the peer hears of a good end.
                let _ = connection.set_linger(Some(Duration::ZERO));
                crew.have_back_unused(instance);
                return self.turned_away(number, &peer, why);
            }
        };
        turn.traffic = Some(connection.traffic());
        let crew = Arc::clone(crew);
        let listener = Arc::clone(&self.endpoint);
        self.shared
            .spawn(number, listener, peer.clone(), async move {
                let late = turn.late();
                turn.serve(&crew, instance, (connection, peer), late).await;
            });
    }

    /// Has a datagram served that came to a socket, or drops it where that is one
    /// too many.
    pub(crate) fn admit_datagram(
        &self,
        crew: &Arc<Crew<DatagramServer>>,
        datagram: Datagram,
        socket: Socket,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let Datagram { data, source, .. } = datagram;
        let number = self.shared.number();
        let mut turn = match self.turn(number, source.clone(), place) {
            Ok(turn) => turn,
            Err(why) => return self.turned_away(number, &source, why),
        };
        turn.datagrams.received = length(&data);
        let crew = Arc::clone(crew);
        let listener = Arc::clone(&self.endpoint);
        self.shared
            .spawn(number, listener, source.clone(), async move {
                let instance = crew.instance(number);
                let mut late = pin!(turn.late());
                let serve = turn.serve(&crew, instance, (data, source), late.as_mut());
                if let Some(answers) = serve.await {
                    turn.answer(answers, &socket, late).await;
                }
            });
    }

    /// A turn for somebody, if there is room.
    fn turn(
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
        let turn = Turn {
            _entry: entry.map_err(|_| TurnedAway::TooManyOfPeer)?,
            _place: place,
            shared: Arc::clone(shared),
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
        shared.log.began(&turn.visit());
        Ok(turn)
    }

    fn turned_away(&self, number: u64, peer: &SocketAddress, why: TurnedAway) {
        let visit = Visit {
            number,
            listener: &self.endpoint,
            peer,
            time: SystemTime::now(),
        };
        self.shared.log.turned_away(&visit, why);
    }
}

/// Waits until those who have come are not waited for any longer, which whoever
/// closes the listener may think better of.
async fn end(closing: &mut watch::Receiver<Option<time::Instant>>) {
    loop {
        let end = *closing.borrow_and_update();
        let Some(end) = end else { return };
        tokio::select! {
            () = sleep_until(end) => return,
            changed = closing.changed() => if changed.is_err() { return },
        }
    }
}
