//! Chapter "Options".

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};

use portcullis_tests::{Guest, Peer, busy, read_to_end};
use socket2::SockRef;

use crate::native::{
    answer, deaf, has_members, is_quiet, member, observe, observed, probes_in, send_to_group, text,
    udp, wait,
};
use crate::{ANY_PORT, BIND, LISTEN, against, connect, granted, guest, refused, send};

#[test]
fn row_setsockopt_so_reuseaddr() {
    let server = || guest("options::so_reuseaddr").argument(ANY_PORT);
    refused(server(), BIND);
    let running = server().allow("listen tcp://127.0.0.1:*").start();
    let visitor = TcpStream::connect(running.address()).unwrap();
    assert_eq!(read_to_end(visitor), b"");
    running.succeed();
}

#[test]
fn row_setsockopt_so_reuseport() {
    let server = || guest("options::so_reuseport").argument(ANY_PORT);
    refused(server(), BIND);
    server()
        .policy(granted([
            "listen tcp://127.0.0.1:*",
            "connect tcp://127.0.0.1:*",
        ]))
        .succeed();
}

/// Somebody who hears only whom it asked has its answer, from a socket that has
/// several addresses.
#[track_caller]
fn answers_from_where_it_was_asked(behaviour: &str, local: &str, protocol: &str) {
    let server = || guest(behaviour).argument(local);
    refused(server(), &format!("listen udp://{local}"));
    let server = server()
        .policy(granted([
            format!("listen udp://{protocol}:*"),
            "connect udp://127.0.0.1:*".to_owned(),
        ]))
        .start();
    let port = server.address().port();
    for address in ["127.0.0.2", "127.0.0.3"] {
        let client = udp(ANY_PORT);
        client.connect((address, port)).unwrap();
        client.send(b"question").unwrap();
        assert_eq!(text(&client), "question");
    }
    server.succeed();
}

#[test]
fn row_setsockopt_ip_pktinfo() {
    answers_from_where_it_was_asked("options::ip_pktinfo", "0.0.0.0:0", "0.0.0.0");
}

#[test]
fn row_setsockopt_ipv6_recvpktinfo() {
    answers_from_where_it_was_asked("options::ipv6_recvpktinfo", "[::]:0", "*");
}

/// When the kernel will probe the peer of a guest's connection, in hundredths of
/// a second.
fn probes(behaviour: &str, argument: &str) -> Option<u64> {
    let (close, closed) = std::sync::mpsc::channel::<()>();
    let peer = Peer::serve(move |_visitor| closed.recv().unwrap_err());
    let running = guest(behaviour)
        .argument(peer.address)
        .argument(argument)
        .allow(&connect(peer.address))
        .start();
    let probes = probes_in(running.address(), peer.address);
    drop(close);
    peer.join();
    running.succeed();
    probes
}

#[test]
fn row_setsockopt_so_keepalive() {
    assert_eq!(probes("options::so_keepalive", "off"), None);
    assert!(probes("options::so_keepalive", "on").is_some());
}

#[test]
fn row_setsockopt_tcp_keepidle() {
    let probes = probes("options::tcp_keepidle", "1000").unwrap();
    assert!((90_000..=100_100).contains(&probes), "{probes}");
}

#[test]
fn row_setsockopt_tcp_keepintvl() {
    guest("options::tcp_keepintvl").succeed();
}

#[test]
fn row_setsockopt_tcp_keepcnt() {
    guest("options::tcp_keepcnt").succeed();
}

#[test]
fn row_setsockopt_so_broadcast() {
    let everybody = udp("0.0.0.0:0");
    let port = everybody.local_addr().unwrap().port();
    // To everybody on loopback.
    let to = format!("127.255.255.255:{port}");
    let client = || guest("options::so_broadcast").argument(&to);
    refused(client(), "connect udp://255.255.255.255:*");
    refused(
        client().allow(&send(&to)),
        "connect udp://255.255.255.255:*",
    );
    refused(
        client().allow("connect udp://255.255.255.255:9"),
        &send(&to),
    );
    client()
        .policy(granted([
            "connect udp://255.255.255.255:9",
            "connect udp://127.0.0.0/8:*",
        ]))
        .succeed();
    assert_eq!(text(&everybody), "everybody");
    assert!(is_quiet(&everybody));
}

#[test]
fn row_setsockopt_so_linger() {
    let reset = Peer::serve(|mut visitor| {
        answer(&visitor, "x");
        visitor.read(&mut [0; 1]).unwrap_err().kind()
    });
    let closed = Peer::serve(read_to_end);
    guest("options::so_linger")
        .argument(reset.address)
        .argument(closed.address)
        .policy(granted([reset.address, closed.address].map(connect)))
        .succeed();
    assert_eq!(reset.join(), io::ErrorKind::ConnectionReset);
    assert_eq!(closed.join(), b"all of it");
}

#[test]
fn row_setsockopt_so_rcvbuf() {
    guest("options::so_rcvbuf")
        .policy(granted([
            "listen udp://127.0.0.1:0",
            "connect udp://127.0.0.1:*",
        ]))
        .succeed();
}

