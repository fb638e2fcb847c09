//! What the suites share: running a guest under a policy, and native peers for
//! it to talk to.

#![expect(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod descriptors;
pub mod dice;
pub mod generator;
mod machine;
pub mod measure;
mod script;
pub mod server;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{env, panic, thread};

use portcullis::wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use portcullis::wasmtime_wasi::{FsPerms, WasiCtx};
use portcullis::{
    Audit, Ctx, Denied, Engine, Event, Network, Outcome, Policy, Program, Refused, Resolver,
    TableResolver, wasmtime,
};
use socket2::{Domain, Socket, Type};

pub use descriptors::spawn_alone;
pub use machine::machine;
use script::Orders;
pub use script::{Answer, Script};

/// Nothing that works takes this long, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where `cargo xtask guests` puts a component.
pub fn component(name: &str) -> PathBuf {
    let folder = match env::var_os("PORTCULLIS_GUESTS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/guests/wasm32-wasip2/release"
        )),
    };
    let path = folder.join(name).with_extension("wasm");
    assert!(
        path.exists(),
        "{} is not there; `cargo xtask guests` builds it",
        path.display()
    );
    path
}

/// Compiled once for all tests of a process.
pub static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::with_cache(&cache_folder()).unwrap());

fn cache_folder() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/compiled-guests").into()
}

/// A guest that is to be run once.
pub struct Guest {
    component: PathBuf,
    arguments: Vec<String>,
    network: Network,
    policy: Policy,
    folder: Option<PathBuf>,
    sockets: Vec<(String, String)>,
    patience: Duration,
    input: Option<Orders>,
    output: MemoryOutputPipe,
    denials: Denials,
}

/// What a guest left behind.
#[derive(Debug)]
pub struct Finished {
    pub outcome: Outcome,
    pub output: String,
    /// The report on each denial, in order.
    pub denials: Vec<String>,
}

impl Guest {
    /// `behaviour` of the test guest `component`, which is granted nothing.
    pub fn new(component_name: &str, behaviour: &str) -> Self {
        let denials = Denials::default();
        let network = Network::new(Policy::default())
            .with_resolver(TableResolver::default())
            .with_audit(denials.clone());
        let arguments = vec![component_name.to_owned(), behaviour.to_owned()];
        let output = MemoryOutputPipe::new(1 << 20);
        Self {
            component: component(component_name),
            arguments,
            network,
            policy: Policy::default(),
            folder: None,
            sockets: Vec::new(),
            patience: PATIENCE,
            input: None,
            output,
            denials,
        }
    }

    pub fn argument(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Grants what the text says; the whole policy, as one file or grant does
    /// not go on where another ends.
    pub fn allow(self, grant: &str) -> Self {
        self.policy(Policy::builder().allow(grant).build().unwrap())
    }

    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Opens a socket for the guest.
    pub fn socket(mut self, name: &str, grant: &str) -> Self {
        self.sockets.push((name.to_owned(), grant.to_owned()));
        self
    }

    /// How long it may take, where that is not [`PATIENCE`].
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Lets it read what a test tells it.
    fn input(mut self, input: Orders) -> Self {
        self.input = Some(input);
        self
    }

    /// Lets names be found that are not in the policy.
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.network = self.network.with_resolver(resolver);
        self
    }

