//! Many connections in one guest, against native peers.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use std::{io, thread};

use portcullis::Policy;
use portcullis_tests::{
    Guest, Nobody, PATIENCE, Peer, assert_every_behaviour_is_driven, busy, greeter,
};
use tempfile::TempDir;

/// A guest that may connect to what its first argument says.
fn client(behaviour: &str, address: impl ToString) -> Guest {
    let grant = format!("connect tcp://{}", address.to_string());
    Guest::new("tasks", behaviour)
        .argument(address)
        .allow(&grant)
}

/// A guest that may listen on a port of loopback that the OS chooses.
fn server(behaviour: &str) -> Guest {
    Guest::new("tasks", behaviour)
        .argument("127.0.0.1:0")
        .allow("listen tcp://127.0.0.1:0")
}

/// The same, which may visit itself as well.
fn server_and_client(behaviour: &str) -> Guest {
    server(behaviour).policy(both(
        "listen tcp://127.0.0.1:0",
        "connect tcp://127.0.0.1:*",
    ))
}

fn both(one: &str, other: &str) -> Policy {
    Policy::builder().allow(one).allow(other).build().unwrap()
}

/// Sends back what it receives, and reads no more while it cannot send.
fn echo(mut visitor: TcpStream) {
    let mut writer = visitor.try_clone().unwrap();
    io::copy(&mut visitor, &mut writer).unwrap();
    writer.shutdown(Shutdown::Write).unwrap();
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("tasks", include_str!("tasks.rs"));
}

#[test]
fn echo_many() {
    const VISITORS: usize = 250;
    let guest = server("echo_many").argument(VISITORS).start();
    let address = guest.address();
    let visitors: Vec<TcpStream> = (0..VISITORS)
        .map(|_| {
            let visitor = TcpStream::connect(address).unwrap();
            visitor.set_read_timeout(Some(PATIENCE)).unwrap();
            visitor
        })
        .collect();
    for round in 0..3 {
        // Nobody is answered because others are.
        for (number, mut visitor) in visitors.iter().enumerate().rev() {
            write!(visitor, "{round}{number:03}").unwrap();
        }
        for (number, mut visitor) in visitors.iter().enumerate() {
            let mut echoed = [0; 4];
            visitor.read_exact(&mut echoed).unwrap();
            assert_eq!(echoed, format!("{round}{number:03}").as_bytes());
        }
    }
    drop(visitors);
    guest.succeed();
}

#[test]
fn converse_with_hundreds_of_its_own() {
    server_and_client("converse_with_hundreds_of_its_own").succeed();
}

#[test]
fn one_socket_is_read_and_written_by_two_tasks() {
    let peer = Peer::serve(echo);
    client("one_socket_is_read_and_written_by_two_tasks", peer.address).succeed();
    peer.join();
}

#[test]
fn everybody_who_waits_is_told() {
    let peer = Peer::serve(|mut visitor| {
        visitor.read_exact(&mut [0]).unwrap();
        visitor.write_all(b"!").unwrap();
        // It must not be the end of the stream that they are told of.
        assert_eq!(visitor.read(&mut [0]).unwrap_or(0), 0);
    });
    client("everybody_who_waits_is_told", peer.address).succeed();
    peer.join();
}

#[test]
fn accept_times_out_and_goes_on() {
    let guest = server("accept_times_out_and_goes_on").start();
    let mut visitor = TcpStream::connect(guest.address()).unwrap();
    let mut heard = String::new();
    visitor.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "at last");
    guest.succeed();
}

#[test]
fn connect_is_refused() {
    let nobody = Nobody::new();
    client("connect_is_refused", nobody.address()).succeed();
}

#[test]
fn connect_times_out() {
    let (listener, _visitor) = busy();
    client("connect_times_out", listener.local_addr().unwrap()).succeed();
}

#[test]
fn connect_falls_back_to_the_other_family() {
    // Nobody listens at the IPv6 address of `localhost`.
    let peer = greeter("hello");
    let server = format!("localhost:{}", peer.address.port());
    client("connect_falls_back_to_the_other_family", server).succeed();
    peer.join();
}

#[test]
fn connect_from_a_source_address() {
    let peer = Peer::serve(|visitor| visitor.peer_addr().unwrap());
    let guest = Guest::new("tasks", "connect_from_a_source_address")
        .argument("127.0.0.2:0")
        .argument(peer.address)
        .policy(both(
            "bind tcp://127.0.0.2:0",
            &format!("connect tcp://{}", peer.address),
        ));
    let told = guest.succeed();
    assert!(told.starts_with("127.0.0.2:"), "{told}");
    assert_eq!(told, format!("{}\n", peer.join()));
}

