//! `--access-log`: a line for each who was served, and for each who was not.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use portcullis_tests::{PATIENCE, assert_own_frames, visit};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::server::{Server, held, order, until};

const SCHEMA: &str = include_str!("../../../../docs/access-log.schema.json");

type Line = Map<String, Value>;

/// Reads a log: each line is as the schema says, and they are counted.
#[track_caller]
fn read(path: &Path) -> Vec<Line> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let parse = |line: &str| -> Line { serde_json::from_str(line).unwrap() };
    let lines: Vec<Line> = text.lines().map(parse).collect();
    for line in &lines {
        for (field, value) in line {
            let of = &schema["properties"][field];
            let fits = match of["type"].as_str().expect(field) {
                "string" => value.is_string(),
                "integer" => value.as_u64() >= of["minimum"].as_u64(),
                kind => panic!("{kind}"),
            };
            assert!(fits, "{field}: {value}");
            if let Some(words) = of["enum"].as_array() {
                assert!(words.contains(value), "{value}");
            }
        }
        let required = schema["required"].as_array().unwrap();
        assert!(
            required
                .iter()
                .all(|field| line.contains_key(field.as_str().unwrap()))
        );
        assert_eq!(line["v"], 1);
    }
    lines
}

/// Reads a log when it has so many lines.
#[track_caller]
fn read_when(path: &Path, count: usize) -> Vec<Line> {
    until(|| Some(read(path)).filter(|lines| lines.len() >= count))
}

fn endings(lines: &[Line]) -> Vec<&str> {
    let ending = |line| Value::as_str(Line::get(line, "ending").unwrap()).unwrap();
    lines.iter().map(ending).collect()
}

#[test]
fn each_connection_has_its_line() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.jsonl");
    let path = log.to_str().unwrap();
    let listen = "tcp://127.0.0.1:0 from loopback";
    let server = Server::start(
        "handler-faults",
        &[
            "--listen",
            listen,
            "--access-log",
            path,
            "--max-connections-per-peer",
            "1",
            "--memory",
            "16 MiB",
            "--cpu-time",
            "300ms",
        ],
    );
    let at = server.address();
    let mut connection = visit(at);
    let peer = connection.local_addr().unwrap().to_string();
    connection.write_all(b"echo\nhello").unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    connection.read_to_string(&mut String::new()).unwrap();
    for (request, count) in [
        ("fail", 2),
        ("exit", 3),
        ("trap", 4),
        ("hog", 5),
        ("loop", 6),
    ] {
        read_when(&log, count - 1);
        order(at, request);
    }
    read_when(&log, 6);
    let first = held(at);
    assert_eq!(order(at, "echo"), "");
    read_when(&log, 7);
    drop(first);
    let lines = read_when(&log, 8);
    let expected = [
        "finished",
        "failed",
        "exited",
        "trapped",
        "out-of-memory",
        "out-of-cpu-time",
        "peer",
        "finished",
    ];
    assert_eq!(endings(&lines), expected);
    let mut numbers = BTreeSet::new();
    for (line, seq) in lines.iter().zip(1u64..) {
        assert_eq!(line["seq"], seq);
        assert_eq!(line["listener"], listen);
        assert!(numbers.insert(line["number"].as_u64()));
        assert!(line["began"].as_str() <= line["time"].as_str());
    }
    let of = |line: usize, field: &str| lines[line][field].as_u64().unwrap();
    assert_eq!(lines[0]["peer"], peer);
    assert_eq!((of(0, "bytes_received"), of(0, "bytes_sent")), (10, 5));
    assert!(of(0, "duration_us") >= of(0, "instantiation_us"));
    assert!(of(0, "cpu_us") <= of(0, "duration_us") && of(0, "memory") > 65536);
    assert_eq!(lines[1]["reason"], "as ordered");
    assert_eq!(lines[2]["reason"], "exit code 1");
    let trap = lines[3]["reason"].as_str().unwrap();
    assert!(trap.starts_with("wasm trap: "), "{trap}");
    assert!(of(5, "cpu_us") >= 300_000);
    assert!(
        !lines[6].contains_key("duration_us"),
        "they were not served"
    );
    let mode = fs::metadata(&log).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // All of it is there, and not on standard error as well.
    let (_, told) = server.end();
    let of_guests = |line: &&String| line.starts_with("portcullis:") && !line.contains("listens");
    assert_eq!(told.iter().find(of_guests), None);
}

/// The panic itself is told on standard error, by the handler.
#[test]
fn a_panic_is_told_with_its_place_and_the_handlers_own_functions() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.jsonl");
    let path = log.to_str().unwrap();
    let listen = ["--listen", "tcp://127.0.0.1:0", "--access-log", path];
    let mut server = Server::start("handler-faults", &listen);
    // One who is served by the same instance has its own.
    for (count, order_of) in [(1, "panic"), (2, "trap"), (3, "overflow")] {
        order(server.address(), order_of);
        read_when(&log, count);
    }
    let lines = read_when(&log, 3);
    let reason = |line: usize| lines[line]["reason"].as_str().unwrap();
    let (place, frames) = reason(0).split_once("; in ").unwrap();
    assert!(place.starts_with("panicked at "), "{place}");
    assert!(place.contains("src/order.rs:"), "{place}");
    assert!(place.ends_with(": as ordered"), "{place}");
    assert!(
        frames.contains("portcullis_test_guests::order::panic"),
        "{frames}"
    );
    assert_own_frames(frames);
    let trapped = "wasm trap: wasm `unreachable` instruction executed; in portcullis_test_guests::";
    assert!(reason(1).starts_with(trapped), "{}", reason(1));
    assert!(
        reason(2).starts_with("wasm trap: call stack exhausted"),
        "{}",
        reason(2)
    );
    let said = server.hears("[1] ", 4);
    assert!(said.iter().any(|line| line == "as ordered"), "{said:?}");
}

