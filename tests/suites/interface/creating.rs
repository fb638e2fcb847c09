//! Chapter "Creating".

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use portcullis::{Name, TableResolver};
use portcullis_tests::{Nobody, Peer, busy_at, read_to_end};
use socket2::{Domain, Protocol, Socket, Type};

use crate::native::tcp_echo;
use crate::{BIND, ITSELF, LISTEN, against, connect, granted, guest, refused};

#[test]
fn row_socket() {
    guest("creating::socket").succeed();
}

#[test]
fn row_socket_families() {
    guest("creating::socket_families").succeed();
}

/// The guest is told what the kernel tells this test.
#[test]
fn row_socket_types() {
    let combinations = [
        "inet stream 17",
        "inet dgram 6",
        "inet seqpacket 0",
        "inet rdm 0",
        "inet6 stream 17",
        "inet6 dgram 6",
        "inet6 seqpacket 0",
        "unix stream 6",
        "unix dgram 17",
        "unix rdm 0",
    ];
    let test = guest("creating::socket_types");
    let test = combinations
        .iter()
        .fold(test, |test, combination| test.argument(combination));
    let output = test.succeed();
    for (combination, code) in combinations.iter().zip(output.lines()) {
        let words: Vec<&str> = combination.split(' ').collect();
        let domain = match words[0] {
            "inet" => Domain::IPV4,
            "inet6" => Domain::IPV6,
            _ => Domain::UNIX,
        };
        let r#type = match words[1] {
            "stream" => Type::STREAM,
            "dgram" => Type::DGRAM,
            "seqpacket" => Type::SEQPACKET,
            // SOCK_RDM
            _ => Type::from(4),
        };
        let protocol = Protocol::from(words[2].parse::<i32>().unwrap());
        let error = Socket::new(domain, r#type, Some(protocol)).unwrap_err();
        let expected = match error.raw_os_error().map(nix::errno::Errno::from_raw) {
            Some(nix::errno::Errno::EPROTONOSUPPORT) => "ErrorCode::ProtocolNotSupported",
            Some(nix::errno::Errno::ESOCKTNOSUPPORT) => "ErrorCode::SocketTypeNotSupported",
            other => panic!("{combination}: {other:?}"),
        };
        assert_eq!(code, expected, "{combination}");
    }
    assert_eq!(output.lines().count(), combinations.len());
}

#[test]
fn row_socketpair() {
    guest("creating::socketpair").succeed();
}

/// Names with an address of each family, IPv6 first.
fn both_families() -> TableResolver {
    let addresses: Vec<IpAddr> = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    TableResolver::from_iter([(Name::parse("both.example").unwrap(), addresses)])
}

#[test]
fn row_create_connection() {
    let peer = Peer::serve(read_to_end);
    let nobody = Nobody::new();
    let (there, nowhere) = (peer.address.port(), nobody.address().port());
    let client = || {
        guest("creating::create_connection")
            .argument(format!("both.example:{there}"))
            .argument(format!("both.example:{nowhere}"))
            .resolver(both_families())
    };
    refused(client(), &connect(format!("both.example:{there}")));
    let grant = |port| format!("connect tcp://both.example:{port} in loopback");
    client()
        .policy(granted([grant(there), grant(nowhere)]))
        .succeed();
    assert_eq!(peer.join(), b"by name");
}

