//! `--audit`: what each connection did can be told apart, and what cannot be
//! recorded ends the server.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::server::{Server, echoes, echoing, guest, obeyed, orders, serve, shown};

type Line = Map<String, Value>;

fn read(path: &Path) -> Vec<Line> {
    let log = fs::read_to_string(path).unwrap();
    let parse = |line: &str| -> Line { serde_json::from_str(line).unwrap() };
    log.lines().map(parse).collect()
}

/// The events of a guest, with what was asked for.
fn events(lines: &[Line], guest: Option<&str>) -> Vec<String> {
    let of_guest = lines
        .iter()
        .filter(|line| line.get("guest").map(|name| name.as_str().unwrap()) == guest);
    of_guest
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_each_connection_did_is_told_apart() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("audit.jsonl");
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = peer.local_addr().unwrap();
    let grant = format!("connect tcp://{peer}");
    let (server, address) = orders(&["--audit", shown(&log), "--allow", &grant]);
    assert_eq!(obeyed(address, &format!("connect {peer}")), "ok");
    assert_eq!(
        obeyed(address, "connect 127.0.0.1:9"),
        "ErrorCode::AccessDenied"
    );
    assert_eq!(obeyed(address, "state"), "1");
    server.finish();
    let lines = read(&log);
    for (line, number) in lines.iter().zip(1_u64..) {
        assert_eq!(line["seq"], number);
    }
    let of_the_server = events(&lines, None);
    assert_eq!(of_the_server[..3], ["open", "allow", "allow"], "it listens");
    assert!(
        of_the_server[3..]
            .iter()
            .all(|event| event == "allow" || event == "close"),
        "{of_the_server:?}"
    );
    assert_eq!(
        events(&lines, Some("1")),
        ["accept", "open", "allow", "connect", "close", "close"]
    );
    assert_eq!(
        events(&lines, Some("2")),
        ["accept", "open", "deny", "close", "close"]
    );
    assert_eq!(events(&lines, Some("3")), ["accept", "close"]);
    assert_eq!(events(&lines, Some("4")), [""; 0]);
}

#[test]
fn an_instance_that_is_kept_is_on_record_for_whom_it_serves() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("audit.jsonl");
    // With one place the next one waits until the instance is back.
    let (server, address) = orders(&[
        "--audit",
        shown(&log),
        "--connections-per-instance",
        "all",
        "--max-connections",
        "1",
    ]);
    assert_eq!(obeyed(address, "state"), "1");
    assert_eq!(obeyed(address, "state"), "2");
    server.finish();
    let lines = read(&log);
    assert_eq!(events(&lines, Some("1")), ["accept", "close"]);
    assert_eq!(events(&lines, Some("2")), ["accept", "close"]);
}

#[test]
fn what_cannot_be_recorded_ends_the_server() {
    // It cannot even say that it listens.
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command
        .args(["--audit", "/dev/full"])
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let status = server.end();
    assert_eq!(status.code(), Some(125), "{}", server.said());
}

#[test]
fn what_cannot_be_recorded_later_ends_the_server_then() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("audit.jsonl");
    let (mut server, address) = orders(&["--audit", shown(&log)]);
    let early = echoing(address);
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    server.signal(rustix::process::Signal::HUP);
    assert_eq!(server.end().code(), Some(125), "{}", server.said());
    assert!(server.said().contains("error: audit: "));
    assert!(!echoes(&early));
}
