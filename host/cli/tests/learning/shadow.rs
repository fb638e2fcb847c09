//! `portcullis run --shadow`.

use std::fs;

use portcullis_tests::greeter;
use tempfile::TempDir;

use super::{guest, portcullis, shown, text, web_server};

const NOTICE: &str = "portcullis: shadow: nothing is enforced; what would be denied is reported\n";

#[test]
fn what_would_be_denied_passes_and_is_reported() {
    let peer = greeter("hello");
    let address = peer.address.to_string();
    let output = portcullis(["run", "--shadow", &guest("greeting-client"), &address])
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "hello");
    assert_eq!(
        text(&output.stderr),
        format!(
            "{NOTICE}portcullis: would deny  connect tcp://{address}\n  \
             reason: no grant covers it\n  \
             to allow: --allow 'connect tcp://{address}'\n"
        )
    );
    assert_eq!(output.status.code(), Some(0));
    peer.join();
}

#[test]
fn a_deny_is_not_enforced_either() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    fs::write(
        &policy,
        "version = 1\ndeny = [\"connect tcp://loopback:*\"]\n",
    )
    .unwrap();
    let peer = greeter("hello");
    let output = portcullis([
        "run",
        "--shadow",
        "--policy",
        &shown(&policy),
        &guest("greeting-client"),
        &peer.address.to_string(),
    ])
    .output()
    .unwrap();
    assert_eq!(text(&output.stdout), "hello");
    let stderr = text(&output.stderr);
    let reason = "\n  reason: denied by: connect tcp://loopback:*\n";
    assert!(stderr.contains(reason), "{stderr}");
    peer.join();
}

#[test]
fn what_repeats_is_reported_once_and_counted() {
    let server = web_server();
    let output = portcullis([
        "run",
        "--shadow",
        &guest("http-client"),
        &server,
        "/a",
        "/b",
    ])
    .output()
    .unwrap();
    assert_eq!(text(&output.stdout), "200 OK\npage\n200 OK\npage\n");
    let stderr = text(&output.stderr);
    let request = format!("portcullis: would deny  connect tcp://{server}");
    assert_eq!(
        stderr.matches(&format!("{request}\n")).count(),
        1,
        "{stderr}"
    );
    assert!(
        stderr.ends_with(&format!("{request} (2 times in all)\n")),
        "{stderr}"
    );
}

#[test]
fn what_passes_anyway_is_not_reported() {
    let peer = greeter("hello");
    let grant = format!("connect tcp://{}", peer.address);
    let address = peer.address.to_string();
    let guest = guest("greeting-client");
    let output = portcullis(["run", "--shadow", "--allow", &grant, &guest, &address])
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), NOTICE);
    peer.join();
}