#[test]
fn row_create_connection_timeout() {
    let (listener, _visitor) = busy_at("127.0.0.1:0".parse().unwrap());
    let port = listener.local_addr().unwrap().port();
    // Another of loopback's addresses, at the same port.
    let (_other, _other_visitor) = busy_at(([127, 0, 0, 2], port).into());
    let addresses: Vec<IpAddr> = vec![[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
    let silent = TableResolver::from_iter([(Name::parse("silent.example").unwrap(), addresses)]);
    guest("creating::create_connection_timeout")
        .argument(format!("silent.example:{port}"))
        .resolver(silent)
        .allow(&format!("connect tcp://silent.example:{port} in loopback"))
        .succeed();
}

#[test]
fn row_create_connection_happy_eyeballs_delay() {
    // The same port may be somebody's over IPv4.
    let mut pairs = std::iter::repeat_with(|| {
        let (deaf, visitor) = busy_at((Ipv6Addr::LOCALHOST, 0).into());
        let port = deaf.local_addr().unwrap().port();
        let living = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        Some((port, living, deaf, visitor))
    });
    let (port, _living, _deaf, _visitor) = pairs.find_map(|pair| pair).unwrap();
    let client = || {
        guest("creating::create_connection_happy_eyeballs_delay")
            .argument(format!("both.example:{port}"))
            .resolver(both_families())
    };
    refused(client(), &connect(format!("both.example:{port}")));
    client()
        .allow(&format!("connect tcp://both.example:{port} in loopback"))
        .succeed();
}

#[test]
fn row_create_connection_source_address() {
    let peer = Peer::serve(|visitor| visitor.peer_addr().unwrap());
    let client = || {
        guest("creating::create_connection_source_address")
            .argument("127.0.0.2:0")
            .argument(peer.address)
    };
    let connect = connect(peer.address);
    refused(client().allow(&connect), "bind tcp://127.0.0.2:0");
    refused(client().allow("bind tcp://127.0.0.2:0"), &connect);
    let output = client()
        .policy(granted(["bind tcp://127.0.0.2:0", &connect]))
        .succeed();
    let source = peer.join();
    assert_eq!(source.ip().to_string(), "127.0.0.2");
    assert_eq!(output, format!("{source}\n"));
}

fn hear(address: (IpAddr, u16)) -> String {
    String::from_utf8(read_to_end(TcpStream::connect(address).unwrap())).unwrap()
}

#[test]
fn row_create_server() {
    let server = |families| {
        guest("creating::create_server")
            .argument("[::]:0")
            .argument(families)
    };
    refused(server("dual"), "bind tcp://[::]:0");
    // Half of it is not enough.
    refused(
        server("dual").allow("listen tcp://[::]:0"),
        "listen tcp://[::]:0",
    );
    let running = server("dual").allow("listen tcp://*:0").start();
    let port = running.address().port();
    assert_eq!(hear((Ipv6Addr::LOCALHOST.into(), port)), "::1");
    assert_eq!(hear((Ipv4Addr::LOCALHOST.into(), port)), "::ffff:127.0.0.1");
    running.succeed();

    let running = server("one").allow("listen tcp://[::]:0").start();
    let port = running.address().port();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
    for _ in 0..2 {
        assert_eq!(hear((Ipv6Addr::LOCALHOST.into(), port)), "::1");
    }
    running.succeed();
}

fn echo(mut visitor: TcpStream) {
    let mut twin = visitor.try_clone().unwrap();
    std::io::copy(&mut twin, &mut visitor).unwrap();
}

#[test]
fn row_dup() {
    against("creating::dup", echo);
}

#[test]
fn row_fromfd() {
    against("creating::fromfd", echo);
}

#[test]
fn row_socket_fileno() {
    assert_eq!(
        against("creating::socket_fileno", read_to_end),
        b"taken over"
    );
}

#[test]
fn row_getdefaulttimeout() {
    refused(guest("creating::getdefaulttimeout"), BIND);
    guest("creating::getdefaulttimeout")
        .policy(granted(ITSELF))
        .succeed();
}

#[test]
fn row_setdefaulttimeout() {
    let silent = tcp_echo("127.0.0.1:0");
    let client = || guest("creating::setdefaulttimeout").argument(silent);
    refused(client(), BIND);
    client()
        .policy(granted([LISTEN, &connect(silent)]))
        .succeed();
    // The peer is there, and sends nothing by itself.
    let mut visitor = TcpStream::connect(silent).unwrap();
    visitor.write_all(b"x").unwrap();
    visitor.read_exact(&mut [0; 1]).unwrap();
}
