//! Datagrams: each is judged by itself, wherever its socket is connected or bound.

use std::net::{SocketAddr, UdpSocket};

use nix::net::if_::if_nametoindex;
use portcullis_tests::{Nobody, PATIENCE, machine};
use socket2::{Domain, Socket, Type};

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
        let local: SocketAddr = guest.does("local d").parse().unwrap();
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

/// The kernel adds to what was begun with `MSG_MORE`, and sends it to where that was
/// begun.
#[test]
fn a_datagram_that_was_begun_for_somebody_else() {
    let (first, second) = (listener(), listener());
    let [to, elsewhere] = [&first, &second].map(|peer| peer.local_addr().unwrap());
    let grants = [to, elsewhere].map(|to| format!("connect udp://{to}"));
    let grants = grants.each_ref().map(String::as_str);
    for (begin, end) in [
        ("send-more d x", format!("send-to d y {elsewhere}")),
        ("send-more d x", format!("send-more d y {elsewhere}")),
        ("send-more d x", format!("send-many d y {elsewhere}")),
        ("send-more d x", "send d y".to_owned()),
        ("send-many-more d x", format!("send-to d y {elsewhere}")),
        ("send-many-more d x", format!("send-many d y {elsewhere}")),
    ] {
        let mut attacker = guest(&grants, &[]);
        attacker.does("open d inet datagram");
        attacker.does(&format!("connect d {elsewhere}"));
        attacker.does(&format!("{begin} {to}"));
        attacker.fails(&end, "InvalidArgument");
        hears_nothing(&first);
        hears_nothing(&second);
        // What was begun stays, and is judged once more.
        attacker.does(&format!("send-to d z {to}"));
        assert_eq!(heard(&first).0, "xz", "{begin}");
        attacker.does("send d whole");
        assert_eq!(heard(&second).0, "whole", "{begin}");
    }
    // What is begun is no datagram until its end, and not more than one.
    let mut twin = guest(&grants, &[]);
    twin.does("open d inet datagram");
    let much = "x".repeat(40_000);
    twin.does(&format!("send-more d {much} {to}"));
    twin.fails(&format!("send-to d {much} {to}"), "MessageTooLong");
    twin.does(&format!("send-to d {much} {to}"));
    assert_eq!(heard(&first).0, much);
    hears_nothing(&first);
}

/// The kernel ties a socket to the interface of a link-local address for good.
#[test]
fn an_interface_that_was_chosen_for_another_address() {
    let there = machine(&[
        "ip link set lo up",
        "ip link add near type veth peer name near-end",
        "ip link add far type veth peer name far-end",
        "ip addr add 10.9.0.1/24 dev near",
        "ip link set near up",
        "ip link set near-end up",
        "ip -6 addr add fe80::1/64 dev far nodad",
        "ip link set far up",
        "ip link set far-end up",
    ]);
    if !there {
        return;
    }
    let grants = ["connect udp://[fe80::5]:9", "connect udp://10.9.0.5:9"];
    let far = if_nametoindex("far").unwrap();
    let mut attacker = guest(&grants, &[]);
    attacker.does("open d inet6 datagram");
    attacker.does(&format!("connect d [fe80::5%25{far}]:9"));
    for order in [
        "send-to d word [::ffff:10.9.0.5]:9",
        "send-many d word [::ffff:10.9.0.5]:9",
        "connect d [::ffff:10.9.0.5]:9",
    ] {
        attacker.fails(order, "InvalidArgument");
    }
    attacker.does("send d word");
    // What only goes there ties the socket to nothing.
    let mut twin = guest(&grants, &[]);
    twin.does("open d inet6 datagram");
    for to in [
        format!("[fe80::5%25{far}]:9"),
        "[::ffff:10.9.0.5]:9".to_owned(),
    ] {
        twin.does(&format!("send-to d word {to}"));
    }
}

/// Membership is of the socket, and holds at whichever port that comes by.
#[test]
fn a_group_that_was_joined_at_no_port() {
    let port = listener().local_addr().unwrap().port();
    let allow = ["listen udp://*:*", "join udp://224.0.0.251:*"];
    let request = format!("join udp://224.0.0.251:{port}");
    let mut attacker = guest(&allow, &[&request]);
    let mut twin = guest(&allow, &[]);
    for guest in [&mut attacker, &mut twin] {
        guest.does("open d inet datagram");
        guest.does("join d 224.0.0.251 1");
    }
    attacker.is_denied(&format!("bind d 0.0.0.0:{port}"), &request);
    twin.does(&format!("bind d 0.0.0.0:{port}"));
}

