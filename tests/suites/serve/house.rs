//! A server in this process, those who visit it, and what its log hears. The
//! visitors are native and block, in threads that are none of the server's.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis::{
    Audit, Bounds, Denied, Engine, Error, Event, Handler, ListenError, Log, Network, Policy,
    Refused, Served, Server, Service, SocketAddress, TableResolver, TurnedAway, Visit,
};
use portcullis_tests::{ENGINE, PATIENCE, component, visit, visit_from};
use tokio::runtime::Runtime;

/// How many threads serve: few, so that it is soon seen where one is kept from
/// the others.
pub(crate) const WORKERS: usize = 2;

/// What is to be served, and how.
pub(crate) struct Plan {
    handler: &'static str,
    policy: String,
    bounds: Bounds,
    engine: Engine,
}

/// A server, and what is heard of it.
pub(crate) struct House {
    /// None once it has been shut down.
    pub(crate) runtime: Option<Runtime>,
    pub(crate) server: Server,
    pub(crate) engine: Engine,
    pub(crate) address: SocketAddr,
    pub(crate) denials: Denials,
    told: Mutex<Receiver<Told>>,
}

/// What the log hears of the end of those who visit, or of who does not get in.
#[derive(Debug)]
pub(crate) enum Told {
    Ended(Ended),
    TurnedAway(TurnedAway),
    Failed(String),
}

/// See [`Served`].
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) word: &'static str,
    pub(crate) ending: String,
    pub(crate) cpu_time: Duration,
    pub(crate) duration: Duration,
    pub(crate) memory: usize,
    pub(crate) was_made: bool,
    pub(crate) answers: Option<u64>,
}

pub(crate) fn serve(handler: &'static str) -> Plan {
    Plan {
        handler,
        policy: String::new(),
        bounds: Bounds::default(),
        engine: ENGINE.clone(),
    }
}

impl Plan {
    /// The lines of a policy file.
    pub(crate) fn policy(mut self, lines: &str) -> Self {
        self.policy = lines.to_owned();
        self
    }

    pub(crate) fn bounds(mut self, set: impl FnOnce(&mut Bounds)) -> Self {
        set(&mut self.bounds);
        self
    }

    pub(crate) fn pooled(mut self) -> Self {
        self.engine = Engine::builder().pool(&self.bounds).build().unwrap();
        self
    }

    /// Serves at a free port of loopback.
    pub(crate) fn start(self) -> House {
        self.start_at("tcp://127.0.0.1:0")
    }

    pub(crate) fn start_at(self, endpoint: &str) -> House {
        let Self {
            handler,
            policy,
            bounds,
            engine,
        } = self;
        let (sender, told) = mpsc::channel();
        let denials = Denials::default();
        let service = service(&engine, handler, &policy, &denials);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .unwrap();
        let server = Server::new(service, bounds, Ledger(sender));
        let address = runtime.block_on(server.listen(endpoint)).unwrap();
        House {
            address: match address {
                SocketAddress::Inet(address) => address,
                SocketAddress::Unix(_) => SocketAddr::from(([0; 4], 0)),
            },
            runtime: Some(runtime),
            server,
            engine,
            denials,
            told: Mutex::new(told),
        }
    }
}

fn service(engine: &Engine, handler: &str, policy: &str, denials: &Denials) -> Service {
    let handler = Handler::load(engine, &component(handler)).unwrap();
    let policy = Policy::builder()
        .file("policy.toml", &format!("version = 1\n{policy}"))
        .build()
        .unwrap();
    let network = Network::new(policy)
        .with_resolver(TableResolver::default())
        .with_audit(denials.clone());
    Service::new(handler, network)
}

impl House {
    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    pub(crate) fn listen(&self, endpoint: &str) -> Result<SocketAddress, ListenError> {
        self.runtime().block_on(self.server.listen(endpoint))
    }

    /// Serves with something else.
    pub(crate) fn replace(
        &self,
        handler: &str,
        policy: &str,
        drop_denied: bool,
    ) -> Result<(), ListenError> {
        let service = self.service(handler, policy);
        self.runtime()
            .block_on(self.server.replace(service, drop_denied))
    }

    pub(crate) fn service(&self, handler: &str, policy: &str) -> Service {
        service(&self.engine, handler, policy, &self.denials)
    }

    pub(crate) fn drain(&self, patience: Duration) -> usize {
        self.runtime().block_on(self.server.drain(patience)).dropped
    }

    /// Visits with an order.
    pub(crate) fn visit(&self, order: &str) -> Visitor {
        Visitor::over(visit(self.address), order)
    }

    /// Visits without a word.
    pub(crate) fn listen_to(&self) -> Visitor {
        Visitor::silent(visit(self.address))
    }

