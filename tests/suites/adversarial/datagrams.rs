//! Datagrams: each is judged by itself, wherever its socket is connected or bound.

use portcullis_tests::Nobody;

use crate::{guest, heard, hears_nothing, listener};

#[test]
fn connected_to_one_place_and_sending_to_another() {
    let (granted, other) = (listener(), listener());
    let [to, elsewhere] = [&granted, &other].map(|peer| peer.local_addr().unwrap());
    let grants = [
        format!("connect udp://{to}"),
        format!("connect udp://{elsewhere}"),
    ];
    let mut attacker = guest(&[&grants[0]], &[]);
    let mut twin = guest(&[&grants[0], &grants[1]], &[]);
    for guest in [&mut attacker, &mut twin] {
        guest.does("open d inet datagram");
        guest.does(&format!("connect d {to}"));
        guest.does("send d word");
        assert_eq!(heard(&granted).0, "word");
    }
    let request = &grants[1];
    attacker.is_denied(&format!("send-to d secret {elsewhere}"), request);
    attacker.is_denied(&format!("send-many d secret {elsewhere}"), request);
    attacker.is_denied(&format!("connect d {elsewhere}"), request);
    // It stays where it was.
    attacker.does("send d again");
    assert_eq!(heard(&granted).0, "again");
    hears_nothing(&other);
    twin.does(&format!("send-to d secret {elsewhere}"));
    assert_eq!(heard(&other).0, "secret");
}

#[test]
fn a_batch_with_one_that_may_not_go() {
    let (granted, other) = (listener(), listener());
    let [to, elsewhere] = [&granted, &other].map(|peer| peer.local_addr().unwrap());
    let grants = [
        format!("connect udp://{to}"),
        format!("connect udp://{elsewhere}"),
    ];
    let batch = format!("send-many d one {to} two {elsewhere} three {to}");
    let mut attacker = guest(&[&grants[0]], &[]);
    attacker.does("open d inet datagram");
    assert_eq!(attacker.does(&batch), "1");
    assert_eq!(heard(&granted).0, "one");
    attacker.is_denied(
        &format!("send-many d two {elsewhere} three {to}"),
        &grants[1],
    );
    hears_nothing(&other);
    hears_nothing(&granted);
    let mut twin = guest(&[&grants[0], &grants[1]], &[]);
    twin.does("open d inet datagram");
    assert_eq!(twin.does(&batch), "3");
    assert_eq!(heard(&other).0, "two");
}

#[test]
fn an_answer_to_somebody_who_did_not_ask() {
    let (asking, silent) = (listener(), listener());
    let [back, elsewhere] = [&asking, &silent].map(|peer| peer.local_addr().unwrap());
    let mut guest = guest(&["listen udp://127.0.0.1:0"], &[]);
    guest.does("open d inet datagram");
    guest.does("bind d 127.0.0.1:0");
    let request = |to| format!("connect udp://{to}");
    guest.is_denied(&format!("send-to d word {back}"), &request(back));
    let here = guest.does("local d");
    asking.send_to(b"question", &here).unwrap();
    assert_eq!(
        guest.does("receive-from d"),
        format!("question from {back}")
    );
    guest.does(&format!("send-to d answer {back}"));
    assert_eq!(heard(&asking).0, "answer");
    guest.is_denied(&format!("send-to d word {elsewhere}"), &request(elsewhere));
    // A socket of its own was not asked.
    guest.does("open other inet datagram");
    guest.is_denied(&format!("send-to other word {back}"), &request(back));
    hears_nothing(&silent);
    // The twin: who asks is answered.
    silent.send_to(b"question", &here).unwrap();
    guest.does("receive-from d");
    guest.does(&format!("send-to d answer {elsewhere}"));
    assert_eq!(heard(&silent).0, "answer");
}

#[test]
fn sending_after_a_connect_that_failed() {
    let nobody = Nobody::new();
    let peer = listener();
    let (refusing, to) = (nobody.address(), peer.local_addr().unwrap());
    let mut guest = guest(&[&format!("connect tcp://{refusing}")], &[]);
    guest.does("open s inet stream");
    guest.fails(&format!("connect s {refusing}"), "ConnectionRefused");
    assert_ne!(guest.tell("send s word").outcome, "done");
    guest.is_denied("connect s 127.0.0.1:9", "connect tcp://127.0.0.1:9");
    assert_ne!(guest.tell("send s word").outcome, "done");
    assert_ne!(guest.tell("send-to s word 127.0.0.1:9").outcome, "done");
    guest.does("open d inet datagram");
    guest.is_denied(&format!("connect d {to}"), &format!("connect udp://{to}"));
    guest.fails("send d word", "DestinationAddressRequired");
    guest.fails("send-many d word -", "DestinationAddressRequired");
    hears_nothing(&peer);
    let mut twin = crate::guest(&[&format!("connect udp://{to}")], &[]);
    twin.does("open d inet datagram");
    twin.does(&format!("connect d {to}"));
    twin.does("send-many d word -");
    assert_eq!(heard(&peer).0, "word");
}

/// The port that the OS gives to a client is no ear for strangers.
#[test]
fn the_port_that_sending_binds() {
    the_implicit_port("send-to d word");
}

#[test]
fn the_port_that_connecting_binds() {
    the_implicit_port("connect d");
}

#[track_caller]
fn the_implicit_port(order: &str) {
    let (server, stranger) = (listener(), listener());
    let to = server.local_addr().unwrap();
    let grant = format!("connect udp://{to}");
    let mut attacker = guest(&[&grant], &[]);
    let mut twin = guest(&[&grant, "listen udp://*:*"], &[]);
    for guest in [&mut attacker, &mut twin] {
        guest.does("open d inet datagram");
        guest.does(&format!("{order} {to}"));
        guest.does("timeout d 100");
        let local: std::net::SocketAddr = guest.does("local d").parse().unwrap();
        assert_ne!(local.port(), 0);
        let there = ("127.0.0.1", local.port());
        stranger.send_to(b"psst", there).unwrap();
        server.send_to(b"answer", there).unwrap();
    }
    assert_eq!(attacker.does("receive-from d"), format!("answer from {to}"));
    attacker.fails("receive-from d", "TimedOut");
    let first = match order {
        // The kernel keeps others away from who is connected.
        "connect d" => format!("answer from {to}"),
        _ => format!("psst from {}", stranger.local_addr().unwrap()),
    };
    assert_eq!(twin.does("receive-from d"), first);
}

/// Nor is it a place to listen for connections.
#[test]
fn listening_at_the_port_of_a_connect_that_failed() {
    let nobody = Nobody::new();
    let grant = format!("connect tcp://{}", nobody.address());
    let mut attacker = guest(&[&grant], &[]);
    let mut twin = guest(&[&grant, "listen tcp://0.0.0.0:*"], &[]);
    for guest in [&mut attacker, &mut twin] {
        guest.does("open s inet stream");
        guest.fails(
            &format!("connect s {}", nobody.address()),
            "ConnectionRefused",
        );
    }
    attacker.is_denied("listen s", "listen tcp://0.0.0.0:0");
    twin.does("listen s");
}