    /// Lets it read the files of a folder, by their paths here.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Runs it to its end, in the background.
    ///
    /// It has a descriptor table of its own, and fails the test if one of its
    /// sockets is still open when it has ended, however that came about.
    pub fn start(self) -> Running {
        let Self {
            component,
            arguments,
            network,
            policy,
            folder,
            sockets,
            patience,
            input,
            output,
            denials,
        } = self;
        let network = network.with_policy(policy);
        let printed = output.clone();
        // Compiled by threads that belong to the process, not to the guest.
        Program::load(&ENGINE, &component).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let ordered = Arc::clone(&stop);
        let table = Arc::<OnceLock<PathBuf>>::default();
        let told = Arc::clone(&table);
        let thread = spawn_alone(move |runtime| {
            told.set(descriptors::table()).unwrap();
            let of_the_runtime = descriptors::open();
            let mut wasi = WasiCtx::builder();
            wasi.args(&arguments).stdout(printed).inherit_stderr();
            if let Some(input) = input {
                wasi.stdin(input);
            }
            if let Some(folder) = folder {
                let path = folder.to_str().unwrap();
                wasi.preopened_dir(&folder, path, FsPerms::ReadOnly)
                    .unwrap();
            }
            let wasi = wasi.build();
            let outcome = runtime.block_on(async move {
                // Its memory's image is a file, so it is loaded where it runs.
                let program = Program::load(&ENGINE, &component).unwrap();
                let mut ctx = Ctx::new(network);
                for (name, grant) in &sockets {
                    ctx.preopen(name, grant).await.unwrap();
                }
                tokio::select! {
                    outcome = program.run(wasi, ctx) => Some(in_words(outcome.unwrap())),
                    () = comes_true(&ordered) => None,
                    () = tokio::time::sleep(patience) => panic!("the guest does not end"),
                }
            });
            descriptors::assert_none_beside(&of_the_runtime);
            (outcome, time_at_work())
        });
        Running {
            thread,
            table,
            stop,
            output,
            denials,
        }
    }

    /// Runs it to its end.
    pub fn finish(self) -> Finished {
        self.start().finish()
    }

    /// Runs it to its end, which has to be a good one; returns what it printed.
    #[track_caller]
    pub fn succeed(self) -> String {
        self.start().succeed()
    }
}

/// A guest that runs in a thread of its own.
pub struct Running {
    thread: JoinHandle<(Option<Outcome>, Duration)>,
    /// Where its descriptors are listed, once it has a table.
    table: Arc<OnceLock<PathBuf>>,
    stop: Arc<AtomicBool>,
    output: MemoryOutputPipe,
    denials: Denials,
}

impl Running {
    /// Waits for the guest to print a line that is an address.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.line(0).parse().unwrap()
    }

    /// Waits for the guest to print this many lines and one more, and returns
    /// that.
    #[track_caller]
    pub fn line(&self, number: usize) -> String {
        for _ in 0..PATIENCE.as_millis() / 2 {
            let output = String::from_utf8(self.output.contents().to_vec()).unwrap();
            let line = output.split_inclusive('\n').nth(number);
            if let Some(line) = line.and_then(|line| line.strip_suffix('\n')) {
                return line.to_owned();
            }
            assert!(
                !self.thread.is_finished(),
                "the guest ended before it said what it had to"
            );
            thread::sleep(Duration::from_millis(2));
        }
        panic!("the guest does not say what it has to");
    }

    /// How many descriptors it and its host have open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(self.table.wait()).unwrap().count()
    }

    /// Ends the guest at whatever it does, as dropping its future does.
    #[track_caller]
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (outcome, _) = ended(self.thread);
        assert!(outcome.is_none(), "it ended by itself: {outcome:?}");
    }

    pub fn finish(self) -> Finished {
        self.finish_and_measure().0
    }

    /// Says as well for how long the guest and its host were at work rather than
    /// waiting.
    pub fn finish_and_measure(self) -> (Finished, Duration) {
        let (outcome, busy) = ended(self.thread);
        let output = String::from_utf8(self.output.contents().to_vec()).unwrap();
        let finished = Finished {
            outcome: outcome.unwrap(),
            output,
            denials: self.denials.take(),
        };
        (finished, busy)
    }

    #[track_caller]
    pub fn succeed(self) -> String {
        let Finished {
            outcome,
            output,
            denials,
        } = self.finish();
        assert!(
            matches!(outcome, Outcome::Exit(0)),
            "{outcome:?}\n{output}\n{denials:#?}"
        );
        output
    }
}

/// What a thread came to; fails as it failed.
fn ended<T>(thread: JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|failure| panic::resume_unwind(failure))
}

/// Waits for what another thread sets. It cannot wake a guest's runtime, which is
/// woken by a descriptor.
async fn comes_true(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The outcome without what a trap refers to: the code, whose image is a file that
/// is open on the guest's thread only.
fn in_words(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Exit(code) => Outcome::Exit(code),
        Outcome::Unaudited(failure) => Outcome::Unaudited(failure),
        Outcome::Trap(error) => Outcome::Trap(wasmtime::Error::msg(format!("{error:?}"))),
    }
}

