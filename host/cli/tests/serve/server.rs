//! A server in a process of its own, and its visitors.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use portcullis_tests::{PATIENCE, component, visit_from};
use rustix::process::{Pid, Signal, kill_process};

/// A server, which is ended with the test.
pub(crate) struct Server {
    process: Child,
    /// What it says, and whoever takes over from it.
    lines: Receiver<String>,
    heard: Vec<String>,
    successors: Vec<u32>,
}

pub(crate) fn guest(name: &str) -> PathBuf {
    component(name)
}

/// `portcullis serve` with these arguments.
pub(crate) fn serve<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("serve").args(arguments);
    command
}

/// A server that does what it is ordered to, on a port of its own.
pub(crate) fn orders(arguments: &[&str]) -> (Server, SocketAddr) {
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command.args(arguments).arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let address = server.address();
    (server, address)
}

impl Server {
    pub(crate) fn start(command: Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// The same with an input.
    pub(crate) fn start_with(mut command: Command, input: Stdio) -> Self {
        command.stdin(input).stdout(Stdio::null());
        Self::start_heard(command)
    }

    /// The same with an output, which nobody reads yet.
    pub(crate) fn start_printing(mut command: Command) -> (Self, ChildStdout) {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server = Self::start_heard(command);
        let stdout = server.process.stdout.take().unwrap();
        (server, stdout)
    }

    /// A server of which nobody hears what it says.
    pub(crate) fn start_unheard(mut command: Command) -> (Self, ChildStderr) {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let (_, lines) = channel();
        Self::spawn(command, lines)
    }

    fn start_heard(command: Command) -> Self {
        let (told, lines) = channel();
        let (server, stderr) = Self::spawn(command, lines);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                // Who does not listen any more has what it waited for.
                let _ = told.send(line.unwrap());
            }
        });
        server
    }

    fn spawn(mut command: Command, lines: Receiver<String>) -> (Self, ChildStderr) {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = process.stderr.take().unwrap();
        let server = Self {
            process,
            lines,
            heard: Vec::new(),
            successors: Vec::new(),
        };
        (server, stderr)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line with this in it, and gives what follows.
    #[track_caller]
    pub(crate) fn says(&mut self, what: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it does not say {what:?}, but {:#?}", self.heard);
            };
            self.heard.push(line.clone());
            if let Some((_, rest)) = line.split_once(what) {
                return rest.to_owned();
            }
        }
    }

    /// All that it has said until its end.
    pub(crate) fn said(&mut self) -> String {
        self.heard.extend(self.lines.iter());
        self.heard.join("\n")
    }

    /// Waits until it listens, and says at which address.
    #[track_caller]
    pub(crate) fn address(&mut self) -> SocketAddr {
        let address = self.says("listens at ");
        address.split_once("://").unwrap().1.parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.id(), signal);
    }

    /// Has it read anew what it serves with, which has to go well.
    #[track_caller]
    pub(crate) fn reload(&mut self) {
        self.signal(Signal::HUP);
        let end = self.says("serve");
        assert_eq!(end, "s with what it read anew", "{:#?}", self.heard);
    }

    /// The same, which has to be refused; says why.
    #[track_caller]
    pub(crate) fn fail_to_reload(&mut self) -> String {
        self.signal(Signal::HUP);
        self.says("cannot serve with what it read anew, and goes on as before");
        self.says("error: ")
    }

    /// Has another process take over, and gives its number.
    #[track_caller]
    pub(crate) fn hand_over(&mut self) -> u32 {
        self.signal(Signal::USR2);
        self.expect_successor()
    }

    /// Waits until another process takes over.
    #[track_caller]
    pub(crate) fn expect_successor(&mut self) -> u32 {
        let rest = self.says("portcullis: process ");
        let number = rest.strip_suffix(" takes over").unwrap().parse().unwrap();
        self.successors.push(number);
        number
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("it does not end; {:#?}", self.heard);
    }

    /// Has it end, which has to go well; gives all that it has said.
    #[track_caller]
    pub(crate) fn finish(mut self) -> String {
        self.signal(Signal::TERM);
        let (status, said) = (self.end(), self.said());
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for &successor in &self.successors {
            // It may have ended by itself.
            let _ = kill_process(pid(successor), Signal::KILL);
        }
    }
}

pub(crate) fn send(process: u32, signal: Signal) {
    kill_process(pid(process), signal).unwrap();
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(process.cast_signed()).unwrap()
}

/// Somebody who has connected.
pub(crate) fn visitor(address: SocketAddr) -> TcpStream {
    let visitor = TcpStream::connect(address).unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor.set_write_timeout(Some(PATIENCE)).unwrap();
    visitor
}

/// Whether a visitor from there is served.
pub(crate) fn is_let_in(source: [u8; 4], address: SocketAddr) -> bool {
    let visitor = visit_from(source, address);
    (&visitor).write_all(b"echo\n").is_ok() && echoes(&visitor)
}

/// Gives an order, and does not wait for the answer.
pub(crate) fn order(mut visitor: impl Write, order: &str) {
    visitor.write_all(format!("{order}\n").as_bytes()).unwrap();
}

/// All that there is to read, without the end of the line.
#[track_caller]
pub(crate) fn answer(mut visitor: impl Read) -> String {
    let mut answer = String::new();
    visitor.read_to_string(&mut answer).unwrap();
    answer.trim_end().to_owned()
}

/// Gives an order, and waits for the answer.
#[track_caller]
pub(crate) fn obeyed(address: SocketAddr, what: &str) -> String {
    let visitor = visitor(address);
    order(&visitor, what);
    answer(visitor)
}

/// Begins an echo, and waits until it is served.
pub(crate) fn echoing(address: SocketAddr) -> TcpStream {
    let visitor = visitor(address);
    order(&visitor, "echo");
    assert!(echoes(&visitor));
    visitor
}

/// Whether it is still echoed.
pub(crate) fn echoes(mut visitor: &TcpStream) -> bool {
    let mut came = [0; 4];
    visitor.write_all(b"more").is_ok() && visitor.read_exact(&mut came).is_ok() && came == *b"more"
}

pub(crate) fn write_policy(path: &Path, text: &str) {
    fs::write(path, format!("version = 1\n{text}")).unwrap();
}

pub(crate) fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}
