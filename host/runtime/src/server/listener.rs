//! The loops that let in who comes to a listener, and have them served.

use std::sync::Arc;
use std::time::Duration;

use portcullis_net::{Datagram, Error, ErrorCode, ReceiveOptions, Socket};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::crew::Crew;
use super::gate::{Accepted, Gate};
use crate::bindings::datagram::DatagramServer;
use crate::bindings::stream::StreamServer;

/// How long a listener that fails rests: the host lacks something that it may
/// have again.
const REST: Duration = Duration::from_millis(50);

/// The longest datagram that there is.
const DATAGRAM: usize = 65535;

/// How many are let in at the end who came before it: as many as wait in the
/// longest queue that Linux has unless it is told otherwise.
const LAST: usize = 4096;

/// A socket that the server listens on.
pub(crate) struct Listener {
    pub(crate) gate: Gate,
    pub(crate) socket: Socket,
    /// Tells that nobody is to be let in any more, and until when those are
    /// served who have come.
    pub(crate) closing: watch::Receiver<Option<Instant>>,
}

impl Listener {
    /// Lets in connections until the listener is closed, and those that had come
    /// by then. Tells how many of them found no place.
    pub(crate) async fn accept(self, crew: Arc<Crew<StreamServer>>) -> usize {
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                biased;
                // Whoever could close it being gone, it is closed too.
                _ = closing.wait_for(Option::is_some) => break,
                () = self.accept_one(&crew) => {}
            }
            // Whoever comes without end keeps the thread from nobody.
            tokio::task::coop::consume_budget().await;
        }
        let Self {
            gate, mut socket, ..
        } = self;
        socket.set_timeout(Some(Duration::ZERO));
        let mut waiting = Vec::new();
        for _ in 0..LAST {
            match accept(&gate, &socket, &crew).await {
                Ok(accepted) => waiting.push(accepted),
                Err(error) if is_of_one(&error) => {}
                Err(_) => break,
            }
        }
        // Who comes now finds nobody, rather than a queue that nobody looks at.
        drop(socket);
        let mut left = waiting.len();
        for accepted in waiting {
            let Some(place) = gate.last_place(&mut closing).await else {
                return left;
            };
            gate.admit(&crew, accepted, Some(place));
            left -= 1;
        }
        left
    }

    async fn accept_one(&self, crew: &Arc<Crew<StreamServer>>) {
        let place = self.gate.place().await;
        match accept(&self.gate, &self.socket, crew).await {
            Ok(accepted) => self.gate.admit(crew, accepted, place),
            Err(error) => self.rest(error).await,
        }
    }

    /// The same for datagrams. The socket stays open until they are answered.
    pub(crate) async fn receive(self, crew: Arc<Crew<DatagramServer>>) -> usize {
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                biased;
                _ = closing.wait_for(Option::is_some) => break,
                () = self.receive_one(&crew) => {}
            }
            tokio::task::coop::consume_budget().await;
        }
        let Self {
            gate, mut socket, ..
        } = self;
        socket.set_timeout(Some(Duration::ZERO));
        let mut waiting = Vec::new();
        while waiting.len() < LAST {
            match receive(&socket).await {
                Ok(datagram) => waiting.push(datagram),
                Err(_) => break,
            }
        }
        socket.set_timeout(None);
        let mut left = waiting.len();
        for datagram in waiting {
            let Some(place) = gate.last_place(&mut closing).await else {
                return left;
            };
            gate.admit_datagram(&crew, datagram, socket.duplicate(), Some(place));
            left -= 1;
        }
        left
    }

    async fn receive_one(&self, crew: &Arc<Crew<DatagramServer>>) {
        let place = self.gate.place().await;
        match receive(&self.socket).await {
            Ok(datagram) => {
                let socket = self.socket.duplicate();
                self.gate.admit_datagram(crew, datagram, socket, place);
            }
            Err(error) => self.rest(error).await,
        }
    }

    /// Tells of what failed, and waits for better times.
    async fn rest(&self, error: Error) {
        let Gate { shared, endpoint } = &self.gate;
        if let Some(failure) = error.audit_failure() {
            shared.fail(failure.clone());
        }
        if !is_of_one(&error) {
            shared.log.failed(endpoint, &error);
            sleep(REST).await;
        }
    }
}

/// Whether an error was that of one connection, which is gone.
fn is_of_one(error: &Error) -> bool {
    let codes = [ErrorCode::ConnectionAborted, ErrorCode::ConnectionReset];
    codes.contains(&error.code())
}

/// Takes the next connection, for an instance that is found when there is one.
async fn accept(
    gate: &Gate,
    socket: &Socket,
    crew: &Crew<StreamServer>,
) -> Result<Accepted, Error> {
    let (mut number, mut instance) = (0, None);
    let guest = || {
        number = gate.shared.number();
        instance.insert(crew.instance(number)).network().clone()
    };
    let (connection, peer) = socket.accept_for(guest).await?;
    Ok(Accepted {
        number,
        instance,
        connection,
        peer,
    })
}

async fn receive(socket: &Socket) -> Result<Datagram, Error> {
    let options = ReceiveOptions::default();
    socket.receive_from(DATAGRAM, options).await
}
