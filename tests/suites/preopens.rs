//! Sockets that the host opens for a guest that is granted nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use portcullis_tests::{
    Guest, Nobody, PATIENCE, Peer, assert_every_behaviour_is_driven, visit_from,
};

fn guest(behaviour: &str) -> Guest {
    Guest::new("preopens", behaviour)
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("preopens", include_str!("preopens.rs"));
}

#[test]
fn a_listening_socket_is_accepted_from() {
    let guest = guest("accept").socket("web", "tcp://127.0.0.1:0").start();
    let mut visitor = TcpStream::connect(guest.address()).unwrap();
    let mut served = String::new();
    visitor.read_to_string(&mut served).unwrap();
    assert_eq!(served, "served");
    guest.succeed();
}

#[test]
fn a_connected_socket_is_spoken_through() {
    let peer = Peer::serve(|mut visitor| {
        visitor.read_exact(&mut [0; 4]).unwrap();
        visitor.write_all(b"pong").unwrap();
    });
    let database = format!("connect tcp://{}", peer.address);
    assert_eq!(
        guest("connected").socket("db", &database).succeed(),
        "pong\n"
    );
    peer.join();
}

#[test]
fn datagrams_are_answered() {
    let guest = guest("datagrams")
        .socket("dns", "udp://127.0.0.1:0")
        .start();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"question", guest.address()).unwrap();
    let mut answer = [0; 16];
    assert_eq!(client.recv(&mut answer).unwrap(), 8);
    guest.succeed();
}

#[test]
fn it_is_good_for_nothing_else() {
    let nobody = Nobody::new();
    let finished = guest("nothing_else")
        .argument(nobody.address())
        .socket("web", "tcp://127.0.0.1:0")
        .finish();
    assert!(
        matches!(finished.outcome, portcullis::Outcome::Exit(0)),
        "{finished:?}"
    );
    assert_eq!(finished.denials.len(), 3, "{finished:?}");
}

#[test]
fn who_may_not_come_in_does_not_make_it_ready() {
    let guest = guest("polled")
        .socket("web", "tcp://127.0.0.1:0 from 127.0.0.1")
        .start();
    let _outside = visit_from([127, 0, 0, 2], guest.address());
    let inside = TcpStream::connect(guest.address()).unwrap();
    let output = guest.succeed();
    let peer = format!("{}\n", inside.local_addr().unwrap());
    assert!(output.ends_with(&peer), "{output}");
}
