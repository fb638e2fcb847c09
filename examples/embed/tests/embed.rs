//! The embedding example with a real guest: granted, and not.

use std::process::Command;

use portcullis_tests::{component, greeter};

fn embed() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis-example-embed"));
    command.arg(component("greeting-client"));
    command
}

#[test]
fn a_guest_with_a_grant_connects() {
    let peer = greeter("hello");
    let output = embed()
        .args([&format!("connect tcp://{}", peer.address)])
        .args(["--", &peer.address.to_string()])
        .output();
    let output = output.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "hello");
    assert!(output.status.success());
    peer.join();
}

#[test]
fn a_guest_without_a_grant_does_not() {
    let output = embed().args(["--", "127.0.0.1:9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("connect tcp://127.0.0.1:9 is not granted"));
    let denied = "\"event\":\"deny\",\"socket\":1,\"request\":\"connect tcp://127.0.0.1:9\"";
    assert!(stderr.contains(denied), "{stderr}");
}
