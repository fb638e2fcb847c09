//! `--log`: what the host tells of its own work, and that it tells nothing unasked.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use portcullis_tests::{component, greeter};

/// Runs a client with options before the command, and a variable; tells standard
/// error.
fn run(options: &[&str], variable: Option<&str>) -> String {
    let peer = greeter("hello");
    let grant = format!("connect tcp://{}", peer.address);
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(options)
        .args(["run", "--allow", &grant])
        .arg(component("greeting-client"))
        .arg(peer.address.to_string())
        .env_remove("PORTCULLIS_LOG")
        .envs(variable.map(|value| ("PORTCULLIS_LOG", value)))
        .output()
        .unwrap();
    peer.join();
    assert_eq!((stdout.as_slice(), status.code()), (&b"hello"[..], Some(0)));
    String::from_utf8(stderr).unwrap()
}

#[test]
fn nothing_is_told_unasked() {
    assert_eq!(run(&[], None), "");
}

#[test]
fn what_is_asked_for_is_told_of_the_run_and_without_colour() {
    for told in [
        run(&["--log", "debug"], None),
        run(&[], Some("portcullis=debug")),
        run(&["--log", "debug"], Some("error")),
    ] {
        let run = "guest{program=";
        assert!(told.lines().all(|line| line.contains(run)), "{told}");
        assert!(told.contains(" INFO ") && told.contains(" portcullis::program: exited code=0"));
        let waits = "portcullis_net::socket: waits socket=1";
        assert!(told.contains(waits), "{told}");
        assert!(!told.contains('\x1b'), "{told}");
        assert!(!told.contains("hello"), "no payload: {told}");
    }
    let told = run(&["--log", "portcullis::program=info"], None);
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn what_is_no_level_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["--log", "portcullis=loud", "run", "none.wasm"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("error: --log portcullis=loud: give a level"),
        "{told}"
    );
}