/// Of datagram sockets that share a port, the kernel gives what comes to one.
#[test]
fn sharing_the_port_of_another_server() {
    for option in ["reuse-address", "reuse-port"] {
        let server = shared_port(option, "127.0.0.1:0".parse().unwrap());
        let at = server.local_addr().unwrap();
        let listen = format!("listen udp://{at}");
        // Set before it has the address, and after.
        let mut attacker = guest(&["bind udp://*:*", "connect udp://127.0.0.1:*"], &[]);
        attacker.does("open d inet datagram");
        attacker.does(&format!("set d {option}"));
        attacker.is_denied(&format!("bind d {at}"), &listen);
        let client = listener();
        client.send_to(b"question", at).unwrap();
        assert_eq!(heard(&server).0, "question");
        attacker.does("open e inet datagram");
        attacker.does("bind e 127.0.0.1:0");
        let own = attacker.does("local e");
        attacker.is_denied(&format!("set e {option}"), "listen udp://127.0.0.1:0");
        // The port that sending binds is not shared with servers either.
        attacker.does("open f inet datagram");
        attacker.does(&format!("set f {option}"));
        attacker.does(&format!("send-to f word {}", client.local_addr().unwrap()));
        let (_, implicit) = heard(&client);
        for taken in [own.parse().unwrap(), implicit] {
            let late = server_of(option);
            assert!(late.bind(&SocketAddr::into(taken)).is_err(), "{taken}");
        }
        let mut twin = guest(&[&listen], &[]);
        twin.does("open d inet datagram");
        twin.does(&format!("set d {option}"));
        twin.does(&format!("bind d {at}"));
    }
}

/// Nor is the port of connections shared where it is only bound.
#[test]
fn sharing_the_port_of_a_server_of_connections() {
    let server = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    server.set_reuse_port(true).unwrap();
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    server.bind(&loopback.into()).unwrap();
    server.listen(1).unwrap();
    let at = server.local_addr().unwrap().as_socket().unwrap();
    let listen = format!("listen tcp://{at}");
    let mut attacker = guest(&["bind tcp://*:*"], &[]);
    let mut twin = guest(&[&listen], &[]);
    for guest in [&mut attacker, &mut twin] {
        guest.does("open s inet stream");
        guest.does("set s reuse-port");
    }
    attacker.is_denied(&format!("bind s {at}"), &listen);
    twin.does(&format!("bind s {at}"));
    twin.does("listen s");
}

fn server_of(option: &str) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    match option {
        "reuse-address" => socket.set_reuse_address(true).unwrap(),
        _ => socket.set_reuse_port(true).unwrap(),
    }
    socket
}

fn shared_port(option: &str, at: SocketAddr) -> UdpSocket {
    let socket = server_of(option);
    socket.bind(&at.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// Half of the datagrams would never be heard of.
#[test]
fn a_socket_of_both_families_under_a_grant_of_one() {
    for (protocol, kind) in [("udp", "datagram"), ("tcp", "stream")] {
        let six = format!("listen {protocol}://[::]:*");
        let request = format!("listen {protocol}://[::]:0");
        let mut attacker = guest(&[&six], &[]);
        attacker.does(&format!("open s inet6 {kind}"));
        attacker.is_denied("bind s [::]:0", &request);
        let denied = format!("listen {protocol}://0.0.0.0:*");
        let both = format!("listen {protocol}://*:*");
        let mut denied = guest(&[&both], &[&denied]);
        denied.does(&format!("open s inet6 {kind}"));
        denied.is_denied("bind s [::]:0", &request);
        // A client that does not listen is not concerned.
        let mut client = guest(&[&format!("bind {protocol}://[::]:0")], &[]);
        client.does(&format!("open s inet6 {kind}"));
        client.does("bind s [::]:0");
        for (grant, is_both) in [(&six, false), (&both, true)] {
            let mut twin = guest(&[grant], &[]);
            twin.does(&format!("open s inet6 {kind}"));
            if !is_both {
                twin.does("set s v6-only");
            }
            twin.does("bind s [::]:0");
            if kind == "stream" {
                twin.does("listen s");
                continue;
            }
            let here: SocketAddr = twin.does("local s").parse().unwrap();
            let six = UdpSocket::bind("[::1]:0").unwrap();
            six.send_to(b"six", ("::1", here.port())).unwrap();
            assert!(twin.does("receive-from s").starts_with("six from"));
            let four = listener();
            let sent = four.send_to(b"four", ("127.0.0.1", here.port()));
            twin.does("timeout s 200");
            match is_both {
                true => assert!(twin.does("receive-from s").starts_with("four from")),
                false => {
                    sent.unwrap();
                    twin.fails("receive-from s", "TimedOut");
                }
            }
        }
    }
}
