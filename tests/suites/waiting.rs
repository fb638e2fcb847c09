//! Guests that are ended while they wait give all their sockets back.
//!
//! That none is left open is what [`Guest::start`] sees to; that the peer hears of
//! it, what stands here.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use portcullis::Policy;
use portcullis_tests::{Guest, PATIENCE, assert_every_behaviour_is_driven, busy};

/// Ends a behaviour while it waits.
#[track_caller]
fn gives_all_back(behaviour: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (busy, _filler) = busy();
    let busy = busy.local_addr().unwrap();
    let policy = Policy::builder()
        .allow(&format!("connect tcp://{address}"))
        .allow(&format!("connect tcp://{busy}"))
        .allow("listen tcp://127.0.0.1:0")
        .allow("listen udp://127.0.0.1:0");
    let guest = Guest::new("waiting", behaviour)
        .argument(address)
        .argument(busy)
        .policy(policy.build().unwrap())
        .start();
    let (mut visitor, _) = listener.accept().unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor.write_all(b"a").unwrap();
    assert_eq!(guest.line(0), "waiting");
    // It says so before it does so.
    thread::sleep(Duration::from_millis(20));
    guest.stop();
    match visitor.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        // It had not read what was said to it.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("waiting", include_str!("waiting.rs"));
}

#[test]
fn a_guest_that_is_ended_in_an_accept_gives_all_back() {
    gives_all_back("accept");
}

#[test]
fn a_guest_that_is_ended_in_a_connect_gives_all_back() {
    gives_all_back("connect");
    gives_all_back("connect_with_a_timeout");
}

#[test]
fn a_guest_that_is_ended_in_a_receive_gives_all_back() {
    gives_all_back("receive");
    gives_all_back("receive_a_datagram");
    gives_all_back("receive_all_of_it");
}

#[test]
fn a_guest_that_is_ended_in_a_send_gives_all_back() {
    gives_all_back("send");
    gives_all_back("send_a_datagram_to_a_full_peer");
}

#[test]
fn a_guest_that_is_ended_in_a_poll_gives_all_back() {
    gives_all_back("block_on_a_pollable");
    gives_all_back("poll_a_hundred_sockets");
}

#[test]
fn a_guest_that_is_ended_among_its_tasks_gives_all_back() {
    gives_all_back("await_tasks");
}