#[test]
fn row_setsockopt_so_sndbuf() {
    guest("options::so_sndbuf").succeed();
}

/// Keeps a visitor for as long as the guest stays.
fn say_nothing(visitor: TcpStream) -> usize {
    wait(&visitor)
}

#[test]
fn row_setsockopt_so_rcvtimeo() {
    let peer = Peer::serve(say_nothing);
    guest("options::so_rcvtimeo")
        .argument(peer.address)
        .policy(granted([LISTEN, &connect(peer.address)]))
        .succeed();
    assert_eq!(peer.join(), 0);
}

#[test]
fn row_setsockopt_so_sndtimeo() {
    let (give_up, given_up) = std::sync::mpsc::channel::<()>();
    let peer = Peer::serve(move |_visitor| given_up.recv().unwrap_err());
    let (listener, _visitor) = busy();
    let full = listener.local_addr().unwrap();
    guest("options::so_sndtimeo")
        .argument(peer.address)
        .argument(full)
        .policy(granted([peer.address, full].map(connect)))
        .succeed();
    drop(give_up);
    peer.join();
}

#[test]
fn row_getsockopt_so_error() {
    let nobody = deaf();
    let nowhere = nobody.local_addr().unwrap();
    let client = || guest("options::so_error").argument(nowhere);
    refused(client(), &send(nowhere));
    client().allow(&send(nowhere)).succeed();
}

#[test]
fn row_getsockopt_so_type() {
    guest("options::so_type").succeed();
}

#[test]
fn row_getsockopt_so_domain() {
    guest("options::so_domain").succeed();
}

#[test]
fn row_getsockopt_so_protocol() {
    guest("options::so_protocol").succeed();
}

#[test]
fn row_getsockopt_so_acceptconn() {
    let server = || guest("options::so_acceptconn").argument(ANY_PORT);
    refused(server().allow("bind tcp://127.0.0.1:0"), LISTEN);
    server().allow(LISTEN).succeed();
}

#[test]
fn row_setsockopt_so_oobinline() {
    against("options::so_oobinline", |mut visitor| {
        answer(&visitor, "before");
        SockRef::from(&visitor).send_out_of_band(b"!").unwrap();
        visitor.write_all(b"after").unwrap();
    });
}

#[test]
fn row_setsockopt_tcp_nodelay() {
    against("options::tcp_nodelay", say_nothing);
}

#[test]
fn row_setsockopt_tcp_user_timeout() {
    let (listener, _visitor) = busy();
    let full = listener.local_addr().unwrap();
    guest("options::tcp_user_timeout")
        .argument(full)
        .allow(&connect(full))
        .succeed();
}

#[test]
fn row_setsockopt_tcp_maxseg() {
    against("options::tcp_maxseg", |mut visitor| {
        let size = SockRef::from(&visitor).tcp_mss().unwrap();
        write!(visitor, "{size}").unwrap();
    });
}

/// What the kernel says of the one datagram that a behaviour sends here.
#[track_caller]
fn sent(behaviour: &str, local: &str) -> (i32, i32) {
    let peer = udp(local);
    observe(&peer);
    let address = peer.local_addr().unwrap();
    let client = || guest(behaviour).argument(address);
    refused(client(), &send(address));
    client().allow(&send(address)).succeed();
    observed(&peer)
}

#[test]
fn row_setsockopt_ip_ttl() {
    assert_eq!(sent("options::ip_ttl", ANY_PORT), (42, 0));
}

#[test]
fn row_setsockopt_ipv6_unicast_hops() {
    assert_eq!(sent("options::ipv6_unicast_hops", "[::1]:0"), (42, 0));
}

#[test]
fn row_setsockopt_ip_tos() {
    assert_eq!(sent("options::ip_tos", ANY_PORT), (64, 0x48));
}

#[test]
fn row_setsockopt_ipv6_tclass() {
    assert_eq!(sent("options::ipv6_tclass", "[::1]:0"), (64, 0x48));
}

#[test]
fn row_setsockopt_ipv6_v6only() {
    let server = |families| guest("options::ipv6_v6only").argument(families);
    refused(
        server("both").allow("listen tcp://[::]:0"),
        "listen tcp://[::]:0",
    );
    for (families, grant, visitor, seen) in [
        (
            "both",
            "listen tcp://*:0",
            "127.0.0.1",
            "[::ffff:127.0.0.1]",
        ),
        ("both", "listen tcp://*:0", "::1", "[::1]"),
        ("only", "listen tcp://[::]:0", "::1", "[::1]"),
    ] {
        let running = server(families).allow(grant).start();
        let port = running.address().port();
        if families == "only" {
            TcpStream::connect(("127.0.0.1", port)).unwrap_err();
        }
        let visitor = TcpStream::connect((visitor, port)).unwrap();
        let from = visitor.local_addr().unwrap().port();
        let heard = String::from_utf8(read_to_end(visitor)).unwrap();
        assert_eq!(heard, format!("{seen}:{from}"));
        running.succeed();
    }
}