#[test]
fn those_who_are_dropped_at_the_end_have_their_lines() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.jsonl");
    let path = log.to_str().unwrap();
    let listen = ["--listen", "tcp://127.0.0.1:0", "--access-log", path];
    let arguments = [&listen[..], &["--drain-timeout", "100ms"]].concat();
    let server = Server::start("handler-faults", &arguments);
    let held: Vec<_> = (0..10).map(|_| held(server.address())).collect();
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(1));
    assert_eq!(endings(&read(&log)), ["dropped"; 10]);
    drop(held);
}

#[test]
fn datagrams_and_unix_sockets_have_lines() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.jsonl");
    let listen = ["--listen", "udp://127.0.0.1:0", "--access-log"];
    let server = Server::start(
        "datagram-faults",
        &[&listen[..], &[log.to_str().unwrap()]].concat(),
    );
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.send_to(b"echo 1234", server.address()).unwrap();
    peer.recv(&mut [0; 16]).unwrap();
    let lines = read_when(&log, 1);
    assert_eq!(lines[0]["peer"], peer.local_addr().unwrap().to_string());
    assert_eq!(
        (&lines[0]["bytes_received"], &lines[0]["bytes_sent"]),
        (&9.into(), &4.into())
    );
    drop(server);

    let log = folder.path().join("unix.jsonl");
    let socket = folder.path().join("app.sock");
    let listen = format!("unix:{}", socket.display());
    let listen = ["--listen", &listen, "--access-log", log.to_str().unwrap()];
    let _server = Server::start("handler-faults", &listen);
    let mut peer = UnixStream::connect(&socket).unwrap();
    peer.write_all(b"echo\n").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    peer.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(read_when(&log, 1)[0]["peer"], "unix:");
    // A log is no socket.
    UnixListener::bind(&log).unwrap_err();
}

/// What a handler says of its failure, it may say to a terminal.
#[test]
fn what_a_handler_says_breaks_no_line() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access.jsonl");
    let forged = "fail \"}\r{\u{1b}[2J\u{9b}\u{202e}\u{2066}\u{200b}\u{3164}\u{2028}portcullis: ";
    let path = log.to_str().unwrap();
    let logged = ["--listen", "tcp://127.0.0.1:0", "--access-log", path];
    let server = Server::start("handler-faults", &logged);
    order(
        server.address(),
        &format!("{forged}{}", "x".repeat(100_000)),
    );
    let lines = read_when(&log, 1);
    let reason = lines[0]["reason"].as_str().unwrap();
    assert!(
        reason
            .starts_with("\"} {\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd} portcullis: xx"),
        "{reason}"
    );
    assert_eq!(reason.chars().count(), 501);
    assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1);

    let mut server = Server::start("handler-faults", &logged[..2]);
    order(server.address(), forged);
    let heard = server.hears("portcullis: 1 from 127.0.0.1:", 1);
    let (_, told) = heard[0].split_once(' ').unwrap();
    assert_eq!(
        told,
        "failed: \"} {\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd} portcullis:"
    );
}

#[test]
fn a_log_is_rotated_under_load_without_the_loss_of_a_line() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access");
    let path = |number: usize| folder.path().join(format!("access.{number}"));
    let listen = [
        "--listen",
        "tcp://127.0.0.1:0",
        "--access-log",
        log.to_str().unwrap(),
    ];
    let mut server = Server::start("echo-handler", &listen);
    const VISITORS: usize = 200;
    let mut rotations = 0;
    for number in 0..VISITORS {
        assert_eq!(order(server.address(), "x"), "x\n");
        if number % 60 == 40 {
            fs::rename(&log, path(rotations)).unwrap();
            server.signal("-HUP");
            rotations += 1;
            server.hears("portcullis: serves with what it read anew", rotations);
        }
    }
    let (status, _) = server.end();
    assert!(status.success());
    let rotated = (0..rotations).map(path).chain([log.clone()]);
    let files: Vec<Vec<Line>> = rotated.map(|path| read(&path)).collect();
    assert!(files.len() == 4 && files.iter().all(|lines| lines.len() > 10));
    let lines = files.concat();
    assert_eq!(lines.len(), VISITORS);
    for (line, seq) in lines.iter().zip(1u64..) {
        assert_eq!(line["seq"], seq);
    }
}

#[test]
fn a_disk_that_is_full_is_told_of_once_and_stops_nobody() {
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let full = [&listen[..], &["--access-log", "/dev/full"]].concat();
    let server = Server::start("echo-handler", &full);
    for _ in 0..5 {
        assert_eq!(order(server.address(), "x"), "x\n");
    }
    let lost = "portcullis_access_log_lost_lines_total";
    server.figures_when(|now| now.of(lost) == 5.0);
    let (status, told) = server.end();
    assert!(status.success());
    let about = told.iter().filter(|line| line.contains("access log"));
    let about: Vec<&str> = about.map(String::as_str).collect();
    assert_eq!(
        about,
        [
            "portcullis: the access log loses lines, and they are counted: No space left on \
             device (os error 28)",
            "portcullis: the access log has lost 5 lines",
        ]
    );
}

#[test]
fn a_log_may_be_standard_error() {
    let listen = ["--listen", "tcp://127.0.0.1:0", "--access-log", "-"];
    let mut server = Server::start("echo-handler", &listen);
    assert_eq!(order(server.address(), "x"), "x\n");
    let line = server.hears("{\"v\":1,\"seq\":1,", 1);
    assert!(line[0].contains("\"ending\":\"finished\""), "{line:?}");
}
