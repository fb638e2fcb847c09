//! The guest's types in the shape of `std`, `socket2` and `polling`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::net::{SocketAddr, UdpSocket};
use std::process;
use std::thread::{self, JoinHandle};

use portcullis::Policy;
use portcullis_tests::{Guest, PATIENCE, Peer, assert_every_behaviour_is_driven, greeter};
use tempfile::TempDir;

fn guest(behaviour: &str) -> Guest {
    Guest::new("shapes", behaviour)
}

/// A guest that may connect to itself at loopback.
fn conversing(behaviour: &str) -> Guest {
    guest(behaviour).policy(grants(&[
        "listen tcp://127.0.0.1:0",
        "connect tcp://127.0.0.1:*",
    ]))
}

fn grants(grants: &[&str]) -> Policy {
    let policy = grants
        .iter()
        .fold(Policy::builder(), |policy, grant| policy.allow(grant));
    policy.build().unwrap()
}

/// A native socket that answers `count` datagrams with what `answer` makes of
/// them.
fn answering(
    count: usize,
    answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = peer.local_addr().unwrap();
    let thread = thread::spawn(move || {
        for _ in 0..count {
            let mut question = [0; 64];
            let (length, source) = peer.recv_from(&mut question).unwrap();
            let answer = answer(question.get(..length).unwrap());
            peer.send_to(&answer, source).unwrap();
        }
    });
    (address, thread)
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("shapes", include_str!("shapes.rs"));
}

#[test]
fn whoever_writes_is_answered() {
    let guest = guest("whoever_writes_is_answered")
        .argument("127.0.0.1:0")
        .allow("listen udp://127.0.0.1:0")
        .start();
    let visitor = UdpSocket::bind("127.0.0.1:0").unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor.send_to(b"ping", guest.address()).unwrap();
    let mut answer = [0; 16];
    let (length, _) = visitor.recv_from(&mut answer).unwrap();
    assert_eq!(answer.get(..length), Some(b"pong".as_slice()));
    guest.succeed();
}

#[test]
fn a_datagram_socket_has_one_peer() {
    let (address, thread) = answering(1, |question| {
        assert_eq!(question, b"ping");
        b"pong".to_vec()
    });
    guest("a_datagram_socket_has_one_peer")
        .argument(address)
        .allow(&format!("connect udp://{address}"))
        .succeed();
    thread.join().unwrap();
}

#[test]
fn a_datagram_tells_what_did_not_fit() {
    guest("a_datagram_tells_what_did_not_fit").succeed();
}

#[test]
fn datagrams_go_in_batches() {
    let (address, thread) = answering(3, <[u8]>::to_vec);
    guest("datagrams_go_in_batches")
        .argument(address)
        .allow(&format!("connect udp://{address}"))
        .succeed();
    thread.join().unwrap();
}

#[test]
fn a_datagram_socket_has_the_options_of_std() {
    guest("a_datagram_socket_has_the_options_of_std").succeed();
}

#[test]
fn a_group_is_joined_and_left() {
    guest("a_group_is_joined_and_left")
        .argument("224.0.0.251")
        .argument("224.0.0.252")
        .allow("join udp://224.0.0.251:*")
        .succeed();
}

#[test]
fn a_network_with_less_opens_sockets_that_do_less() {
    let peer = greeter("hello");
    guest("a_network_with_less_opens_sockets_that_do_less")
        .argument(peer.address)
        .policy(grants(&[
            "connect tcp://127.0.0.1:*",
            "listen tcp://127.0.0.1:*",
            "connect udp://127.0.0.1:*",
            "listen udp://127.0.0.1:*",
            "connect unix:@nobody",
            "listen unix:@nobody",
            "connect unixgram:@nobody",
            "listen unixgram:@nobody",
        ]))
        .succeed();
    peer.join();
}

#[test]
fn unix_streams_have_addresses() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("echo.sock").display().to_string();
    guest("unix_streams_have_addresses")
        .argument(&path)
        .policy(grants(&[
            &format!("listen unix:{path}"),
            &format!("connect unix:{path}"),
        ]))
        .succeed();
}

#[test]
fn an_abstract_name_is_an_address() {
    let name = format!("portcullis-test-{}", process::id());
    guest("an_abstract_name_is_an_address")
        .argument(&name)
        .policy(grants(&[
            &format!("listen unix:@{name}"),
            &format!("connect unix:@{name}"),
        ]))
        .succeed();
}

#[test]
fn datagrams_have_unix_addresses() {
    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name).display().to_string();
    let (here, there) = (path("here"), path("there"));
    guest("datagrams_have_unix_addresses")
        .argument(&here)
        .argument(&there)
        .policy(grants(&[
            &format!("listen unixgram:{here}"),
            &format!("listen unixgram:{there}"),
            &format!("connect unixgram:{here}"),
            &format!("connect unixgram:{there}"),
        ]))
        .succeed();
}

#[test]
fn packets_in_sequence_keep_their_bounds() {
    guest("packets_in_sequence_keep_their_bounds").succeed();
}

#[test]
fn options_are_named_as_in_socket2() {
    guest("options_are_named_as_in_socket2").succeed();
}

#[test]
fn buffers_are_gathered_and_scattered() {
    guest("buffers_are_gathered_and_scattered").succeed();
}

#[test]
fn a_file_is_sent() {
    guest("a_file_is_sent").succeed();
}

#[test]
fn urgent_data_goes_ahead() {
    conversing("urgent_data_goes_ahead").succeed();
}

#[test]
fn a_builder_chooses_the_families_of_a_listener() {
    guest("a_builder_chooses_the_families_of_a_listener")
        .policy(grants(&[
            "listen tcp://*:*",
            "connect tcp://127.0.0.1:*",
            "connect tcp://[::1]:*",
        ]))
        .succeed();
}

#[test]
fn a_builder_prepares_each_socket() {
    let peer = Peer::serve(|visitor| visitor.peer_addr().unwrap());
    let told = guest("a_builder_prepares_each_socket")
        .argument("127.0.0.2:0")
        .argument(peer.address)
        .policy(grants(&[
            "bind tcp://127.0.0.2:0",
            &format!("connect tcp://{}", peer.address),
        ]))
        .succeed();
    assert!(told.starts_with("127.0.0.2:"), "{told}");
    assert_eq!(told, format!("{}\n", peer.join()));
}

#[test]
fn a_poller_tells_which_socket_is_ready() {
    guest("a_poller_tells_which_socket_is_ready").succeed();
}

#[test]
fn a_poller_tells_no_more_than_there_is_room_for() {
    guest("a_poller_tells_no_more_than_there_is_room_for").succeed();
}

#[test]
fn a_poller_waits_next_to_a_clock() {
    guest("a_poller_waits_next_to_a_clock").succeed();
}
