//! The examples that speak a protocol, each against a peer that others wrote.
//! `cargo xtask peers` fetches those.

mod denials;
mod ftp;
mod gopher;
mod http;
mod https;
mod mail;
mod nntp;
pub(crate) mod peer;
mod redis;
mod tap;
mod telnet;

use std::process::Output;

use crate::example::Example;

/// Runs a client to its end, which has to be a good one; returns what it printed.
#[track_caller]
fn succeed(example: Example) -> String {
    let output = example.finish("");
    assert_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(
        output.status.success(),
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
