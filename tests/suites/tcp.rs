//! TCP through a real guest, against native peers.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};

use portcullis::{Name, Policy, TableResolver};
use portcullis_tests::{
    Guest, Nobody, Peer, assert_every_behaviour_is_driven, busy, greeter, read_to_end,
};

/// A guest that may connect to what its first argument says.
fn client(behaviour: &str, address: impl ToString) -> Guest {
    let grant = format!("connect tcp://{}", address.to_string());
    Guest::new("tcp", behaviour).argument(address).allow(&grant)
}

/// A guest that may listen on a port of loopback that the OS chooses.
fn server(behaviour: &str) -> Guest {
    Guest::new("tcp", behaviour)
        .argument("127.0.0.1:0")
        .allow("listen tcp://127.0.0.1:0")
}

fn answer_ping(mut visitor: TcpStream) {
    let mut question = [0; 4];
    visitor.read_exact(&mut question).unwrap();
    assert_eq!(&question, b"ping");
    visitor.write_all(b"pong").unwrap();
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("tcp", include_str!("tcp.rs"));
}

#[test]
fn exchange_over_ipv4() {
    let peer = Peer::serve(answer_ping);
    assert_eq!(client("exchange", peer.address).succeed(), "pong\n");
    peer.join();
}

#[test]
fn exchange_over_ipv6() {
    let peer = Peer::serve_at("[::1]:0", answer_ping);
    assert_eq!(client("exchange", peer.address).succeed(), "pong\n");
    peer.join();
}

#[test]
fn exchange_over_ipv4_mapped_into_ipv6() {
    let peer = Peer::serve(answer_ping);
    let mapped = format!("[::ffff:127.0.0.1]:{}", peer.address.port());
    let grant = format!("connect tcp://{}", peer.address);
    assert_eq!(
        Guest::new("tcp", "exchange")
            .argument(mapped)
            .allow(&grant)
            .succeed(),
        "pong\n"
    );
    peer.join();
}

#[test]
fn exchange_with_localhost() {
    let peer = Peer::serve(answer_ping);
    let server = format!("localhost:{}", peer.address.port());
    assert_eq!(client("exchange", server).succeed(), "pong\n");
    peer.join();
}

#[test]
fn exchange_by_a_name_of_the_policy() {
    let peer = Peer::serve(answer_ping);
    let port = peer.address.port();
    let policy = format!(
        "version = 1\nallow = [\"connect tcp://db.internal:{port} in loopback\"]\n[hosts]\n\"db.internal\" = [\"127.0.0.1\"]\n"
    );
    let policy = Policy::builder()
        .file("policy.toml", &policy)
        .build()
        .unwrap();
    let guest = Guest::new("tcp", "exchange")
        .argument(format!("db.internal:{port}"))
        .policy(policy);
    assert_eq!(guest.succeed(), "pong\n");
    peer.join();
}

#[test]
fn exchange_by_a_resolved_name() {
    let peer = Peer::serve(answer_ping);
    let port = peer.address.port();
    let addresses: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap()];
    let resolver = TableResolver::from_iter([(Name::parse("db.internal").unwrap(), addresses)]);
    let guest = Guest::new("tcp", "exchange")
        .argument(format!("DB.Internal.:{port}"))
        .resolver(resolver)
        .allow(&format!("connect tcp://*.internal:{port} in loopback"));
    assert_eq!(guest.succeed(), "pong\n");
    peer.join();
}

#[test]
fn exchange_with_an_unknown_name_says_so() {
    let finished = client("exchange", "nobody.example:80").finish();
    assert!(
        matches!(finished.outcome, portcullis::Outcome::Exit(1)),
        "{finished:?}"
    );
    assert!(finished.denials.is_empty(), "{finished:?}");
}

#[test]
fn connect_by_name_falls_back_to_the_other_family() {
    let peer = greeter("hello");
    // Only the IPv4 address is granted: the IPv6 one is left out in silence.
    let grant = format!("connect tcp://127.0.0.1:{}", peer.address.port());
    let guest = Guest::new("tcp", "connect_by_name_falls_back_to_the_other_family")
        .argument(format!("localhost:{}", peer.address.port()))
        .allow(&grant);
    let finished = guest.finish();
    assert!(
        matches!(finished.outcome, portcullis::Outcome::Exit(0)),
        "{finished:?}"
    );
    assert!(finished.denials.is_empty(), "{finished:?}");
    peer.join();
}