#[test]
fn connect_in_a_network_with_less_is_denied() {
    let peer = greeter("hello");
    let guest = client("connect_in_a_network_with_less_is_denied", peer.address);
    let finished = guest.finish();
    assert_eq!(finished.output, "hello\n");
    assert_eq!(finished.denials.len(), 1);
    peer.join();
}

#[test]
fn a_peer_that_hung_up_does_not_keep_the_guest_busy() {
    let peer = Peer::serve(|mut visitor| {
        visitor.read_exact(&mut [0]).unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        assert_eq!(visitor.read(&mut [0]).unwrap(), 0);
    });
    let guest = client(
        "a_peer_that_hung_up_does_not_keep_the_guest_busy",
        peer.address,
    );
    let (finished, busy) = guest.start().finish_and_measure();
    assert!(matches!(finished.outcome, portcullis::Outcome::Exit(0)));
    // It waits for a second; one that looks again and again is at work for as
    // long as it gets a processor.
    assert!(
        busy < Duration::from_millis(250),
        "it was at work for {busy:?}"
    );
    peer.join();
}

#[test]
fn a_pollable_and_sockets_are_waited_for_together() {
    server_and_client("a_pollable_and_sockets_are_waited_for_together").succeed();
}

#[test]
fn a_second_handle_cannot_be_waited_for_at_the_same_time() {
    // The peer says nothing, and leaves when the guest does.
    let peer = Peer::serve(|mut visitor| visitor.read(&mut [0]).unwrap_or(0));
    client(
        "a_second_handle_cannot_be_waited_for_at_the_same_time",
        peer.address,
    )
    .succeed();
    assert_eq!(peer.join(), 0);
}

#[test]
fn a_socket_comes_back_out() {
    let peer = Peer::serve(|mut visitor| {
        visitor.write_all(b"first").unwrap();
        visitor.read_exact(&mut [0; 5]).unwrap();
        visitor.write_all(b"second").unwrap();
    });
    assert_eq!(
        client("a_socket_comes_back_out", peer.address).succeed(),
        "second\n"
    );
    peer.join();
}

#[test]
fn a_stream_is_read_by_what_knows_only_the_traits() {
    let peer = greeter("one\ntwo\nthree");
    let guest = client(
        "a_stream_is_read_by_what_knows_only_the_traits",
        peer.address,
    );
    assert_eq!(guest.succeed(), "one\ntwo\nthree\n");
    peer.join();
}

#[test]
fn exchange_datagrams() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = peer.local_addr().unwrap();
    let answering = thread::spawn(move || {
        let mut question = [0; 16];
        let (length, source) = peer.recv_from(&mut question).unwrap();
        assert_eq!(question.get(..length), Some(b"ping".as_slice()));
        peer.send_to(b"pong", source).unwrap();
        peer.send_to(b"and more", source).unwrap();
    });
    Guest::new("tasks", "exchange_datagrams")
        .argument(address)
        .allow(&format!("connect udp://{address}"))
        .succeed();
    answering.join().unwrap();
}

#[test]
fn exchange_over_a_unix_pair() {
    Guest::new("tasks", "exchange_over_a_unix_pair").succeed();
}

#[test]
fn exchange_datagrams_over_a_unix_pair() {
    Guest::new("tasks", "exchange_datagrams_over_a_unix_pair").succeed();
}

#[test]
fn exchange_over_a_unix_path() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("echo.sock");
    let path = path.to_str().unwrap();
    Guest::new("tasks", "exchange_over_a_unix_path")
        .argument(path)
        .policy(both(
            &format!("listen unix:{path}"),
            &format!("connect unix:{path}"),
        ))
        .succeed();
}

/// A socket is writable wherever it is to write to, so nothing wakes a task when there
/// is room there. It does not try all the while.
#[test]
fn wait_for_room_in_the_queue_of_a_path() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("full.sock");
    let full = UnixDatagram::bind(&path).unwrap();
    full.set_read_timeout(Some(PATIENCE)).unwrap();
    let running = Guest::new("tasks", "wait_for_room_in_the_queue_of_a_path")
        .argument(path.display())
        .allow(&format!("connect unixgram:{}", path.display()))
        .start();
    assert_eq!(running.line(0), "full");
    // So long that who tries all the while does so ten thousand times.
    thread::sleep(Duration::from_secs(1));
    let mut word = [0; 8];
    while full.recv(&mut word).unwrap() != 3 {}
    assert!(word.starts_with(b"end"));
    let tries: u32 = running.line(1).parse().unwrap();
    assert!(tries < 200, "it tried {tries} times");
    running.succeed();
}
