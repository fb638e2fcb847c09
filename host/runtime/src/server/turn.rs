//! One turn: somebody is served, by one instance, within the bounds.

use std::future::{self, Future};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_net::{Asked, Error, ErrorCode, SendOptions, Socket, SocketAddress, Traffic};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;
use wasmtime_wasi::I32Exit;

use super::Shared;
use super::crew::{Crew, Export, Failed, Instance};
use super::log::{Ending, Served, Visit};
use super::meter;
use super::peers::Entry;

/// In how many parts idle time is looked at.
const PARTS: u32 = 8;

/// Somebody who was let in. However the turn ends, that is told, and the place
/// is free again.
pub(crate) struct Turn {
    pub(crate) shared: Arc<Shared>,
    pub(crate) number: u64,
    pub(crate) listener: Arc<str>,
    pub(crate) peer: SocketAddress,
    pub(crate) time: SystemTime,
    pub(crate) began: Instant,
    /// None for a datagram.
    pub(crate) traffic: Option<Traffic>,
    /// What came in datagrams, and what went.
    pub(crate) datagrams: Bytes,
    pub(crate) cpu_time: Duration,
    pub(crate) instantiation: Option<Duration>,
    pub(crate) memory: usize,
    pub(crate) ending: Ending,
    /// None where it was never served.
    pub(crate) _place: Option<OwnedSemaphorePermit>,
    pub(crate) _entry: Option<Entry>,
}

/// How much went which way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bytes {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// In how many answers, to a datagram.
    pub(crate) answers: u64,
}

impl Bytes {
    fn answer(&mut self, answer: &[u8]) {
        self.sent += length(answer);
        self.answers += 1;
    }
}

impl Turn {
    /// When it has taken too long, and how it ends then.
    pub(crate) fn late(&self) -> impl Future<Output = Ending> + use<> {
        let bounds = &self.shared.bounds;
        let (time, idle_time) = (bounds.time, bounds.idle_time);
        let traffic = self.traffic.clone();
        async move {
            tokio::select! {
                biased;
                () = after(time) => Ending::OutOfTime,
                () = idle(traffic.as_ref(), idle_time) => Ending::Idle,
            }
        }
    }

    /// Has an instance serve until it is too late.
    pub(crate) async fn serve<E: Export>(
        &mut self,
        crew: &Crew<E>,
        mut instance: Instance<E>,
        input: E::Input,
        late: impl Future<Output = Ending>,
    ) -> Option<E::Output> {
        let network = instance.network().clone();
        let at_work = AtWork {
            instance: &mut instance,
            memory: &mut self.memory,
        };
        let work = (at_work.instance).serve(crew, input, &mut self.instantiation);
        let work = meter::within(self.shared.bounds.cpu_time, &mut self.cpu_time, work);
        let done = tokio::select! {
            biased;
            done = work => done.ok_or(Ending::OutOfCpuTime),
            ending = late => Err(ending),
        };
        drop(at_work);
        let is_short = instance.memory().is_short();
        let has_returned = matches!(done, Ok(Ok(_)));
        let (ending, output) = match done {
            Ok(Ok(Ok(output))) => (Ending::Finished, Some(output)),
            Ok(Ok(Err(error))) => (Ending::Failed(error.into()), None),
            Ok(Err(failed)) => (ending(failed, is_short), None),
            Err(ending) => (ending, None),
        };
        // One that holds on to the connection would have it for ever.
        let has_let_go = self.traffic.as_ref().is_none_or(Traffic::is_over);
        if has_returned && has_let_go {
            crew.have_back(instance);
        } else {
            // Its sockets are closed before anybody hears of it.
            drop(instance);
        }
        self.ending = match network.audit_failure() {
            Some(failure) => {
                self.shared.fail(failure.clone());
                Ending::Unaudited(failure.clone())
            }
            None => ending,
        };
        output
    }

    /// Says that it ended otherwise.
    pub(crate) fn fail(&mut self, error: Error) {
        self.ending = Ending::Failed(error);
    }

