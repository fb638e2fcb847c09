//! What the command says of a command line that is wrong, and of itself.

use std::os::unix::net::UnixListener;
use std::process::Command;

use tempfile::TempDir;

use crate::server::{Server, guest, serve, shown};

/// What it says that does not serve.
#[track_caller]
fn complaint(arguments: &[&str]) -> String {
    let mut command = serve(arguments);
    command.arg(guest("handler-faults"));
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[track_caller]
fn check(arguments: &[&str], says: &str) {
    let said = complaint(arguments);
    assert!(said.contains(says), "{arguments:?}: {said}");
}

const LISTEN: [&str; 2] = ["--listen", "tcp://127.0.0.1:0"];

#[test]
fn what_is_no_number_or_size_is_told_what_is_one() {
    for option in [
        "--max-connections",
        "--max-connections-per-peer",
        "--workers",
    ] {
        for number in ["0", "many"] {
            let arguments = [LISTEN[0], LISTEN[1], option, number];
            check(&arguments, "give a number from 1 on");
        }
    }
    let arguments = [LISTEN[0], LISTEN[1], "--memory", "16 megs"];
    check(&arguments, "`64 MiB`");
}

#[test]
fn the_help_is_of_a_handler() {
    let output = serve(["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("<HANDLER>"), "{help}");
    assert!(help.contains("--socket <NAME=connect ENDPOINT>"), "{help}");
    assert!(!help.contains("It listens"), "{help}");
}

#[test]
fn the_version_is_of_the_command() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert!(version.starts_with("portcullis 0"), "{version}");
}

#[test]
fn where_it_listens_is_told_as_listen_says_it() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    let unix = [
        format!("unix:{}", path("app.sock")),
        format!("unixgram:{}", path("gram.sock")),
    ];
    command
        .args(["--listen", "udp://127.0.0.1:0"])
        .args(["--listen", &unix[0], "--listen", &unix[1]])
        .arg(guest("time-handler"));
    let mut server = Server::start(command);
    for protocol in ["tcp", "udp"] {
        let at = server.says("listens at ");
        assert!(at.starts_with(&format!("{protocol}://127.0.0.1:")), "{at}");
    }
    assert_eq!(server.says("listens at "), unix[0]);
    assert_eq!(server.says("listens at "), unix[1]);
    server.finish();
}

#[test]
fn listen_takes_where_to_listen() {
    check(
        &["--listen", "connect tcp://127.0.0.1:80"],
        "--listen takes where to listen",
    );
    check(
        &["--listen", "http://127.0.0.1:17001"],
        "`listen tcp://127.0.0.1:17001`",
    );
}

#[test]
fn what_is_in_the_way_of_a_path_is_told() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("nowhere/app.sock");
    let nowhere = format!("unix:{}", shown(&nowhere));
    check(
        &["--listen", &nowhere],
        "no such file: the folder is missing",
    );
    let stale = folder.path().join("app.sock");
    drop(UnixListener::bind(&stale).unwrap());
    let stale = format!("unix:{}", shown(&stale));
    check(&["--listen", &stale], "address in use: there is a file");
}