    /// Visits from an address of loopback.
    pub(crate) fn visit_from(&self, address: [u8; 4], order: &str) -> Visitor {
        Visitor::over(visit_from(address, self.address), order)
    }

    /// What a visitor hears who has an order, which has to be obeyed.
    #[track_caller]
    pub(crate) fn ask(&self, order: &str) -> String {
        let answer = self.visit(order).answer().unwrap();
        self.expect("finished");
        answer
    }

    /// Waits for what the log hears next.
    #[track_caller]
    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// What the log has heard, if there is more.
    pub(crate) fn told_already(&self) -> Option<Told> {
        self.told.lock().unwrap().try_recv().ok()
    }

    /// Waits for the next end, which has to be this.
    #[track_caller]
    pub(crate) fn expect(&self, word: &str) -> Ended {
        match self.told() {
            Told::Ended(ended) if ended.word == word => ended,
            told @ (Told::Ended(_) | Told::TurnedAway(..) | Told::Failed(_)) => {
                panic!("expected {word}, and heard {told:?}")
            }
        }
    }

    /// Waits until somebody is turned away, which has to be for this.
    #[track_caller]
    pub(crate) fn expect_turned_away(&self, expected: TurnedAway) {
        match self.told() {
            Told::TurnedAway(why) if why == expected => {}
            told @ (Told::Ended(_) | Told::TurnedAway(..) | Told::Failed(_)) => {
                panic!("expected that somebody is turned away, and heard {told:?}")
            }
        }
    }

    /// Checks that the log has heard of nothing more.
    #[track_caller]
    pub(crate) fn expect_nothing(&self) {
        let told = self.told_already();
        assert!(told.is_none(), "the log has heard more: {told:?}");
    }

    /// Waits until so many are served.
    #[track_caller]
    pub(crate) fn wait_for_connections(&self, count: usize) {
        wait_until("the connections are not what they should be", || {
            self.server.connections() == count
        });
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A guest that loops may be at it still.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Somebody with an order.
pub(crate) struct Visitor {
    pub(crate) stream: TcpStream,
    /// What became of the order. Of a reset, only the first hears who asks.
    given: io::Result<()>,
}

impl Visitor {
    pub(crate) fn over(stream: TcpStream, order: &str) -> Self {
        let mut visitor = Self::silent(stream);
        visitor.given = visitor.stream.write_all(format!("{order}\n").as_bytes());
        visitor
    }

    fn silent(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let given = Ok(());
        Self { stream, given }
    }

    /// What it hears until the end.
    pub(crate) fn answer(mut self) -> io::Result<String> {
        let mut answer = String::new();
        self.given?;
        self.stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Waits for the end, whichever it is.
    #[track_caller]
    pub(crate) fn wait_for_end(mut self) {
        loop {
            match self.stream.read(&mut [0; 4096]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    assert!(!is_timeout(&error), "the connection does not end");
                    return;
                }
            }
        }
    }

    /// Waits to be reset.
    #[track_caller]
    pub(crate) fn expect_reset(self) {
        let error = self.answer().unwrap_err();
        let resets = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        assert!(resets.contains(&error.kind()), "{error}");
    }

    /// Says something, which is to come back.
    #[track_caller]
    pub(crate) fn echo(&mut self) {
        let mut answer = [0; 5];
        self.stream.write_all(b"hello").unwrap();
        self.stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }
}

fn is_timeout(error: &io::Error) -> bool {
    [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind())
}

/// Writes down what a server tells.
struct Ledger(Sender<Told>);

impl Ledger {
    fn write(&self, told: Told) {
        // Nobody reads it once the test is over.
        let _ = self.0.send(told);
    }
}

impl Log for Ledger {
    fn ended(&self, served: &Served<'_>) {
        self.write(Told::Ended(Ended {
            word: served.ending.as_str(),
            ending: format!("{:?}", served.ending),
            cpu_time: served.cpu_time,
            duration: served.duration,
            memory: served.memory,
            was_made: served.instantiation.is_some(),
            answers: served.answers,
        }));
    }

    fn turned_away(&self, _visit: &Visit<'_>, why: TurnedAway) {
        self.write(Told::TurnedAway(why));
    }

    fn failed(&self, _listener: &str, error: &Error) {
        self.write(Told::Failed(format!("{:?}", error.code())));
    }
}

/// An audit that remembers who was denied something, and who was not let in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Denials(Arc<Mutex<Vec<String>>>);

impl Denials {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Audit for Denials {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        if let Event::Denied(Denied { denial, .. }) | Event::Refused(Refused { denial, .. }) = event
        {
            self.0.lock().unwrap().push(denial.report().to_string());
        }
        Ok(())
    }
}
