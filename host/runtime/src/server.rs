//! A server: listens, and has each connection and each datagram served by an
//! instance of its own. It must not decide who may come: the policy does.

mod arrival;
mod bounds;
mod crew;
mod drain;
mod gate;
mod hold;
mod listener;
mod log;
mod meter;
mod numbered;
mod peers;
mod phase;
mod service;
mod turn;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_net::{AuditFailure, Error, PreopenError, Socket, SocketAddress};
use tokio::sync::{OwnedMutexGuard, Semaphore, watch};
use tokio::task::{AbortHandle, JoinHandle};

use arrival::{Connection, Datagram};
pub use bounds::{Bounds, Reuse, WhenFull};
pub use drain::Drained;
use gate::Gate;
pub use hold::Held;
use hold::Holds;
use listener::Listener;
pub use log::{Ending, Log, Served, TurnedAway, Visit};
use peers::Peers;
use phase::{Phase, Phases};
pub use service::Service;
use service::{Duty, Generation};

/// Serves connections and datagrams, each with an instance of a handler: what
/// `inetd` is for processes. A trap, an endless loop or a memory hog ends its
/// own connection and nothing else.
///
/// Clones are the same server. It serves from [`Server::listen`] to
/// [`Server::drain`]; it takes a tokio runtime, and uses all the threads that
/// this has.
///
/// ```no_run
/// use std::path::Path;
/// use std::time::Duration;
///
/// use portcullis::{Bounds, Engine, Handler, Network, Policy, Server, Service};
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let handler = Handler::load(&Engine::new()?, Path::new("echo.wasm"))?;
/// // What each instance may do besides serving: nothing.
/// let service = Service::new(handler, Network::new(Policy::default()));
/// // There may be more bounds one day, so they are changed rather than made.
/// let mut bounds = Bounds::default();
/// bounds.connections = 8;
/// bounds.idle_time = Some(Duration::from_secs(60));
/// let server = Server::new(service, bounds, ());
/// let address = server.listen("tcp://127.0.0.1:0 from loopback").await?;
/// println!("serving at {address}");
/// tokio::signal::ctrl_c().await?;
/// server.drain(Duration::from_secs(30)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The handler has nothing for connections.
    #[error("{0} serves no connections: it does not export `portcullis:sockets/stream-handler`")]
    NoStreamHandler(String),
    /// The handler has nothing for datagrams.
    #[error("{0} serves no datagrams: it does not export `portcullis:sockets/datagram-handler`")]
    NoDatagramHandler(String),
    /// The socket cannot be opened, or not within the new policy.
    #[error(transparent)]
    Open(#[from] PreopenError),
}

impl ListenError {
    /// What the server did that could not be recorded, if that is why. It is to end
    /// then.
    pub fn audit_failure(&self) -> Option<&AuditFailure> {
        match self {
            Self::Open(PreopenError::Open(error)) => error.audit_failure(),
            Self::Open(PreopenError::Grant(_) | PreopenError::NotOne)
            | Self::NoStreamHandler(_)
            | Self::NoDatagramHandler(_) => None,
        }
    }
}

pub(crate) struct Shared {
    bounds: Bounds,
    log: Arc<dyn Log>,
    room: Arc<Semaphore>,
    peers: Arc<Peers>,
    numbers: AtomicU64,
    live: Mutex<HashMap<u64, Live>>,
    serving: Arc<tokio::sync::Mutex<Serving>>,
    failure: watch::Sender<Option<AuditFailure>>,
    holds: Holds,
}

/// Somebody who is served.
struct Live {
    listener: Arc<str>,
    peer: SocketAddress,
    task: Task,
}

/// What serves somebody.
enum Task {
    /// It has not been started yet.
    Coming,
    /// It runs, or waits.
    Started(AbortHandle),
    /// It is to be ended as soon as it has been started.
    Dropped,
}

/// What is served with, and where.
struct Serving {
    generation: Generation,
    listening: Vec<Listening>,
    phase: watch::Sender<Phase>,
    ending: drain::Ending,
}

/// A listener and the loop that lets in who comes to it.
struct Listening {
    endpoint: Arc<str>,
    socket: Socket,
    /// Ends with how many it has let in and could not have served.
    task: JoinHandle<usize>,
}