/// A guest that may send to the group of a member, after its twin.
#[track_caller]
fn to_group(behaviour: &str, member: &UdpSocket, group: Ipv4Addr) {
    let address = SocketAddr::from((group, member.local_addr().unwrap().port()));
    let client = || guest(behaviour).argument(address);
    refused(client(), &send(address));
    client().allow(&send(address)).succeed();
}

#[test]
fn row_setsockopt_ip_multicast_ttl() {
    let group = Ipv4Addr::new(239, 255, 70, 1);
    let member = member(group);
    observe(&member);
    to_group("options::ip_multicast_ttl", &member, group);
    assert_eq!(observed(&member).0, 5);
}

#[test]
fn row_setsockopt_ip_multicast_loop() {
    let group = Ipv4Addr::new(239, 255, 70, 2);
    let member = member(group);
    to_group("options::ip_multicast_loop", &member, group);
    assert_eq!(text(&member), "heard");
}

#[test]
fn row_setsockopt_ip_multicast_if() {
    let group = Ipv4Addr::new(239, 255, 70, 3);
    let member = member(group);
    to_group("options::ip_multicast_if", &member, group);
    assert_eq!(text(&member), "by loopback");
}

/// A group of IPv6, which loopback carries no datagrams to.
#[track_caller]
fn to_group_v6(behaviour: &str) {
    let client = || guest(behaviour).argument("[ff02::4670:1]:9");
    refused(client(), &send("[ff02::4670:1]:9"));
    client().allow(&send("[ff02::4670:1]:9")).succeed();
}

#[test]
fn row_setsockopt_ipv6_multicast_hops() {
    to_group_v6("options::ipv6_multicast_hops");
}

#[test]
fn row_setsockopt_ipv6_multicast_loop() {
    to_group_v6("options::ipv6_multicast_loop");
}

#[test]
fn row_setsockopt_ipv6_multicast_if() {
    to_group_v6("options::ipv6_multicast_if");
}

#[test]
fn row_setsockopt_ip_add_membership() {
    let group = Ipv4Addr::new(239, 255, 70, 4);
    let server = || {
        guest("options::ip_add_membership")
            .argument(group)
            .argument("239.255.70.5")
    };
    let listen = "listen udp://0.0.0.0:0";
    refused(server().allow(listen), "join udp://239.255.70.4:0");
    let running = server()
        .policy(granted([listen, "join udp://239.255.70.4:0"]))
        .start();
    let port = running.address().port();
    send_to_group(b"others", (Ipv4Addr::new(239, 255, 70, 5), port).into());
    send_to_group(b"members", (group, port).into());
    running.succeed();
}

#[test]
fn row_setsockopt_ip_drop_membership() {
    let group = Ipv4Addr::new(239, 255, 70, 6);
    let running = guest("options::ip_drop_membership")
        .argument(group)
        .policy(granted([
            "listen udp://0.0.0.0:0",
            "join udp://239.255.70.6:0",
        ]))
        .start();
    let port = running.address().port();
    send_to_group(b"members", (group, port).into());
    let sender = UdpSocket::bind(ANY_PORT).unwrap();
    sender.send_to(b"you alone", ("127.0.0.1", port)).unwrap();
    running.succeed();
}

/// A guest in a group of IPv6; what it hears comes to its own address.
fn with_group_v6(test: Guest, group: Ipv6Addr, data: &[u8], is_member: bool) {
    let running = test
        .policy(granted([
            "listen udp://*:0".to_owned(),
            format!("join udp://[{group}]:0"),
        ]))
        .start();
    let port = running.address().port();
    assert_eq!(has_members(group), is_member);
    let sender = UdpSocket::bind("[::1]:0").unwrap();
    sender.send_to(data, ("::1", port)).unwrap();
    running.succeed();
    assert!(!has_members(group), "membership ends with the socket");
}

#[test]
fn row_setsockopt_ipv6_join_group() {
    let group = "ff02::4670:2".parse().unwrap();
    let server = || {
        guest("options::ipv6_join_group")
            .argument(group)
            .argument("ff02::4670:3")
    };
    refused(
        server().allow("listen udp://*:0"),
        "join udp://[ff02::4670:2]:0",
    );
    with_group_v6(server(), group, b"members", true);
}

#[test]
fn row_setsockopt_ipv6_leave_group() {
    let group = "ff02::4670:4".parse().unwrap();
    let server = guest("options::ipv6_leave_group").argument(group);
    with_group_v6(server, group, b"you alone", false);
}

#[test]
fn row_setsockopt_so_dontroute() {
    let peer = udp(ANY_PORT);
    let near = peer.local_addr().unwrap();
    let far = "203.0.113.1:9";
    let client = || guest("options::so_dontroute").argument(near).argument(far);
    refused(client(), &send(near));
    client().policy(granted([send(near), send(far)])).succeed();
    assert_eq!(text(&peer), "near");
}

#[test]
fn row_setsockopt_so_rcvlowat() {
    against("options::so_rcvlowat", |mut visitor| {
        visitor.write_all(b"one").unwrap();
        answer(&visitor, "two");
        say_nothing(visitor)
    });
}

#[test]
fn row_setsockopt_unknown() {
    guest("options::unknown").succeed();
}
