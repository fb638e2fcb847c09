//! One turn: somebody is served, by one instance, within the bounds.

use std::future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_net::{Error, SocketAddress, Traffic};
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
    pub(crate) _place: OwnedSemaphorePermit,
    pub(crate) _entry: Option<Entry>,
}

/// How much went which way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bytes {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Turn {
    /// Has an instance serve.
    pub(crate) async fn serve<E: Export>(
        &mut self,
        crew: &Crew<E>,
        mut instance: Instance<E>,
        input: E::Input,
    ) -> Option<E::Output> {
        let network = instance.network().clone();
        let bounds = &self.shared.bounds;
        let work = instance.serve(crew, input, &mut self.instantiation);
        let work = meter::within(bounds.cpu_time, &mut self.cpu_time, work);
        let done = tokio::select! {
            biased;
            done = work => done.ok_or(Ending::OutOfCpuTime),
            () = after(bounds.time) => Err(Ending::OutOfTime),
            () = idle(self.traffic.as_ref(), bounds.idle_time) => Err(Ending::Idle),
        };
        self.memory = instance.memory().used();
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

    /// Says that it ended otherwise after all.
    pub(crate) fn fail(&mut self, error: Error) {
        self.ending = Ending::Failed(error);
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
            },
            None => self.datagrams,
        };
        self.shared.log.ended(&Served {
            visit: self.visit(),
            ending: &self.ending,
            bytes_received: bytes.received,
            bytes_sent: bytes.sent,
            duration: self.began.elapsed(),
            instantiation: self.instantiation,
            cpu_time: self.cpu_time,
            memory: self.memory,
        });
    }
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