impl Server {
    /// A server that does not listen yet, and tells `log` of whom it serves; `()`
    /// will do.
    pub fn new(service: Service, bounds: Bounds, log: impl Log + 'static) -> Self {
        let serving = Serving {
            generation: Generation::new(service, &bounds),
            listening: Vec::new(),
            phase: watch::Sender::default(),
            ending: drain::Ending::default(),
        };
        let room = usize::try_from(bounds.connections).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
                bounds,
                log: Arc::new(log),
                peers: Arc::default(),
                numbers: AtomicU64::default(),
                live: Mutex::default(),
                serving: Arc::new(tokio::sync::Mutex::new(serving)),
                failure: watch::Sender::default(),
                holds: Holds::default(),
            }),
        }
    }

    /// Has those who come wait in the queue until [`Server::begin`]: for whoever
    /// does not know yet whether it will serve. To be called before it listens; who
    /// serves already, or drains, goes on.
    pub async fn hold(&self) {
        let serving = self.shared.serving.lock().await;
        if serving.listening.is_empty() {
            serving.pass(Phase::Open, Phase::Held);
        }
    }

    /// Lets in those who have come since [`Server::hold`], and who come from now on.
    pub async fn begin(&self) {
        let serving = self.shared.serving.lock().await;
        serving.pass(Phase::Held, Phase::Open);
    }

    /// Listens where a grant says, and serves whoever comes there and is within
    /// its `from` range: `tcp://127.0.0.1:8080 from loopback`,
    /// `udp://127.0.0.1:5353`, `unix:/run/app.sock`. It takes no other grant, but
    /// denies and ceilings of the service's policy hold.
    ///
    /// Tells where it listens.
    ///
    /// # Errors
    ///
    /// Where the handler has nothing for such a socket, the text is not a grant
    /// to listen at one endpoint, or the socket cannot be opened.
    pub async fn listen(&self, endpoint: &str) -> Result<SocketAddress, ListenError> {
        let mut serving = self.shared.serving.lock().await;
        let grant = grant(endpoint);
        let socket = serving.generation.network.preopen(&grant).await?;
        self.serve_at(&mut serving, &grant, socket)
    }

    /// The same with a socket that listens there already, by another's doing: a
    /// service manager, or the process that this one takes over from.
    ///
    /// # Errors
    ///
    /// As above, or where the descriptor is something else, or somewhere else.
    pub async fn listen_from(
        &self,
        endpoint: &str,
        descriptor: OwnedFd,
    ) -> Result<SocketAddress, ListenError> {
        let mut serving = self.shared.serving.lock().await;
        let grant = grant(endpoint);
        let socket = serving
            .generation
            .network
            .preopen_from(&grant, descriptor)?;
        self.serve_at(&mut serving, &grant, socket)
    }

    /// The sockets that it listens on, once more, in the order in which it was told
    /// to: for a process that is to take over.
    ///
    /// # Errors
    ///
    /// Where the process has not descriptors enough.
    pub async fn descriptors(&self) -> Result<Vec<OwnedFd>, Error> {
        let serving = self.shared.serving.lock().await;
        let listening = serving.listening.iter();
        listening
            .map(|listening| listening.socket.descriptor())
            .collect()
    }

    /// Serves with something else from now on. Those who are served already keep
    /// what they have; with `drop_denied` those whom the new policy would not let
    /// in are dropped. Nobody who comes meanwhile is lost, also where this is dropped.
    ///
    /// # Errors
    ///
    /// Where the new service cannot be served at one of the endpoints. Then all
    /// is as it was.
    pub async fn replace(&self, service: Service, drop_denied: bool) -> Result<(), ListenError> {
        let serving = Arc::clone(&self.shared.serving).lock_owned().await;
        let generation =
            Generation::new(service, &self.shared.bounds).counting_on(&serving.generation);
        let again = serving.listening.iter().map(|listening| {
            let (network, endpoint) = (&generation.network, &listening.endpoint);
            let socket = network.preopen_again(endpoint, &listening.socket)?;
            let duty = generation.duty(&socket)?;
            Ok((socket, duty))
        });
        let again = again.collect::<Result<Vec<_>, ListenError>>();
        let again = again.inspect_err(|error| {
            if let Some(failure) = error.audit_failure() {
                self.shared.fail(failure.clone());
            }
        })?;
        // Whoever drops this must not leave listeners without anybody who listens.
        let turn_over = (self.clone()).turn_over(serving, generation, again, drop_denied);
        // Where the runtime is shut down meanwhile, nobody is served any more.
        let _ = tokio::spawn(turn_over).await;
        Ok(())
    }

    /// Has another generation serve, at the same sockets as it has them.
    async fn turn_over(
        self,
        mut serving: OwnedMutexGuard<Serving>,
        generation: Generation,
        again: Vec<(Socket, Duty)>,
        drop_denied: bool,
    ) {
        for listening in &serving.listening {
            listening.task.abort();
        }
        // Whom they let in until they are gone, they let in by the old policy.
        let mut endpoints = Vec::new();
        for Listening { endpoint, task, .. } in serving.listening.drain(..) {
            let _ = task.await;
            endpoints.push(endpoint);
        }
        serving.generation.retire();
        for (endpoint, (socket, duty)) in endpoints.into_iter().zip(again) {
            if drop_denied {
                self.shared.drop_denied(&endpoint, &socket);
            }
            let task = self.attend(&serving, &endpoint, socket.duplicate(), duty);
            serving.listening.push(Listening {
                endpoint,
                socket,
                task,
            });
        }
        serving.generation = generation;
    }

    /// How many are served right now.
    pub fn connections(&self) -> usize {
        self.shared.live().len()
    }

    /// The connection that has kept a thread of the runtime for longest without a pause;
    /// none where every thread is free, or at something else.
    ///
    /// Bounds on time take effect at pauses, which guests have every ten milliseconds. So a
    /// time of seconds is a fault: of the host, or of what it waits for, such as a disk
    /// that stalls under the audit log. A server with such a connection is not ready.
    pub fn held(&self) -> Option<Held> {
        self.shared.holds.longest()
    }

    /// Waits until something that an instance did could not be recorded by the
    /// network's audit. Whoever runs the server is to end it then.
    pub async fn audit_failure(&self) -> AuditFailure {
        let mut failure = self.shared.failure.subscribe();
        loop {
            if let Some(failure) = failure.borrow_and_update().clone() {
                return failure;
            }
            // The sender is as old as this.
            if failure.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    fn serve_at(
        &self,
        serving: &mut Serving,
        grant: &str,
        socket: Socket,
    ) -> Result<SocketAddress, ListenError> {
        let address = socket.local_address().map_err(PreopenError::Open)?;
        let duty = serving.generation.duty(&socket)?;
        let endpoint = Arc::from(grant.strip_prefix("listen ").unwrap_or(grant));
        let task = self.attend(serving, &endpoint, socket.duplicate(), duty);
        serving.listening.push(Listening {
            endpoint,
            socket,
            task,
        });
        Ok(address)
    }

    /// Has those who come to a socket let in.
    fn attend(
        &self,
        serving: &Serving,
        endpoint: &Arc<str>,
        socket: Socket,
        duty: Duty,
    ) -> JoinHandle<usize> {
        let gate = Gate {
            shared: Arc::clone(&self.shared),
            endpoint: Arc::clone(endpoint),
        };
        let listener = Listener {
            gate,
            socket,
            phases: Phases(serving.phase.subscribe()),
        };
        match duty {
            Duty::Connections(crew) => tokio::spawn(listener.serve::<Connection>(crew)),
            Duty::Datagrams(crew) => tokio::spawn(listener.serve::<Datagram>(crew)),
        }
    }
}

/// The grant to listen at an endpoint.
fn grant(endpoint: &str) -> String {
    match endpoint.starts_with("listen ") {
        true => endpoint.to_owned(),
        false => format!("listen {endpoint}"),
    }
}

impl Serving {
    /// From one phase to another, if it is in the one.
    fn pass(&self, from: Phase, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let is_so = *phase == from;
            if is_so {
                *phase = to;
            }
            is_so
        });
    }
}