#[test]
fn connect_in_progress_ends_in_readiness() {
    let (listener, visitor) = busy();
    let address = listener.local_addr().unwrap();
    let guest = client("connect_in_progress_ends_in_readiness", address).start();
    guest.address();
    listener.accept().unwrap();
    drop(visitor);
    guest.succeed();
}

#[test]
fn connect_times_out() {
    let (listener, _visitor) = busy();
    client("connect_times_out", listener.local_addr().unwrap()).succeed();
}

#[test]
fn connect_in_progress_is_refused() {
    let nobody = Nobody::new();
    let peer = Peer::serve(read_to_end);
    Guest::new("tcp", "connect_in_progress_is_refused")
        .argument(nobody.address())
        .argument(peer.address)
        .allow("connect tcp://127.0.0.1:*")
        .succeed();
    assert_eq!(peer.join(), b"after all");
}

#[test]
fn connect_can_be_repeated_after_a_refusal() {
    let nobody = Nobody::new();
    let peer = Peer::serve(read_to_end);
    Guest::new("tcp", "connect_can_be_repeated_after_a_refusal")
        .argument(nobody.address())
        .argument(peer.address)
        .allow("connect tcp://127.0.0.1:*")
        .succeed();
    assert_eq!(peer.join(), b"after all");
}

#[test]
fn connect_by_name_tries_each_address() {
    // Nobody listens at the first, and the second may not be connected to.
    let peer = Peer::serve_at("127.0.0.3:0", answer_ping);
    let port = peer.address.port();
    let policy = format!(
        "version = 1\n\
         allow = [\"connect tcp://many.internal:{port} in loopback\"]\n\
         deny = [\"connect tcp://127.0.0.2:*\"]\n\
         [hosts]\n\
         \"many.internal\" = [\"127.0.0.1\", \"127.0.0.2\", \"127.0.0.3\"]\n"
    );
    let policy = Policy::builder()
        .file("policy.toml", &policy)
        .build()
        .unwrap();
    let guest = Guest::new("tcp", "exchange")
        .argument(format!("many.internal:{port}"))
        .policy(policy);
    assert_eq!(guest.succeed(), "pong\n");
    peer.join();
}

#[test]
fn connect_to_a_closed_port_is_refused() {
    let nobody = Nobody::new();
    client("connect_to_a_closed_port_is_refused", nobody.address()).succeed();
}

