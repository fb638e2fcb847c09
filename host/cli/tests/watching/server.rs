//! A server of this command, and peers that talk to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portcullis_tests::{PATIENCE, component, visit};

use crate::figures::Figures;
use crate::http;

/// A server, which is killed with the test.
pub(crate) struct Server {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    successor: Option<String>,
}

impl Server {
    /// Serves with a handler, and waits until it listens as often as it is told to.
    pub(crate) fn start(handler: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.arg("serve").args(arguments).arg(component(handler));
        // A pool takes a while to be set aside, and nothing here needs one.
        let mut child = command
            .arg("--no-pool")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let stderr = child.stderr.take().unwrap();
        let reader = Some(collect(stderr, Arc::clone(&lines)));
        let mut server = Self {
            child,
            lines,
            reader,
            successor: None,
        };
        let listeners = arguments.iter().filter(|word| **word == "--listen");
        server.hears("portcullis: listens at ", listeners.count());
        server
    }

    /// All that it has told on standard error.
    pub(crate) fn told(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until so many lines that begin so are told, and gives what follows in
    /// each.
    #[track_caller]
    pub(crate) fn hears(&mut self, beginning: &str, count: usize) -> Vec<String> {
        let mut ended = None;
        let heard = until(|| {
            let told = self.told();
            let rest = told.iter().filter_map(|line| line.strip_prefix(beginning));
            let rest: Vec<String> = rest.map(str::to_owned).collect();
            ended = self.child.try_wait().unwrap();
            (rest.len() >= count || ended.is_some()).then_some(rest)
        });
        assert!(heard.len() >= count, "{ended:?} {:#?}", self.told());
        heard
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let told = self.told();
        let at = told
            .iter()
            .filter_map(|line| line.strip_prefix("portcullis: listens at "));
        at.map(|address| address.split_once("://").unwrap().1.parse().unwrap())
            .collect()
    }

    /// The first address that it listens at.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    /// Where its metrics are.
    pub(crate) fn metrics(&self) -> SocketAddr {
        let told = self.told();
        let at = told
            .iter()
            .find_map(|line| line.strip_prefix("portcullis: metrics at "));
        at.unwrap().parse().unwrap()
    }

    /// What it measures now.
    pub(crate) fn figures(&self) -> Figures {
        let answer = http::get(self.metrics(), "/metrics");
        assert_eq!(answer.status, 200);
        Figures::parse(&answer.body)
    }

    /// What it measures once that is as it is wanted.
    #[track_caller]
    pub(crate) fn figures_when(&self, is_so: impl Fn(&Figures) -> bool) -> Figures {
        until(|| Some(self.figures()).filter(&is_so))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let first = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([signal, self.successor.as_ref().unwrap_or(&first)])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Has another process take over, which says what it says here as well. The
    /// signals are for that one then.
    pub(crate) fn hand_over(&mut self) {
        self.signal("-USR2");
        let process = self.hears("portcullis: process ", 1).remove(0);
        let number = process.strip_suffix(" takes over").unwrap();
        self.successor = Some(number.to_owned());
    }

    /// Whether the process that was started first has ended.
    pub(crate) fn has_left(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends it, and waits until it has said all.
    pub(crate) fn end(self) -> (ExitStatus, Vec<String>) {
        self.signal("-TERM");
        self.wait()
    }

    /// Waits until it has ended, and has said all.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status, self.told())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(successor) = &self.successor {
            let _ = Command::new("kill").args(["-KILL", successor]).output();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stderr: ChildStderr, lines: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
            lines.lock().unwrap().push(line);
        }
    })
}

/// Tries again and again until there is something.
#[track_caller]
pub(crate) fn until<T>(mut try_it: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(found) = try_it() {
            return found;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it is not so after {PATIENCE:?}");
}

/// Gives the handler an order, and hears the answer to its end; nothing where the
/// server ended the connection.
pub(crate) fn order(address: SocketAddr, order: &str) -> String {
    let mut connection = visit(address);
    let mut answer = String::new();
    // Whoever is not let in may hear of that first.
    let asked = connection
        .write_all(format!("{order}\n").as_bytes())
        .and_then(|()| connection.shutdown(Shutdown::Write))
        .and_then(|()| connection.read_to_string(&mut answer));
    match asked {
        Ok(_) => answer,
        Err(_) => String::new(),
    }
}

/// A connection that the handler has begun to serve.
pub(crate) fn held(address: SocketAddr) -> TcpStream {
    let mut connection = visit(address);
    connection.write_all(b"echo\nx").unwrap();
    connection.read_exact(&mut [0]).unwrap();
    connection
}