    /// Whether a datagram may have so many answers.
    pub(crate) fn may_be_answered(&self, answers: usize) -> Result<(), Error> {
        let most = self.shared.bounds.answers;
        if u32::try_from(answers).is_ok_and(|answers| answers <= most) {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::LimitExceeded,
            format!("{answers} answers to one datagram, of which {most} may be (--max-answers)"),
        ))
    }

    /// Sends a datagram its answers, from where it was sent to, until it is too late.
    pub(crate) async fn answer(
        &mut self,
        answers: Vec<Vec<u8>>,
        socket: &Socket,
        asked: Option<Asked>,
        late: impl Future<Output = Ending>,
    ) {
        // Whoever reads a unix socket could have others wait for ever. An answer
        // that does not fit there is lost, as it would be on a network.
        let options = SendOptions {
            dont_wait: matches!(self.peer, SocketAddress::Unix(_)),
            ..SendOptions::default()
        };
        // Dropped meanwhile, it has not finished.
        let finished = std::mem::replace(&mut self.ending, Ending::Dropped);
        let (to, datagrams) = (&self.peer, &mut self.datagrams);
        let send = async {
            for answer in answers {
                match socket.answer(&answer, options, to, asked).await {
                    Ok(_) => datagrams.answer(&answer),
                    Err(error) if error.code() == ErrorCode::WouldBlock => {}
                    Err(error) => return Ending::Failed(error),
                }
                // The bounds and the drain are looked at, and others have the thread.
                tokio::task::yield_now().await;
            }
            finished
        };
        let send = meter::within(self.shared.bounds.cpu_time, &mut self.cpu_time, send);
        self.ending = tokio::select! {
            biased;
            ending = late => ending,
            ending = send => ending.unwrap_or(Ending::OutOfCpuTime),
        };
    }

    pub(crate) fn visit(&self) -> Visit<'_> {
        Visit {
            number: self.number,
            listener: &self.listener,
            peer: &self.peer,
            time: self.time,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.forget(self.number);
        let bytes = match &self.traffic {
            Some(traffic) => Bytes {
                received: traffic.received(),
                sent: traffic.sent(),
                answers: 0,
            },
            None => self.datagrams,
        };
        self.shared.log.ended(&Served {
            visit: self.visit(),
            ending: &self.ending,
            bytes_received: bytes.received,
            bytes_sent: bytes.sent,
            answers: self.traffic.is_none().then_some(bytes.answers),
            duration: self.began.elapsed(),
            instantiation: self.instantiation,
            cpu_time: self.cpu_time,
            memory: self.memory,
        });
    }
}

/// An instance that serves. However that ends, it is known how much memory it had.
struct AtWork<'a, E: Export> {
    instance: &'a mut Instance<E>,
    memory: &'a mut usize,
}

impl<E: Export> Drop for AtWork<'_, E> {
    fn drop(&mut self) {
        *self.memory = self.instance.memory().used();
    }
}

/// The bytes of a datagram.
pub(crate) fn length(datagram: &[u8]) -> u64 {
    u64::try_from(datagram.len()).unwrap_or(u64::MAX)
}

/// How it ended where the handler did not return.
fn ending(failed: Failed, is_short_of_memory: bool) -> Ending {
    match failed {
        Failed::ToBegin(error) if !error.is::<wasmtime::Trap>() => Ending::NotBegun(error),
        Failed::ToBegin(error) | Failed::Within(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(0)) => Ending::Finished,
            Some(I32Exit(code)) => Ending::Exited(*code),
            None if is_short_of_memory => Ending::OutOfMemory(error),
            None => Ending::Trapped(error),
        },
    }
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => future::pending().await,
    }
}

/// Waits until nothing has moved for some time, as nothing does for a datagram. It
/// looks now and then, so that moving data costs nothing.
async fn idle(traffic: Option<&Traffic>, time: Option<Duration>) {
    let Some(time) = time else {
        return future::pending().await;
    };
    let Some(traffic) = traffic else {
        return sleep(time).await;
    };
    let moved = || (traffic.received(), traffic.sent());
    let (mut last, mut quiet) = (moved(), 0);
    while quiet < PARTS {
        sleep(time / PARTS).await;
        let now = moved();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
    }
}
