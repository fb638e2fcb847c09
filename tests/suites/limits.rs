//! Guests are held to the limits of their policy, and go on within them.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use portcullis::Policy;
use portcullis_tests::{Guest, PATIENCE, assert_every_behaviour_is_driven, visit};

/// A guest that may do what it wants on loopback, within limits.
fn guest(behaviour: &str, limits: &str) -> Guest {
    let policy = format!(
        r#"
        version = 1
        allow = ["connect tcp://127.0.0.1:*", "listen tcp://127.0.0.1:0"]
        [limits]
        {limits}
        "#
    );
    let policy = Policy::builder().file("policy.toml", &policy);
    Guest::new("limits", behaviour).policy(policy.build().unwrap())
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// All that the next visitor says.
fn hear(listener: &TcpListener) -> Vec<u8> {
    let (mut visitor, _) = listener.accept().unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    visitor.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("limits", include_str!("limits.rs"));
}

#[test]
fn a_guest_goes_on_when_it_has_closed_a_socket() {
    let output = guest("open_until_refused", "sockets = 7").succeed();
    assert_eq!(output, "3\nlimit reached: sockets = 7\n");
}

#[test]
fn a_guest_goes_on_when_it_has_closed_a_connection() {
    let (_listener, address) = listener();
    let guest = guest("connect_until_refused", "connections = 4").argument(address);
    assert_eq!(guest.succeed(), "4\n");
}

/// Whether a visitor is greeted, rather than turned away.
fn is_greeted(visitor: &mut TcpStream) -> bool {
    match visitor.read(&mut [0; 1]) {
        Ok(count) => count == 1,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            false
        }
    }
}

#[test]
fn a_server_outlives_a_crowd() {
    let guest = guest("serve", "connections = 4").argument(6).start();
    let address = guest.address();
    let mut visitors = [(); 4].map(|()| visit(address));
    assert!(visitors.iter_mut().all(is_greeted));
    for _ in 0..20 {
        let mut late = visit(address);
        assert!(!is_greeted(&mut late));
    }
    let [_third, _fourth, leaving @ ..] = visitors;
    drop(leaving);
    let mut greeted = Vec::new();
    while greeted.len() < 2 {
        let mut visitor = visit(address);
        if is_greeted(&mut visitor) {
            greeted.push(visitor);
        }
    }
    guest.succeed();
}

#[test]
fn a_flood_is_thinned() {
    let guest = guest("serve", "connections-per-second = 2")
        .argument(4)
        .start();
    let address = guest.address();
    let (mut greeted, mut turned_away) = (Vec::new(), 0);
    let begin = Instant::now();
    while greeted.len() < 4 {
        let mut visitor = visit(address);
        if is_greeted(&mut visitor) {
            greeted.push(visitor);
        } else {
            turned_away += 1;
        }
    }
    // Two at once, and then two a second.
    assert!(begin.elapsed() > Duration::from_millis(700));
    assert!(turned_away > 0);
    guest.succeed();
}

#[test]
fn a_guest_sends_up_to_the_limit() {
    let (listener, address) = listener();
    let guest = guest("send_until_refused", "bytes-sent = 4500").argument(address);
    let guest = guest.start();
    assert_eq!(hear(&listener).len(), 4500);
    assert_eq!(guest.succeed(), "4500\n");
}

#[test]
fn bandwidth_delays_a_guest_and_loses_nothing() {
    const BYTES: usize = 600_000;
    let (listener, address) = listener();
    let guest = guest("send_much", "bandwidth = \"300 kB/s\"");
    let guest = guest.argument(address).argument(BYTES).start();
    let (mut visitor, _) = listener.accept().unwrap();
    let begin = Instant::now();
    let mut heard = Vec::new();
    visitor.read_to_end(&mut heard).unwrap();
    let took = begin.elapsed().as_secs_f64();
    assert!((1.5..2.5).contains(&took), "{took} s rather than 2");
    assert_eq!(heard.len(), BYTES);
    guest.succeed();
}

#[test]
fn an_idle_connection_ends_and_the_guest_goes_on() {
    let (listener, address) = listener();
    let guest = guest("idle", "idle-timeout = \"150ms\"").argument(address);
    let guest = guest.start();
    let (mut first, _) = listener.accept().unwrap();
    first.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    first.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"a");
    assert_eq!(hear(&listener), b"c");
    guest.succeed();
}
