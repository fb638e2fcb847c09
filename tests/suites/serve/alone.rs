//! Tests that take a process of their own: they measure it, or take from it what
//! others need.

use std::env;
use std::process::Command;

/// Says to a process which test it is for.
const ALONE: &str = "PORTCULLIS_TEST_ALONE";

/// Does the work of the test with this name in a process in which nothing else is
/// done.
#[track_caller]
pub(crate) fn alone(test: &str, work: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return work();
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--include-ignored"])
        .env(ALONE, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(
        listed.contains("1 passed"),
        "no test is called {test}: {listed}"
    );
    for line in said.lines().filter(|line| line.starts_with("measured: ")) {
        portcullis_tests::measure::say(line.trim_start_matches("measured: "));
    }
}
