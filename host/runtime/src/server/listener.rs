//! The loop that lets in who comes to a listener, and has them served.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use portcullis_net::{Error, ErrorCode, Socket};
use tokio::time::sleep;

use super::arrival::Arrival;
use super::crew::Crew;
use super::gate::Gate;
use super::phase::Phases;

/// How long a listener that fails rests: the host lacks something that it may
/// have again.
const REST: Duration = Duration::from_millis(50);

/// How often somebody is let in at the end who came before it: as many as wait in
/// the longest queue that Linux has unless it is told otherwise.
const LAST: usize = 4096;

/// A socket that the server listens on.
pub(crate) struct Listener {
    pub(crate) gate: Gate,
    pub(crate) socket: Socket,
    pub(crate) phases: Phases,
}

/// What is left in the queue of a listener that is closed.
enum Left {
    /// Nobody who had come by then.
    Nobody,
    /// More than are taken: one at least.
    Somebody,
    /// Those whom it could not take.
    Failed(Error),
}

impl Listener {
    /// Lets in who comes until the listener is closed, and those who had come by
    /// then. Tells how many of them found no place.
    pub(crate) async fn serve<A: Arrival>(self, crew: Arc<Crew<A::Server>>) -> usize {
        let mut phases = self.phases.clone();
        phases.begun().await;
        loop {
            tokio::select! {
                biased;
                () = phases.closing() => break,
                served = self.serve_next::<A>(&crew) => if let Err(error) = served {
                    self.rest(error).await;
                }
            }
        }
        self.finish::<A>(&crew).await
    }

    async fn serve_next<A: Arrival>(&self, crew: &Arc<Crew<A::Server>>) -> Result<(), Error> {
        let Self { gate, socket, .. } = self;
        let place = gate.place(socket).await?;
        let next = A::next(gate, socket, crew);
        let arrival = match &place {
            None => next.await?,
            Some(_) => tokio::select! {
                biased;
                arrival = next => arrival?,
                // Others may have the place while nobody comes here.
                () = future::ready(()) => {
                    drop(place);
                    return socket.wait_for_arrival().await;
                }
            },
        };
        arrival.admit(gate, crew, place);
        Ok(())
    }

    /// Tells of what failed, and waits for better times.
    async fn rest(&self, error: Error) {
        if !is_of_one(&error) {
            self.gate.failed(&error);
            sleep(REST).await;
        }
    }

    /// Serves those who wait in the queue.
    async fn finish<A: Arrival>(self, crew: &Arc<Crew<A::Server>>) -> usize {
        let Self {
            gate,
            mut socket,
            mut phases,
        } = self;
        socket.set_timeout(Some(Duration::ZERO));
        let (mut open, mut count) = (Some(socket), 0);
        while let Some(socket) = open.take() {
            let (waiting, left) = take::<A>(&gate, &socket, crew).await;
            match left {
                // Who comes now finds nobody, rather than a queue that nobody looks
                // at.
                Left::Nobody => drop(socket),
                Left::Somebody => count += 1,
                Left::Failed(error) => {
                    gate.failed(&error);
                    open = Some(socket);
                }
            }
            for arrival in waiting {
                match gate.last_place(&mut phases).await {
                    Some(place) => arrival.admit(&gate, crew, Some(place)),
                    None => {
                        arrival.leave(&gate);
                        count += 1;
                    }
                }
            }
            if open.is_some() {
                tokio::select! {
                    biased;
                    () = phases.end() => {
                        open = None;
                        count += 1;
                    }
                    () = sleep(REST) => {}
                }
            }
        }
        count
    }
}

/// Takes all who are in the queue, without waiting for others.
async fn take<A: Arrival>(gate: &Gate, socket: &Socket, crew: &Crew<A::Server>) -> (Vec<A>, Left) {
    let mut waiting = Vec::new();
    for _ in 0..LAST {
        match socket.has_arrival() {
            Ok(true) => {}
            Ok(false) => return (waiting, Left::Nobody),
            Err(error) => return (waiting, Left::Failed(error)),
        }
        match A::next(gate, socket, crew).await {
            Ok(arrival) => waiting.push(arrival),
            // They were turned away, or another process was faster.
            Err(error) if is_of_one(&error) || error.code() == ErrorCode::WouldBlock => {}
            Err(error) => return (waiting, Left::Failed(error)),
        }
    }
    (waiting, Left::Somebody)
}

/// Whether an error was that of one connection, which is gone.
fn is_of_one(error: &Error) -> bool {
    let codes = [ErrorCode::ConnectionAborted, ErrorCode::ConnectionReset];
    codes.contains(&error.code())
}
