//! What handlers and the server print, and who reads it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::PATIENCE;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::server::{Server, answer, guest, obeyed, order, serve, shown, visitor};

/// More lines than any pipe has room for.
const FOR_EVER: &str = "spam 1000000";

#[test]
fn whoever_stops_reading_what_handlers_print_stops_nobody_else() {
    let mut command = serve(["--listen", "tcp://127.0.0.1:0", "--workers", "2"]);
    command
        .args(["--connection-time", "2s", "--drain-timeout", "1s"])
        .arg(guest("handler-faults"));
    let (mut server, _unread) = Server::start_printing(command);
    let address = server.address();
    let printers = [(); 4].map(|()| visitor(address));
    for printer in &printers {
        order(printer, FOR_EVER);
    }
    for _ in 0..20 {
        assert_eq!(obeyed(address, "state"), "1");
    }
    for printer in printers {
        assert_eq!(answer(printer), "");
    }
    server.says("out-of-time");
    assert_eq!(obeyed(address, "state"), "1");
    let printer = visitor(address);
    order(&printer, FOR_EVER);
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(1), "{}", server.said());
    assert_eq!(answer(printer), "");
}

#[test]
fn whoever_stops_reading_standard_error_stops_nobody() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let mut command = serve(["--listen", &format!("unix:{}", shown(&path))]);
    command
        .args(["--access-log", "-", "--log", "trace", "--workers", "2"])
        .args(["--connection-time", "2s"])
        .arg(guest("handler-faults"));
    let (mut server, _unread) = Server::start_unheard(command);
    let printers = [(); 4].map(|()| visitor_at(&path));
    for printer in &printers {
        order(printer, FOR_EVER);
    }
    // Each is told of, in more than a hundred bytes.
    for _ in 0..1000 {
        let visitor = visitor_at(&path);
        order(&visitor, "state");
        assert_eq!(answer(visitor), "1");
    }
    for printer in printers {
        assert_eq!(answer(printer), "");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(0));
}

/// Somebody who has connected to a socket that may have yet to be made.
fn visitor_at(path: &Path) -> UnixStream {
    let end = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(path) {
            Ok(visitor) => {
                visitor.set_read_timeout(Some(PATIENCE)).unwrap();
                return visitor;
            }
            Err(error) if Instant::now() > end => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn what_handlers_print_arrives_whole() {
    const EACH: usize = 500;
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command.arg(guest("handler-faults"));
    let (mut server, stdout) = Server::start_printing(command);
    let address = server.address();
    let reader = thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map(Result::unwrap);
        lines.fold(BTreeMap::new(), |mut times, line| {
            *times.entry(line).or_insert(0) += 1;
            times
        })
    });
    let printers = [(); 8].map(|()| visitor(address));
    for printer in &printers {
        order(printer, &format!("spam {EACH}"));
    }
    for printer in printers {
        assert_eq!(answer(printer), "printed");
    }
    let said = server.finish();
    let lines = reader.join().unwrap();
    assert_eq!(lines.len(), 8 * EACH, "{lines:?}");
    for number in 0..EACH {
        let line = format!("{number:->99}");
        for connection in 1..=8 {
            let line = format!("[{connection}] {line}");
            assert_eq!(lines.get(&line), Some(&1), "{line}");
            assert_eq!(said.matches(&line).count(), 1, "{line}");
        }
    }
}

#[test]
fn what_is_printed_last_is_read_after_the_end() {
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command.arg(guest("handler-faults"));
    let (mut server, mut stdout) = Server::start_printing(command);
    let address = server.address();
    assert_eq!(obeyed(address, "print the last words"), "printed");
    let said = server.finish();
    assert!(said.ends_with("the last words"), "{said}");
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "[1] the last words\n");
}

/// For whom what is printed is read by a program.
#[test]
fn what_handlers_print_can_be_passed_on_as_it_is() {
    let mut command = serve(["--listen", "tcp://127.0.0.1:0", "--no-numbers"]);
    command.arg(guest("handler-faults"));
    let (mut server, mut stdout) = Server::start_printing(command);
    let address = server.address();
    assert_eq!(obeyed(address, "print {\"json\": 1}"), "printed");
    server.finish();
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "{\"json\": 1}\n");
}
