//! The loops that let in who comes to a listener, and have them served.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_net::{
    Datagram, Endpoint, Error, ErrorCode, ReceiveOptions, SendOptions, Socket, SocketAddress,
};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use super::Shared;
use super::bounds::WhenFull;
use super::crew::Crew;
use super::log::{Ending, TurnedAway, Visit};
use super::turn::{Bytes, Turn};
use crate::bindings::datagram::DatagramServer;
use crate::bindings::stream::StreamServer;

/// How long a listener that fails rests: the host lacks something that it may
/// have again.
const REST: Duration = Duration::from_millis(50);

/// The longest datagram that there is.
const DATAGRAM: usize = 65535;

/// How many are let in at the end who came before it: as many as wait in the
/// longest queue that Linux has unless it is told otherwise.
const LAST: u32 = 4096;

/// A socket that the server listens on.
pub(crate) struct Listener {
    pub(crate) shared: Arc<Shared>,
    /// As the operator called it.
    pub(crate) endpoint: Arc<str>,
    pub(crate) socket: Socket,
    /// Tells that nobody is to be let in any more.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Listener {
    /// Lets in connections, until the listener is closed: those as well who had
    /// come by then.
    pub(crate) async fn accept(mut self, crew: Arc<Crew<StreamServer>>) {
        loop {
            let mut closing = self.closing.clone();
            tokio::select! {
                biased;
                // Whoever could close it being gone, it is closed too.
                _ = closing.wait_for(|closing| *closing) => break,
                () = self.accept_one(&crew) => {}
            }
            // Whoever comes without end keeps the thread from nobody.
            tokio::task::coop::consume_budget().await;
        }
        self.socket.set_timeout(Some(Duration::ZERO));
        for _ in 0..LAST {
            let Ok(place) = Arc::clone(&self.shared.room).acquire_owned().await else {
                return;
            };
            match self.next(&crew).await {
                Ok(accepted) => self.begin(&crew, accepted, Some(place)),
                Err(_) => return,
            }
        }
    }

    async fn accept_one(&self, crew: &Arc<Crew<StreamServer>>) {
        let place = match self.shared.bounds.when_full {
            WhenFull::Wait => Arc::clone(&self.shared.room).acquire_owned().await.ok(),
            WhenFull::Refuse => None,
        };
        match self.next(crew).await {
            Ok(accepted) => self.begin(crew, accepted, place),
            Err(error) => self.rest(error).await,
        }
    }

    /// Takes the next connection, for an instance that is found when there is
    /// one.
    async fn next(&self, crew: &Crew<StreamServer>) -> Result<Accepted, Error> {
        let mut instance = None;
        let guest = || instance.insert(crew.instance()).network().clone();
        let (connection, peer) = self.socket.accept_for(guest).await?;
        Ok(Accepted {
            instance,
            connection,
            peer,
        })
    }

    /// Has a connection served, or resets it where that is one too many.
    fn begin(
        &self,
        crew: &Arc<Crew<StreamServer>>,
        accepted: Accepted,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let Accepted {
            instance,
            connection,
            peer,
        } = accepted;
        // There is none where nobody was let in.
        let Some(instance) = instance else { return };
        let mut turn = match self.turn(peer.clone(), place) {
            Ok(turn) => turn,
            Err(why) => {
                // Where that fails, the peer hears of a good end.
                let _ = connection.set_linger(Some(Duration::ZERO));
                crew.have_back_unused(instance);
                return self.turned_away(&peer, why);
            }
        };
        turn.traffic = Some(connection.traffic());
        let crew = Arc::clone(crew);
        let (number, listener) = (turn.number, Arc::clone(&self.endpoint));
        self.shared
            .spawn(number, listener, peer.clone(), async move {
                turn.serve(&crew, instance, (connection, peer)).await;
            });
    }

    /// Has datagrams served, until the listener is closed.
    pub(crate) async fn receive(self, crew: Arc<Crew<DatagramServer>>) {
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return,
                () = self.receive_one(&crew) => {}
            }
            tokio::task::coop::consume_budget().await;
        }
    }

    async fn receive_one(&self, crew: &Arc<Crew<DatagramServer>>) {
        let place = match self.shared.bounds.when_full {
            WhenFull::Wait => Arc::clone(&self.shared.room).acquire_owned().await.ok(),
            WhenFull::Refuse => None,
        };
        let received = self
            .socket
            .receive_from(DATAGRAM, ReceiveOptions::default());
        let Datagram { data, source, .. } = match received.await {
            Ok(datagram) => datagram,
            Err(error) => return self.rest(error).await,
        };
        let mut turn = match self.turn(source.clone(), place) {
            Ok(turn) => turn,
            Err(why) => return self.turned_away(&source, why),
        };
        turn.datagrams.received = length(&data);
        let crew = Arc::clone(crew);
        let socket = self.socket.duplicate();
        let (number, listener) = (turn.number, Arc::clone(&self.endpoint));
        self.shared
            .spawn(number, listener, source.clone(), async move {
                let instance = crew.instance();
                let answers = turn.serve(&crew, instance, (data, source.clone())).await;
                let source = Endpoint::Address(source);
                for answer in answers.into_iter().flatten() {
                    let sent = socket.send_to(&answer, SendOptions::default(), &source);
                    match sent.await {
                        Ok(_) => turn.datagrams.sent += length(&answer),
                        Err(error) => return turn.fail(error),
                    }
                }
            });
    }

    /// A turn for somebody, if there is room.
    fn turn(
        &self,
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
            number: shared.number(),
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

    fn turned_away(&self, peer: &SocketAddress, why: TurnedAway) {
        let visit = Visit {
            number: self.shared.number(),
            listener: &self.endpoint,
            peer,
            time: SystemTime::now(),
        };
        self.shared.log.turned_away(&visit, why);
    }

    /// Tells of what failed, and waits for better times.
    async fn rest(&self, error: Error) {
        if let Some(failure) = error.audit_failure() {
            self.shared.fail(failure.clone());
        }
        match error.code() {
            // That was one connection's, which is gone.
            ErrorCode::ConnectionAborted | ErrorCode::ConnectionReset => {}
            _ => {
                self.shared.log.failed(&self.endpoint, &error);
                sleep(REST).await;
            }
        }
    }
}

/// The bytes of a datagram.
fn length(datagram: &[u8]) -> u64 {
    u64::try_from(datagram.len()).unwrap_or(u64::MAX)
}

/// A connection, and the instance that is to serve it.
struct Accepted {
    instance: Option<super::crew::Instance<StreamServer>>,
    connection: Socket,
    peer: SocketAddress,
}