/// Lets a guest listen at `local` and checks that what it hears at the address
/// that `reach` makes of its own comes back.
#[track_caller]
fn check_echo(local: &str, reach: impl FnOnce(SocketAddr) -> SocketAddr) {
    let guest = Guest::new("tcp", "echo_once")
        .argument(local)
        .allow(&format!("listen tcp://{}", local.replace("[::]", "*")))
        .start();
    let mut stream = TcpStream::connect(reach(guest.address())).unwrap();
    let data: Vec<u8> = (0..1 << 20)
        .map(|index: u32| index.to_le_bytes()[0])
        .collect();
    let echoed = std::thread::spawn({
        let stream = stream.try_clone().unwrap();
        move || read_to_end(stream)
    });
    stream.write_all(&data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(echoed.join().unwrap(), data);
    guest.succeed();
}

#[test]
fn echo_once() {
    check_echo("127.0.0.1:0", |address| address);
}

#[test]
fn echo_once_over_ipv6() {
    check_echo("[::1]:0", |address| address);
}

#[test]
fn echo_once_at_a_name() {
    check_echo("localhost:0", |address| address);
}

#[test]
fn echo_once_on_both_families() {
    check_echo("[::]:0", |address| {
        (Ipv6Addr::LOCALHOST, address.port()).into()
    });
    check_echo("[::]:0", |address| {
        (Ipv4Addr::LOCALHOST, address.port()).into()
    });
}

#[test]
fn accept_hands_out_connections_until_the_last() {
    let guest = server("accept_hands_out_connections_until_the_last").start();
    let address = guest.address();
    let visitors: Vec<TcpStream> = (0..3)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for (number, visitor) in visitors.into_iter().enumerate() {
        assert_eq!(read_to_end(visitor), number.to_string().as_bytes());
    }
    guest.succeed();
}

#[test]
fn accept_times_out() {
    server("accept_times_out").succeed();
}

#[test]
fn addresses_are_told() {
    let peer = greeter("hello");
    client("addresses_are_told", peer.address).succeed();
    peer.join();
}

#[test]
fn bind_chooses_the_source_address() {
    let peer = Peer::serve(|visitor| visitor.peer_addr().unwrap());
    let policy = Policy::builder()
        .allow("bind tcp://127.0.0.2:0")
        .allow(&format!("connect tcp://{}", peer.address))
        .build()
        .unwrap();
    let output = Guest::new("tcp", "bind_chooses_the_source_address")
        .argument("127.0.0.2:0")
        .argument(peer.address)
        .policy(policy)
        .succeed();
    let source = peer.join();
    assert_eq!(source.ip().to_string(), "127.0.0.2");
    assert_eq!(output, format!("{source}\n"));
}

#[test]
fn data_sent_before_the_drop_arrives() {
    let peer = Peer::serve(read_to_end);
    client("data_sent_before_the_drop_arrives", peer.address).succeed();
    assert_eq!(peer.join(), vec![7; 1 << 20]);
}

#[test]
fn duplicate_outlives_the_original() {
    let peer = Peer::serve(read_to_end);
    client("duplicate_outlives_the_original", peer.address).succeed();
    assert_eq!(peer.join(), b"still here");
}

#[test]
fn half_close_ends_one_direction() {
    let peer = Peer::serve(|mut visitor| {
        let said = read_to_end(visitor.try_clone().unwrap());
        visitor.write_all(&said).unwrap();
    });
    client("half_close_ends_one_direction", peer.address).succeed();
    peer.join();
}

#[test]
fn listen_without_bind_chooses_a_port() {
    let guest = Guest::new("tcp", "listen_without_bind_chooses_a_port")
        .allow("listen tcp://0.0.0.0:0")
        .start();
    let visitor = TcpStream::connect(("127.0.0.1", guest.address().port())).unwrap();
    assert_eq!(read_to_end(visitor), b"hello");
    guest.succeed();
}

#[test]
fn nonblocking_operations_would_block() {
    let policy = Policy::builder()
        .allow("listen tcp://127.0.0.1:0")
        .allow("connect tcp://127.0.0.1:*")
        .build()
        .unwrap();
    Guest::new("tcp", "nonblocking_operations_would_block")
        .argument("127.0.0.1:0")
        .policy(policy)
        .succeed();
}

#[test]
fn options_are_read_back() {
    let peer = greeter("hello");
    client("options_are_read_back", peer.address).succeed();
    peer.join();
}

#[test]
fn peek_leaves_the_data() {
    let peer = greeter("twice");
    client("peek_leaves_the_data", peer.address).succeed();
    peer.join();
}

#[test]
fn pollable_stays_true_to_the_socket() {
    let peer = Peer::serve(|mut visitor| {
        visitor.write_all(b"first").unwrap();
        visitor.read_exact(&mut [0; 4]).unwrap();
        visitor.write_all(b"second").unwrap();
        // Until the guest is done.
        let _ = visitor.read(&mut [0; 1]);
    });
    client("pollable_stays_true_to_the_socket", peer.address).succeed();
    peer.join();
}

#[test]
fn receive_after_a_reset_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let guest = client(
        "receive_after_a_reset_fails",
        listener.local_addr().unwrap(),
    )
    .start();
    let (mut visitor, _) = listener.accept().unwrap();
    visitor.read_exact(&mut [0; 5]).unwrap();
    socket2::SockRef::from(&visitor)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(visitor);
    guest.succeed();
}

#[test]
fn receive_times_out() {
    let peer = Peer::serve(|mut visitor| {
        visitor.read_exact(&mut [0; 3]).unwrap();
        visitor.write_all(b"yes").unwrap();
    });
    client("receive_times_out", peer.address).succeed();
    peer.join();
}

#[test]
fn send_all_sends_it_all() {
    let peer = Peer::serve(read_to_end);
    client("send_all_sends_it_all", peer.address).succeed();
    let received = peer.join();
    assert_eq!(received.len(), 8 << 20);
    assert!(
        (0..8 << 20)
            .zip(&received)
            .all(|(index, byte): (u32, _)| index.to_le_bytes()[1] == *byte)
    );
}

#[test]
fn send_timeout_ends_a_send() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    client("send_timeout_ends_a_send", listener.local_addr().unwrap()).succeed();
}

#[test]
fn services_are_found() {
    Guest::new("tcp", "services_are_found").succeed();
}

#[test]
fn wait_all_gathers() {
    let peer = Peer::serve(|mut visitor| {
        visitor.set_nodelay(true).unwrap();
        for digit in b"0123456789" {
            visitor.write_all(&[*digit]).unwrap();
        }
        let _ = visitor.read(&mut [0; 1]);
    });
    client("wait_all_gathers", peer.address).succeed();
    peer.join();
}

#[test]
fn wait_all_ends_with_the_stream() {
    let peer = greeter("short");
    client("wait_all_ends_with_the_stream", peer.address).succeed();
    peer.join();
}
