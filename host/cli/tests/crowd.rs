//! Ten thousand connections at once, each with an instance of its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use portcullis_tests::{PATIENCE, component, measure};

const CROWD: usize = 10_000;

/// How many threads play it.
const THREADS: usize = 4;

/// Connections and what the process beside has open.
const DESCRIPTORS: u64 = 12_000;

/// A server that is ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// What it has in memory, in bytes.
    fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.strip_suffix("kB")).unwrap();
        kibibytes.trim().parse::<usize>().unwrap() * 1024
    }
}

fn start() -> (Server, SocketAddr) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["serve", "--listen", "tcp://127.0.0.1:0"])
        .args([
            "--max-connections",
            "12000",
            "--memory",
            "16 MiB",
            "--idle-time",
            "0s",
        ])
        .arg(component("echo-handler"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("portcullis: listens at tcp://");
    let address = address.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    // What else it says is seen with the test's own.
    thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            measure::say(&line);
        }
    });
    (Server(process), address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE * 5)).unwrap();
    stream.set_write_timeout(Some(PATIENCE * 5)).unwrap();
    stream
}

/// Each says something and hears it.
fn converse(visitors: &mut [(usize, Option<TcpStream>)], word: &str) {
    let text = |number: usize| format!("{word} {number:>10}");
    for (number, stream) in &mut *visitors {
        let stream = stream.as_mut().unwrap();
        stream.write_all(text(*number).as_bytes()).unwrap();
    }
    for (number, stream) in visitors {
        let text = text(*number);
        let mut answer = vec![0; text.len()];
        let stream = stream.as_mut().unwrap();
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, text.as_bytes(), "{number}");
    }
}

/// Lets some threads do something with a part each.
fn in_parts<T: Send>(all: &mut [T], act: impl Fn(&mut [T]) + Sync) {
    let part = all.len().div_ceil(THREADS);
    thread::scope(|scope| {
        for part in all.chunks_mut(part) {
            scope.spawn(|| act(part));
        }
    });
}

#[test]
fn ten_thousand_are_served_at_once() {
    measure::allow_descriptors(DESCRIPTORS);
    let (server, address) = start();
    // The first has what is made once.
    drop(TcpStream::connect(address).unwrap());
    let empty = server.memory();
    let mut crowd: Vec<(usize, Option<TcpStream>)> =
        (0..CROWD).map(|number| (number, None)).collect();
    in_parts(&mut crowd, |visitors| {
        for (_, stream) in visitors {
            *stream = Some(connect(address));
        }
    });
    in_parts(&mut crowd, |visitors| converse(visitors, "first"));
    let full = server.memory();
    in_parts(&mut crowd, |visitors| converse(visitors, "last"));
    for (number, stream) in crowd {
        let mut stream = stream.unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "{number}");
    }
    let each = (full.saturating_sub(empty)) as f64 / CROWD as f64 / 1024.0;
    measure::say(&format!(
        "{CROWD} connections at once: {} MiB resident, {} MiB without them, {each:.1} KiB each",
        full >> 20,
        empty >> 20,
    ));
    assert!(each < 200.0, "{each} KiB each");
}