/// For how long this thread was on a processor.
fn time_at_work() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let (nanoseconds, _) = statistics.split_once(' ').unwrap();
    Duration::from_nanos(nanoseconds.parse().unwrap())
}

/// An audit that remembers denials.
#[derive(Clone, Debug, Default)]
struct Denials(Arc<Mutex<Vec<String>>>);

impl Denials {
    fn take(&self) -> Vec<String> {
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

/// A native server on a port of its own that serves one visitor.
pub struct Peer<T> {
    pub address: SocketAddr,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Peer<T> {
    pub fn serve(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> Self {
        Self::serve_at("127.0.0.1:0", serve)
    }

    pub fn serve_at(address: &str, serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (visitor, _) = listener.accept().unwrap();
            visitor.set_read_timeout(Some(PATIENCE)).unwrap();
            visitor.set_write_timeout(Some(PATIENCE)).unwrap();
            serve(visitor)
        });
        Self { address, thread }
    }

    /// What came of it.
    #[track_caller]
    pub fn join(self) -> T {
        self.thread.join().unwrap()
    }
}

/// A server that greets its visitor with `text` and closes.
pub fn greeter(text: &'static str) -> Peer<()> {
    Peer::serve(move |mut visitor| visitor.write_all(text.as_bytes()).unwrap())
}

/// What a stream carries until its end.
pub fn read_to_end(mut stream: impl Read) -> Vec<u8> {
    let mut data = Vec::new();
    stream.read_to_end(&mut data).unwrap();
    data
}

/// A port of loopback that is taken, so that no other test gets it, and at which
/// nobody listens.
pub struct Nobody(Socket);

impl Nobody {
    #[expect(clippy::new_without_default, reason = "it takes a port")]
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any_port: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any_port.into()).unwrap();
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }
}

/// Somebody who connects to a server that may turn them away at once. The reset can
/// come while they connect, and does on a busy machine: they go ahead, and hear of
/// it when they read or write.
#[track_caller]
pub fn visit(server: SocketAddr) -> TcpStream {
    connecting(new_stream(server), server)
}

/// The same from an address of loopback.
#[track_caller]
pub fn visit_from(source: [u8; 4], server: SocketAddr) -> TcpStream {
    let socket = new_stream(server);
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    connecting(socket, server)
}

fn new_stream(server: SocketAddr) -> Socket {
    Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap()
}

#[track_caller]
fn connecting(socket: Socket, server: SocketAddr) -> TcpStream {
    socket.set_nonblocking(true).unwrap();
    if let Err(error) = socket.connect(&server.into()) {
        assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
    }
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// A listener whose queue is full, so that a connect waits, and what fills it.
pub fn busy() -> (TcpListener, TcpStream) {
    busy_at("127.0.0.1:0".parse().unwrap())
}

/// The same at an address.
pub fn busy_at(address: SocketAddr) -> (TcpListener, TcpStream) {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(0).unwrap();
    let listener = TcpListener::from(socket);
    let visitor = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, visitor)
}

/// Checks that there are frames of a trap, of the guest's own functions alone.
#[track_caller]
pub fn assert_own_frames(frames: &str) {
    assert!(!frames.is_empty());
    for foreign in [
        "_ZN",
        "core::",
        "std::",
        "__rust",
        "abort",
        "<wasm function",
        "wasm backtrace",
    ] {
        assert!(!frames.contains(foreign), "{foreign}: {frames}");
    }
}

/// Checks that a suite, whose source is given, drives each behaviour of a test
/// guest: one that is never driven shows nothing.
#[track_caller]
pub fn assert_every_behaviour_is_driven(component_name: &str, suite: &str) {
    let behaviours = Guest::new(component_name, "--list").succeed();
    for behaviour in behaviours.lines() {
        assert!(
            suite.contains(&format!("\"{behaviour}\"")),
            "nothing drives {component_name}'s {behaviour}"
        );
    }
}
