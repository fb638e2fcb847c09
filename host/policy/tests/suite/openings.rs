//! The one socket that a grant is for.

use std::net::IpAddr;

use portcullis_policy::{
    Accept, Act, Connect, Grant, Host, Listen, Name, Opening, Place, Policy, Protocol, UnixKind,
    UnixName,
};

fn opening(grant: &str) -> Option<Opening> {
    Grant::parse(grant).unwrap().opening()
}

fn tcp(act: Act, host: Option<Host>, port: u16) -> Option<Opening> {
    let protocol = Protocol::Tcp;
    let place = Place::Inet {
        protocol,
        host,
        port,
    };
    Some(Opening { act, place })
}

#[test]
fn a_grant_for_one_socket_tells_it() {
    let address = |text: &str| Some(Host::Address(text.parse::<IpAddr>().unwrap()));
    assert_eq!(
        opening("listen tcp://0.0.0.0:443 from 10.0.0.0/8"),
        tcp(Act::Listen, address("0.0.0.0"), 443)
    );
    assert_eq!(
        opening("bind tcp://[::1]:0"),
        tcp(Act::Bind, address("::1"), 0)
    );
    assert_eq!(opening("listen tcp://*:80"), tcp(Act::Listen, None, 80));
    let name = Name::parse("db.internal").unwrap();
    assert_eq!(
        opening("connect tcp://db.internal:5432 in private"),
        tcp(Act::Connect, Some(Host::Name(name)), 5432)
    );
    let place = Place::Unix {
        kind: UnixKind::Datagram,
        name: UnixName::path(b"/dev/log").unwrap(),
    };
    let act = Act::Connect;
    assert_eq!(
        opening("connect unixgram:/dev/log"),
        Some(Opening { act, place })
    );
}

#[test]
fn a_grant_for_more_than_one_tells_none() {
    for grant in [
        "listen tcp://127.0.0.1:*",
        "listen tcp://127.0.0.1:80,443",
        "listen tcp://127.0.0.0/8:80",
        "connect tcp://loopback:80",
        "connect tcp://*.example.com:80",
        "connect tcp://*:80",
        "listen unix:/run/*",
        "bind unix:@*",
        "join udp://224.0.0.1:1",
        "resolve example.com",
    ] {
        assert_eq!(opening(grant), None, "{grant}");
    }
}

#[test]
fn a_policy_for_one_grant_keeps_its_denies() {
    let policy = Policy::builder()
        .allow("connect tcp://10.0.0.1:80")
        .deny("listen tcp://*:* from 10.0.0.0/8")
        .build()
        .unwrap();
    let granting = policy.granting(&Grant::parse("listen tcp://0.0.0.0:443").unwrap());
    let listen = Listen::new(Protocol::Tcp, "0.0.0.0:443".parse().unwrap(), false);
    assert!(granting.check(listen.clone()).is_ok());
    let accept = |peer: &str| Accept::new(&listen, peer.parse().unwrap());
    assert!(granting.check(accept("192.0.2.1:1000")).is_ok());
    assert!(granting.check(accept("10.0.0.1:1000")).is_err());
    let connect = Connect::new(Protocol::Tcp, "10.0.0.1:80".parse().unwrap());
    assert!(granting.check(connect).is_err());
}
