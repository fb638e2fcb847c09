//! `--audit`: what a program does is on record, all of it, or it ends.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use portcullis_tests::{component, greeter};
use serde_json::{Map, Value};
use tempfile::TempDir;

type Line = Map<String, Value>;

fn portcullis(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn guest(name: &str) -> String {
    component(name).display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Reads a log: each line is JSON, of this version.
#[track_caller]
fn parse(log: &str) -> Vec<Line> {
    assert!(log.is_empty() || log.ends_with('\n'), "{log}");
    let parse = |line: &str| -> Line { serde_json::from_str(line).unwrap() };
    let lines: Vec<Line> = log.lines().map(parse).collect();
    assert!(lines.iter().all(|line| line["v"] == 1));
    lines
}

fn read(path: &Path) -> Vec<Line> {
    parse(&fs::read_to_string(path).unwrap())
}

/// The events, and what there is to say of each.
fn events(lines: &[Line]) -> Vec<String> {
    let said = |line: &Line| {
        let fields = ["event", "request", "grant", "remote"].map(|field| line.get(field));
        let fields = fields.into_iter().flatten();
        fields
            .map(|value| value.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" | ")
    };
    lines.iter().map(said).collect()
}

#[track_caller]
fn has_no_gap(lines: &[Line]) {
    for (line, number) in lines.iter().zip(1u64..) {
        assert_eq!(line["seq"], number);
    }
}

#[test]
fn a_program_that_works_is_on_record_from_open_to_close() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("audit.jsonl");
    let peer = greeter("hello");
    let address = peer.address;
    let grant = format!("connect tcp://{address}");
    let output = portcullis(&["run", "--allow", &grant, "--audit"])
        .arg(&log)
        .args([guest("greeting-client"), address.to_string()])
        .output()
        .unwrap();
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        ("hello", "")
    );
    peer.join();
    let lines = read(&log);
    has_no_gap(&lines);
    assert_eq!(
        events(&lines),
        [
            "open".to_owned(),
            format!("allow | {grant} | {grant}"),
            format!("connect | {address}"),
            format!("close | {address}"),
        ]
    );
    assert_eq!(lines[3]["bytes_received"], 5);
    let mode = fs::metadata(&log).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_denial_is_told_to_people_and_to_the_log() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("audit.jsonl");
    let output = portcullis(&["run", "--audit"])
        .arg(&log)
        .args([&guest("greeting-client"), "127.0.0.1:9"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    let told = "portcullis: denied  connect tcp://127.0.0.1:9\n";
    assert!(stderr.starts_with(told), "{stderr}");
    let denied = "deny | connect tcp://127.0.0.1:9";
    assert_eq!(events(&read(&log)), ["open", denied, "close"]);
}

#[test]
fn a_log_on_standard_error_takes_the_place_of_the_report() {
    let output = portcullis(&["run", "--audit", "-", &guest("denials"), "scan"])
        .output()
        .unwrap();
    let lines = parse(&text(&output.stderr));
    has_no_gap(&lines);
    let denied = lines.iter().filter(|line| line["event"] == "deny");
    assert_eq!(denied.count(), 1234, "none is left out");
}

#[test]
fn sockets_that_the_host_opens_are_on_record() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("audit.jsonl");
    let socket = "web=tcp://127.0.0.1:0 from loopback";
    let output = portcullis(&["run", "--socket", socket, "--audit"])
        .arg(&log)
        .args([&guest("faults"), "exit_with_an_error"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let listen = "listen tcp://127.0.0.1:0 from loopback";
    assert_eq!(
        events(&read(&log)),
        [
            "open".to_owned(),
            format!("allow | bind tcp://127.0.0.1:0 | {listen}"),
            format!("allow | listen tcp://127.0.0.1:0 | {listen}"),
            "close".to_owned(),
        ]
    );
}

#[test]
fn a_trap_closes_what_was_open_on_record() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("audit.jsonl");
    let mut child = portcullis(&["run", "--allow", "listen tcp://127.0.0.1:0", "--audit"])
        .arg(&log)
        .args([&guest("echo"), "echo_by_poller", "127.0.0.1:0", "no number"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(134));
    let events = events(&read(&log));
    assert_eq!(events.first().map(String::as_str), Some("open"));
    assert_eq!(events.last().map(String::as_str), Some("close"));
}

#[test]
fn what_cannot_be_recorded_ends_the_program() {
    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    peer.set_nonblocking(true).unwrap();
    let address = peer.local_addr().unwrap().to_string();
    let grant = format!("connect tcp://{address}");
    let guest = guest("greeting-client");
    let run = ["run", "--allow", &grant, "--audit", "/dev/full"];
    let full = "error: audit: No space left on device (os error 28)\n";
    for extra in [&[][..], &["--socket", "web=tcp://127.0.0.1:0"]] {
        let Output { status, stderr, .. } = portcullis(&run)
            .args(extra)
            .args([&guest, &address])
            .output()
            .unwrap();
        assert_eq!(text(&stderr), full);
        assert_eq!(status.code(), Some(125));
    }
    assert!(peer.accept().is_err(), "nobody came");
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error_before_anything_runs() {
    let run = ["run", "--audit", "/nowhere/audit", &guest("faults")];
    let output = portcullis(&run).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: --audit /nowhere/audit: No such file or directory (os error 2)\n"
    );
}

/// How many visitors come while the log is rotated.
const VISITORS: usize = 400;

#[test]
fn a_log_is_rotated_under_load_without_the_loss_of_a_line() {
    let folder = TempDir::new().unwrap();
    let path = |number: usize| folder.path().join(format!("audit.{number}"));
    let log = folder.path().join("audit");
    let mut child = portcullis(&["run", "--allow", "listen tcp://127.0.0.1:0", "--audit"])
        .arg(&log)
        .args([&guest("echo"), "echo_by_poller", "127.0.0.1:0"])
        .arg(VISITORS.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut address = String::new();
    output.read_line(&mut address).unwrap();
    let mut rotations = 0;
    for number in 0..VISITORS {
        let mut visitor = TcpStream::connect(address.trim()).unwrap();
        visitor.write_all(b"x").unwrap();
        visitor.read_exact(&mut [0]).unwrap();
        // Not before the last one was heard.
        if number % 60 == 40 && log.exists() {
            fs::rename(&log, path(rotations)).unwrap();
            hang_up(&child);
            rotations += 1;
        }
    }
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
    let rotated = (0..rotations).map(path).chain([log.clone()]);
    let files: Vec<Vec<Line>> = rotated.map(|path| read(&path)).collect();
    // On a busy machine a hang-up may be heard just before the next.
    let long = files.iter().filter(|lines| lines.len() > 10);
    assert!(long.count() > 2, "{rotations} rotations");
    let lines = files.concat();
    has_no_gap(&lines);
    let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!((count("accept"), count("close")), (VISITORS, VISITORS + 1));
}

fn hang_up(child: &Child) {
    let sent = Command::new("kill")
        .args(["-HUP", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}
