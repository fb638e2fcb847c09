//! The end: nobody else is let in, and they are served who have come.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::PATIENCE;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use tempfile::TempDir;

use crate::server::{Server, answer, echoes, echoing, guest, order, orders, serve, shown, visitor};

/// Waits until nobody is let in any more.
#[track_caller]
fn wait_until_closed(address: SocketAddr) {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            // Reset, where it came as the listener was closed.
            Ok(_) | Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
    panic!("it still listens");
}

#[test]
fn whoever_waits_in_the_queue_when_it_drains_is_served() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut server, address) = orders(&["--max-connections", "1"]);
        let first = visitor(address);
        order(&first, "sleep 700");
        let waiting: Vec<_> = (0..40).map(|_| visitor(address)).collect();
        server.signal(signal);
        wait_until_closed(address);
        // They are let in by now, and have yet to say what they want.
        for visitor in &waiting {
            order(visitor, "state");
        }
        assert_eq!(answer(first), "slept");
        for visitor in waiting {
            assert_eq!(answer(visitor), "1");
        }
        assert_eq!(server.end().code(), Some(0), "{}", server.said());
        assert!(!server.said().contains("dropped"));
    }
}

#[test]
fn whoever_is_served_is_served_to_the_end() {
    let (mut server, address) = orders(&[]);
    let visitor = echoing(address);
    server.signal(Signal::TERM);
    wait_until_closed(address);
    for _ in 0..10 {
        assert!(echoes(&visitor));
    }
    visitor.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(answer(visitor), "");
    assert_eq!(server.end().code(), Some(0), "{}", server.said());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (mut server, address) = orders(&["--drain-timeout", "1h"]);
    let _visitor = echoing(address);
    server.signal(Signal::TERM);
    wait_until_closed(address);
    server.signal(Signal::INT);
    assert_eq!(server.end().code(), Some(1));
    let said = server.said();
    // Those who looked whether it is closed may be among them.
    assert!(said.contains(" connections were dropped"), "{said}");
}

#[test]
fn whoever_is_left_after_the_time_is_dropped_and_counted() {
    let (mut server, address) = orders(&["--drain-timeout", "300ms", "--max-connections", "1"]);
    let first = echoing(address);
    let waiting: Vec<_> = (0..3).map(|_| visitor(address)).collect();
    let began = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.end().code(), Some(1));
    let lasted = began.elapsed();
    assert!(lasted >= Duration::from_millis(300), "{lasted:?}");
    let said = server.said();
    assert!(said.contains("4 connections were dropped"), "{said}");
    assert!(!echoes(&first));
    drop(waiting);
}

/// How many descriptors a server may have from now on, whatever it has.
fn limit_descriptors(server: &Server, count: u64) {
    let limit = Rlimit {
        current: Some(count),
        maximum: Some(1024),
    };
    let process = Pid::from_raw(server.id().cast_signed());
    prlimit(process, Resource::Nofile, limit).unwrap();
}

/// A server without descriptors for those who wait, which is to end.
fn short_of_descriptors(arguments: &[&str]) -> (Server, TcpStream, [TcpStream; 3]) {
    let (mut server, address) = orders(&[&["--max-connections", "1"], arguments].concat());
    let first = echoing(address);
    let waiting = [(); 3].map(|()| visitor(address));
    limit_descriptors(&server, 4);
    server.signal(Signal::TERM);
    server.says("a listener fails");
    (server, first, waiting)
}

#[test]
fn whoever_waits_in_the_queue_is_served_when_there_are_descriptors_again() {
    let (mut server, first, waiting) = short_of_descriptors(&[]);
    limit_descriptors(&server, 1024);
    drop(first);
    for visitor in waiting {
        order(&visitor, "state");
        assert_eq!(answer(visitor), "1");
    }
    assert_eq!(server.end().code(), Some(0), "{}", server.said());
}

#[test]
fn those_for_whom_there_are_no_descriptors_until_the_end_are_not_passed_over() {
    let (mut server, _first, _waiting) = short_of_descriptors(&["--drain-timeout", "300ms"]);
    assert_eq!(server.end().code(), Some(1));
    let said = server.said();
    // The one who is served, and whoever is in the queue.
    assert!(said.contains("2 connections were dropped"), "{said}");
}

#[test]
fn datagrams_that_have_come_are_answered() {
    let mut command = serve(["--listen", "udp://127.0.0.1:0", "--max-connections", "1"]);
    command.arg(guest("datagram-faults"));
    let mut server = Server::start(command);
    let address = server.address();
    let visitor = UdpSocket::bind("127.0.0.1:0").unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor.send_to(b"sleep 500", address).unwrap();
    for _ in 0..20 {
        visitor.send_to(b"state", address).unwrap();
    }
    server.signal(Signal::TERM);
    let mut data = [0; 16];
    let mut answer = || {
        let length = visitor.recv(&mut data).unwrap();
        String::from_utf8_lossy(&data[..length]).into_owned()
    };
    assert_eq!(answer(), "slept");
    for _ in 0..20 {
        assert_eq!(answer(), "1");
    }
    assert_eq!(server.end().code(), Some(0), "{}", server.said());
}

#[test]
fn an_idle_server_ends_at_once() {
    let (server, _) = orders(&["--drain-timeout", "1h"]);
    server.finish();
}

#[test]
fn a_unix_socket_is_gone_with_the_server_and_nothing_else_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let start = || {
        let mut command = serve(["--listen", &format!("unix:{}", shown(&path))]);
        command.arg(guest("handler-faults"));
        let mut server = Server::start(command);
        server.says("listens at ");
        server
    };
    for _ in 0..2 {
        start().finish();
        assert!(!path.exists());
    }
    // What others have put in its place is theirs.
    let server = start();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "theirs").unwrap();
    server.finish();
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
}

#[test]
fn a_unix_socket_is_gone_where_the_server_could_not_begin() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let mut command = serve(["--listen", &format!("unix:{}", shown(&path))]);
    command
        .args(["--listen", "nonsense"])
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    assert_eq!(server.end().code(), Some(2));
    assert!(!path.exists(), "{}", server.said());
}

/// A component that takes seconds to compile.
fn large() -> Vec<u8> {
    let step = "i64.const 3 i64.mul local.get 0 i64.xor local.get 0 i64.add ".repeat(100);
    let function = format!("(func (param i64) (result i64) local.get 0 {step})");
    let module = function.repeat(3000);
    wat::parse_str(format!("(component (core module {module}))")).unwrap()
}

#[test]
fn a_signal_to_end_does_not_wait_for_what_is_compiled() {
    let folder = TempDir::new().unwrap();
    let handler = folder.path().join("large.wasm");
    fs::write(&handler, large()).unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = serve(["--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
        command
            .env("XDG_CACHE_HOME", folder.path())
            .arg("--no-pool")
            .arg(&handler);
        let mut server = Server::start(command);
        server.says("metrics at ");
        server.signal(signal);
        let status = server.end();
        let said = server.said();
        // Else it would say by then that it is no handler.
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(!said.contains("error"), "{said}");
    }
}