impl Shared {
    /// A number that nobody else has.
    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Has somebody served, who can be dropped meanwhile.
    fn spawn(
        self: &Arc<Self>,
        number: u64,
        listener: Arc<str>,
        peer: SocketAddress,
        turn: impl Future<Output = ()> + Send + 'static,
    ) {
        // Known from before it is started, since it may be over at once.
        self.live().insert(
            number,
            Live {
                listener,
                peer,
                task: Task::Coming,
            },
        );
        let shared = Arc::clone(self);
        let turn = async move { shared.holds.note(number, turn).await };
        // Where the runtime is being shut down, this ends the turn, which locks.
        let task = tokio::spawn(turn).abort_handle();
        if let Some(live) = self.live().get_mut(&number) {
            match live.task {
                Task::Coming | Task::Started(_) => live.task = Task::Started(task),
                Task::Dropped => task.abort(),
            }
        }
    }

    fn forget(&self, number: u64) {
        self.live().remove(&number);
    }

    /// Drops those whom a listener would not let in.
    fn drop_denied(&self, endpoint: &str, listener: &Socket) {
        self.drop_live(|live| &*live.listener == endpoint && !listener.admits(&live.peer));
    }

    fn drop_live(&self, which: impl Fn(&Live) -> bool) -> usize {
        let mut live = self.live();
        let dropped = live.values_mut().filter(|live| which(live));
        let ended = dropped.map(
            |live| match std::mem::replace(&mut live.task, Task::Dropped) {
                Task::Started(task) => task.abort(),
                Task::Coming | Task::Dropped => {}
            },
        );
        ended.count()
    }

    fn fail(&self, failure: AuditFailure) {
        self.failure.send_replace(Some(failure));
    }

    fn live(&self) -> MutexGuard<'_, HashMap<u64, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("bounds", &self.shared.bounds)
            .finish_non_exhaustive()
    }
}
