//! What comes to a listener: a connection, or a datagram. It must not find a place
//! for itself: the gate does.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use portcullis_net::{self as net, Error, ReceiveOptions, Socket, SocketAddress};
use tokio::sync::OwnedSemaphorePermit;

use super::crew::{Crew, Export, Instance};
use super::gate::Gate;
use super::turn::length;
use crate::bindings::datagram::DatagramServer;
use crate::bindings::stream::StreamServer;

/// The longest datagram that there is.
const DATAGRAM: usize = 65535;

/// Somebody who has come, and was not turned away by the policy.
pub(crate) trait Arrival: Sized + Send + 'static {
    /// What serves them.
    type Server: Export;

    /// Takes the next one from a socket. Nobody is lost where it is dropped.
    fn next(
        gate: &Gate,
        socket: &Socket,
        crew: &Crew<Self::Server>,
    ) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Has them served, or turns them away where that is one too many.
    fn admit(
        self,
        gate: &Gate,
        crew: &Arc<Crew<Self::Server>>,
        place: Option<OwnedSemaphorePermit>,
    );

    /// Has them leave, since there is no place for them until the end.
    fn leave(self, gate: &Gate);
}

/// A connection, and the instance that is to serve it.
pub(crate) struct Connection {
    number: u64,
    instance: Option<Instance<StreamServer>>,
    socket: Socket,
    peer: SocketAddress,
}

impl Arrival for Connection {
    type Server = StreamServer;

    async fn next(gate: &Gate, socket: &Socket, crew: &Crew<StreamServer>) -> Result<Self, Error> {
        let (mut number, mut instance) = (0, None);
        let guest = || {
            number = gate.shared.number();
            instance.insert(crew.instance(number)).network().clone()
        };
        let (socket, peer) = socket.accept_for(guest).await?;
        Ok(Self {
            number,
            instance,
            socket,
            peer,
        })
    }

    fn admit(
        self,
        gate: &Gate,
        crew: &Arc<Crew<StreamServer>>,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let Self {
            number,
            instance,
            socket,
            peer,
        } = self;
        // There is none where nobody was let in.
        let Some(instance) = instance else { return };
        let mut turn = match gate.turn(number, peer.clone(), place) {
            Ok(turn) => turn,
            Err(why) => {
                // Where that fails, the peer hears of a good end.
                let _ = socket.set_linger(Some(Duration::ZERO));
                crew.have_back_unused(instance);
                return gate.turned_away(number, &peer, why);
            }
        };
        turn.traffic = Some(socket.traffic());
        let crew = Arc::clone(crew);
        gate.spawn(number, peer.clone(), async move {
            let late = turn.late();
            turn.serve(&crew, instance, (socket, peer), late).await;
        });
    }

    fn leave(self, gate: &Gate) {
        let Self {
            number,
            instance,
            socket,
            peer,
        } = self;
        // Before anybody hears of it.
        drop((instance, socket));
        gate.left(number, peer);
    }
}

/// A datagram, and the socket that it came to.
pub(crate) struct Datagram {
    number: u64,
    datagram: net::Datagram,
    socket: Socket,
}

impl Arrival for Datagram {
    type Server = DatagramServer;

    async fn next(
        gate: &Gate,
        socket: &Socket,
        _crew: &Crew<DatagramServer>,
    ) -> Result<Self, Error> {
        let options = ReceiveOptions::default();
        let datagram = socket.receive_from(DATAGRAM, options).await?;
        // The answers may wait, whatever the listener does.
        let mut socket = socket.duplicate();
        socket.set_timeout(None);
        Ok(Self {
            number: gate.shared.number(),
            datagram,
            socket,
        })
    }

    fn admit(
        self,
        gate: &Gate,
        crew: &Arc<Crew<DatagramServer>>,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let Self {
            number,
            datagram:
                net::Datagram {
                    data,
                    source,
                    asked,
                    ..
                },
            socket,
        } = self;
        let mut turn = match gate.turn(number, source.clone(), place) {
            Ok(turn) => turn,
            Err(why) => return gate.turned_away(number, &source, why),
        };
        turn.datagrams.received = length(&data);
        let crew = Arc::clone(crew);
        gate.spawn(number, source.clone(), async move {
            let instance = crew.instance(number);
            let network = instance.network().clone();
            if let Err(error) = network.may_be_handed(length(&data)) {
                return turn.fail(error);
            }
            let mut late = pin!(turn.late());
            let serve = turn.serve(&crew, instance, (data, source), late.as_mut());
            let Some(answers) = serve.await else { return };
            let may_send = turn
                .may_be_answered(answers.len())
                .and_then(|()| network.may_hand_back(answers.iter().map(Vec::len)));
            match may_send {
                Ok(()) => turn.answer(answers, &socket, asked, late).await,
                Err(error) => turn.fail(error),
            }
        });
    }

    fn leave(self, gate: &Gate) {
        gate.left(self.number, self.datagram.source);
    }
}
