//! Chapter "Server, client".

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use portcullis::{Name, Policy, TableResolver};
use portcullis_tests::{Nobody, Peer, busy, read_to_end};

use crate::native::tcp_echo;
use crate::{ANY_PORT, BIND, ITSELF, LISTEN, connect, granted, guest, refused, serving};

#[test]
fn row_bind() {
    let taken = TcpListener::bind(ANY_PORT).unwrap();
    let taken = taken.local_addr().unwrap();
    let client = || guest("connecting::bind").argument(taken);
    refused(client(), "bind tcp://127.0.0.1:0");
    client()
        .policy(granted([
            "bind tcp://127.0.0.1:0",
            "bind tcp://[::1]:0",
            "bind tcp://203.0.113.77:0",
            &format!("bind tcp://{taken}"),
        ]))
        .succeed();
}

#[test]
fn row_bind_any() {
    for (family, request, grant) in [
        ("inet", "bind tcp://0.0.0.0:0", "listen tcp://0.0.0.0:0"),
        ("inet6", "bind tcp://[::]:0", "listen tcp://*:0"),
    ] {
        let server = || guest("connecting::bind_any").argument(family);
        refused(server(), request);
        refused(server().allow(LISTEN), request);
        let running = server().allow(grant).start();
        let port = running.address().port();
        let hear = |ip: IpAddr| read_to_end(TcpStream::connect((ip, port)).unwrap());
        assert_eq!(hear(Ipv4Addr::LOCALHOST.into()), b"hello");
        if family == "inet6" {
            assert_eq!(hear(Ipv6Addr::LOCALHOST.into()), b"hello");
        }
        running.succeed();
    }
}

#[test]
fn row_bind_broadcast() {
    let server = || guest("connecting::bind_broadcast");
    refused(server(), "listen udp://255.255.255.255:0");
    server().allow("listen udp://255.255.255.255:0").succeed();
}

#[test]
fn row_bind_name() {
    let server = || {
        guest("connecting::bind_name")
            .argument("localhost")
            .argument("here.internal")
            .argument("127.0.0.3")
    };
    refused(server(), "bind tcp://localhost:0");
    let policy = "
        allow = [
            'listen tcp://127.0.0.1:0',
            'listen tcp://here.internal:0',
            'listen tcp://127.0.0.2/31:0',
        ]
        [hosts]
        'here.internal' = ['::1', '127.0.0.2']
    ";
    let policy = format!("version = 1\n{policy}");
    let policy = Policy::builder().file("policy.toml", &policy);
    let output = server().policy(policy.build().unwrap()).succeed();
    assert_eq!(output, "127.0.0.1\n127.0.0.2\n127.0.0.3\n");
}

#[test]
fn row_bind_port_zero() {
    refused(guest("connecting::bind_port_zero"), BIND);
    guest("connecting::bind_port_zero").allow(LISTEN).succeed();
}

#[test]
fn row_listen() {
    let server = || guest("connecting::listen").argument(ANY_PORT);
    refused(server(), "bind tcp://127.0.0.1:0");
    refused(
        server().policy(granted([
            "bind tcp://127.0.0.1:0",
            "connect tcp://127.0.0.1:*",
        ])),
        LISTEN,
    );
    let running = server().policy(granted(ITSELF)).start();
    let visitor = TcpStream::connect(running.address()).unwrap();
    assert_eq!(read_to_end(visitor), b"hello");
    running.succeed();
}

#[test]
fn row_listen_backlog() {
    let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let usual = limit.trim().parse::<u32>().unwrap().min(128);
    guest("connecting::listen_backlog")
        .argument(usual)
        .policy(granted(ITSELF))
        .succeed();
}

#[test]
fn row_accept() {
    let running = serving("connecting::accept");
    let address = running.address();
    let visitors = [(); 2].map(|()| TcpStream::connect(address).unwrap());
    for (number, visitor) in visitors.into_iter().enumerate() {
        let local = visitor.local_addr().unwrap();
        let heard = String::from_utf8(read_to_end(visitor)).unwrap();
        assert_eq!(heard, format!("{number} {local}"));
    }
    running.succeed();
}

#[test]
fn row_accept_inherits() {
    let running = serving("connecting::accept_inherits");
    let visitor = TcpStream::connect(running.address()).unwrap();
    running.succeed();
    drop(visitor);
}

#[test]
fn row_connect() {
    let (four, six) = (tcp_echo(ANY_PORT), tcp_echo("[::1]:0"));
    let nobody = Nobody::new();
    let client = || {
        guest("connecting::connect")
            .argument(four)
            .argument(six)
            .argument(nobody.address())
    };
    refused(client(), &connect(four));
    refused(client().allow(&connect(four)), &connect(six));
    let grants = [four, six, nobody.address()].map(connect);
    client().policy(granted(grants)).succeed();
}

#[test]
fn row_connect_name() {
    let peer = Peer::serve_at("127.0.0.3:0", |visitor| visitor.peer_addr().unwrap());
    let nobody = Nobody::new();
    let (there, nowhere) = (peer.address.port(), nobody.address().port());
    let client = || {
        let addresses: Vec<IpAddr> = vec![[127, 0, 0, 2].into(), [127, 0, 0, 3].into()];
        let name = Name::parse("two.example").unwrap();
        guest("connecting::connect_name")
            .argument(format!("two.example:{there}"))
            .argument(format!("two.example:{nowhere}"))
            .argument(format!("nobody.example:{there}"))
            .resolver(TableResolver::from_iter([(name, addresses)]))
    };
    refused(client(), &connect(format!("two.example:{there}")));
    // A name counts for the public addresses that it leads to, and no others.
    refused(
        client().allow(&connect(format!("two.example:{there}"))),
        &connect(format!("two.example:{there}")),
    );
    let output = client()
        .allow("connect tcp://*.example:* in loopback")
        .succeed();
    assert_eq!(output, format!("{}\n", peer.address));
    peer.join();
}

#[test]
fn row_connect_timeout() {
    let (listener, _visitor) = busy();
    let address = listener.local_addr().unwrap();
    guest("connecting::connect_timeout")
        .argument(address)
        .allow(&connect(address))
        .succeed();
}

#[test]
fn row_connect_in_progress() {
    let (listener, visitor) = busy();
    let address = listener.local_addr().unwrap();
    let nobody = Nobody::new();
    let client = || {
        guest("connecting::connect_in_progress")
            .argument(address)
            .argument(nobody.address())
    };
    refused(client(), &connect(address));
    let running = client()
        .policy(granted([address, nobody.address()].map(connect)))
        .start();
    running.address();
    listener.accept().unwrap();
    drop(visitor);
    let (connection, _) = listener.accept().unwrap();
    running.succeed();
    assert_eq!(read_to_end(connection), b"at last");
}

#[test]
fn row_connect_ex() {
    let peer = Peer::serve(|mut visitor| {
        visitor.write_all(b"x").unwrap();
        // Until the guest is done.
        let _ = visitor.read(&mut [0; 1]);
    });
    let nobody = Nobody::new();
    let ungranted = TcpListener::bind(ANY_PORT).unwrap();
    guest("connecting::connect_ex")
        .argument(peer.address)
        .argument(nobody.address())
        .argument(ungranted.local_addr().unwrap())
        .policy(granted([peer.address, nobody.address()].map(connect)))
        .succeed();
    peer.join();
    ungranted.set_nonblocking(true).unwrap();
    ungranted.accept().unwrap_err();
}
