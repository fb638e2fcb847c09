//! What a client and a server say to each other, overheard between them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use portcullis_tests::PATIENCE;

/// Forwards connections to a server and writes down the lines of both sides.
pub(crate) struct Tap {
    /// Where the client connects to.
    pub(crate) port: u16,
    dialogue: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Tap {
    pub(crate) fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Self {
            port: listener.local_addr().unwrap().port(),
            dialogue: Arc::default(),
            connections: Arc::default(),
        };
        let (dialogue, connections) = (tap.dialogue.clone(), tap.connections.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut connections = connections.lock().unwrap();
                let (client, dialogue) = (client.unwrap(), dialogue.clone());
                connections.push(thread::spawn(move || forward(&client, server, &dialogue)));
            }
        });
        tap
    }

    /// What was said, once all connections are closed: `C:` before what the
    /// client says, `S:` before what the server says.
    pub(crate) fn dialogue(self) -> Dialogue {
        for connection in self.connections.lock().unwrap().drain(..) {
            connection.join().unwrap();
        }
        Dialogue(std::mem::take(&mut self.dialogue.lock().unwrap()))
    }
}

fn forward(client: &TcpStream, server: u16, dialogue: &Mutex<Vec<String>>) {
    dialogue.lock().unwrap().push("C connects".into());
    let server = &TcpStream::connect(("127.0.0.1", server)).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| copy(client, server, "C", dialogue));
        scope.spawn(|| copy(server, client, "S", dialogue));
    });
}

/// A line is written down before it is forwarded, so before any answer to it.
fn copy(mut from: &TcpStream, mut to: &TcpStream, who: &str, dialogue: &Mutex<Vec<String>>) {
    from.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut line = Vec::new();
    let write_down = |line: &mut Vec<u8>| {
        let said: String = line.iter().map(|&byte| shown(byte)).collect();
        dialogue.lock().unwrap().push(format!("{who}: {said}"));
        line.clear();
    };
    let mut buffer = [0; 4096];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{who}: {error}"),
        };
        for &byte in &buffer[..length] {
            line.push(byte);
            if line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                write_down(&mut line);
            }
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    if !line.is_empty() {
        write_down(&mut line);
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn shown(byte: u8) -> String {
    match byte {
        b' '..=b'~' => char::from(byte).into(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// The lines of a conversation. Other bytes than printable ASCII are escaped.
#[derive(Debug)]
pub(crate) struct Dialogue(Vec<String>);

impl Dialogue {
    /// Checks the lines one by one. A `*` in what is expected is anything.
    #[track_caller]
    pub(crate) fn assert(&self, expected: &[&str]) {
        let lines = self.0.iter().map(String::as_str).chain([""]);
        for (number, line) in lines.enumerate() {
            let pattern = expected.get(number).copied().unwrap_or_default();
            assert!(
                matches(pattern, line),
                "line {number} is {line:?}, not {pattern:?}, of {:#?}",
                self.0
            );
        }
        assert_eq!(self.0.len(), expected.len(), "{:#?}", self.0);
    }

    /// Checks only how it begins.
    #[track_caller]
    pub(crate) fn assert_begins(&self, expected: &[&str]) {
        let length = expected.len().min(self.0.len());
        Self(self.0[..length].to_vec()).assert(expected);
    }

    /// Only what the client says.
    pub(crate) fn of_client(mut self) -> Self {
        self.0.retain(|line| line.starts_with('C'));
        self
    }

    /// Only what the server says.
    pub(crate) fn of_server(mut self) -> Self {
        self.0.retain(|line| line.starts_with('S'));
        self
    }
}

fn matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            let starts = rest.char_indices().map(|(start, _)| start);
            starts
                .chain([rest.len()])
                .any(|start| matches(after, &rest[start..]))
        }),
    }
}

#[test]
fn a_star_is_anything() {
    assert!(matches("220 * ready", "220 localhost ready"));
    assert!(matches("*", "") && matches("a*", "a") && matches("a*c*", "abcd"));
    assert!(!matches("220 * ready", "220 ready") && !matches("a*b", "abc"));
}
