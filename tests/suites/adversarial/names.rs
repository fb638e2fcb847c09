//! Hosts as text: numbers that are no dotted quads, other spellings of names, and
//! names that only look like others.

use std::net::IpAddr;

use portcullis::{DnsResolver, TableResolver};
use portcullis_policy::Name;
use portcullis_tests::{Guest, Script};

use crate::name_server::{NameServer, Zone};
use crate::{Server, is_greeted, policy};

/// A guest of which names are looked up at a name server.
fn guest_of(server: &NameServer, allow: &[&str], deny: &[&str]) -> Script {
    let guest = Guest::script().policy(policy(allow, deny));
    guest.resolver(DnsResolver::at(server.address)).begin()
}

/// A guest for which these names lead to loopback.
fn guest_with(names: &[&str], allow: &[&str], deny: &[&str]) -> Script {
    let here: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap()];
    let table = names
        .iter()
        .map(|name| (Name::parse(name).unwrap(), here.clone()));
    let guest = Guest::script().policy(policy(allow, deny));
    guest.resolver(TableResolver::from_iter(table)).begin()
}

const EVERYTHING: [&str; 3] = [
    "connect tcp://any:*",
    "connect tcp://*.example:* in any",
    "resolve *",
];

#[test]
fn numbers_that_are_no_dotted_quads_are_no_hosts() {
    let server = Server::new();
    let port = server.port();
    let names = Zone::default().serve();
    let mut guest = guest_of(&names, &EVERYTHING[..1], &[]);
    guest.does("network n");
    for host in [
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7F.0x0.0x0.0x1",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0.0x1",
        "0",
        "0x",
        "１２７.０.０.１",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "1.2.3.4.5",
    ] {
        guest.does("open s inet stream");
        guest.fails(&format!("connect s name:{host}:{port}"), "NameNotFound");
        guest.fails(&format!("bind s name:{host}:0"), "NameNotFound");
        guest.fails(&format!("resolve n {host}"), "NameNotFound");
    }
    assert_eq!(server.visitors(), 0);
    assert!(names.asked().is_empty(), "{:?}", names.asked());
    is_greeted(&mut guest, "inet", &format!("name:127.0.0.1:{port}"));
}

#[test]
fn what_is_no_name_is_not_looked_up() {
    let names = Zone::default().address("good.example", "10.0.0.1").serve();
    let mut guest = guest_of(&names, &["resolve *", "connect tcp://*:*"], &[]);
    guest.does("network n");
    let (label, name) = ("a".repeat(64), "abcdefg.".repeat(32));
    for host in [
        "good.example%00.evil.example",
        "%00",
        "good.example%20",
        "good.example%0d",
        "good.example%09",
        "[good.example]",
        "[good.example",
        "good.example]",
        "[::1",
        "::1]",
        "good.example@evil.example",
        "good.example#@evil.example",
        "good.example:80",
        "http://good.example",
        "good.example/",
        "good.example\\",
        "good%252eexample",
        "good..example",
        ".good.example",
        "good.example..",
        ".",
        "..",
        "*",
        "*.example",
        "-good.example",
        "good-.example",
        "xn--a.example",
        "fe80::1%25lo",
        &format!("{label}.example"),
        &format!("{name}example"),
    ] {
        guest.does("open s inet stream");
        let connect = guest.tell(&format!("connect s name:{host}:80"));
        assert_eq!(connect.outcome, "NameNotFound", "{host}: {connect:?}");
        let resolve = guest.tell(&format!("resolve n {host}"));
        assert_eq!(resolve.outcome, "NameNotFound", "{host}: {resolve:?}");
    }
    assert!(names.asked().is_empty(), "{:?}", names.asked());
    assert_eq!(guest.does("resolve n good.example"), "10.0.0.1");
    assert!(names.asked().iter().all(|(name, _)| name == "good.example"));
}

#[test]
fn another_spelling_of_a_denied_name() {
    let server = Server::new();
    let port = server.port();
    let names = ["evil.example", "xn--bcher-kva.example"];
    let denied = [
        "connect tcp://evil.example:*",
        "connect tcp://bücher.example:*",
    ];
    let mut attacker = guest_with(&names, &EVERYTHING, &denied);
    let mut twin = guest_with(&names, &EVERYTHING, &[]);
    for (host, canonical) in [
        ("EVIL.example", "evil.example"),
        ("evil.example.", "evil.example"),
        ("Evil.Example.", "evil.example"),
        ("ｅｖｉｌ.example", "evil.example"),
        ("evil。example", "evil.example"),
        ("ev\u{ad}il.example", "evil.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u{308}cher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ] {
        attacker.does("open s inet stream");
        let request = format!("connect tcp://{canonical}:{port}");
        attacker.is_denied(&format!("connect s name:{host}:{port}"), &request);
        is_greeted(&mut twin, "inet", &format!("name:{host}:{port}"));
    }
}

/// The letter is Cyrillic in some, and the same to the eye.
#[test]
fn a_name_that_looks_like_a_granted_one() {
    let server = Server::new();
    let port = server.port();
    let names = [
        "apple.example",
        "xn--pple-43d.example",
        "xn--ppl-6cd3q.example",
        "app1e.example",
    ];
    let grant = format!("connect tcp://apple.example:{port} in loopback");
    let mut guest = guest_with(&names, &[&grant], &[]);
    for host in ["аpple.example", "xn--pple-43d.example", "app1e.example"] {
        guest.does("open s inet stream");
        let answer = guest.tell(&format!("connect s name:{host}:{port}"));
        assert!(answer.is_denied(), "{host}: {answer:?}");
        // Shown so that it does not look like it.
        assert!(answer.told.is_ascii(), "{answer:?}");
    }
    assert_eq!(server.visitors(), 0);
    is_greeted(&mut guest, "inet", &format!("name:apple.example:{port}"));
}

#[test]
fn a_name_that_ends_like_a_granted_one() {
    let server = Server::new();
    let port = server.port();
    let names = [
        "www.example.com",
        "example.com",
        "notexample.com",
        "example.com.evil.org",
        "www.example.com.evil.org",
        "wwwexample.com",
        "www-example.com",
    ];
    let grant = format!("connect tcp://*.example.com:{port} in loopback");
    let mut guest = guest_with(&names, &[&grant], &[]);
    for host in &names[1..] {
        guest.does("open s inet stream");
        let request = format!("connect tcp://{host}:{port}");
        guest.is_denied(&format!("connect s name:{host}:{port}"), &request);
    }
    assert_eq!(server.visitors(), 0);
    is_greeted(&mut guest, "inet", &format!("name:www.example.com:{port}"));
}

/// A deny of what is below a name, and of the name, holds whatever is before it.
#[test]
fn a_name_below_a_denied_one() {
    let server = Server::new();
    let port = server.port();
    let names = [
        "evil.example",
        "a.evil.example",
        "a.b.evil.example",
        "notevil.example",
    ];
    let denied = [
        "connect tcp://*.evil.example:*",
        "connect tcp://evil.example:*",
    ];
    let mut guest = guest_with(&names, &EVERYTHING, &denied);
    for host in &names[..3] {
        guest.does("open s inet stream");
        let request = format!("connect tcp://{host}:{port}");
        guest.is_denied(&format!("connect s name:{host}:{port}"), &request);
    }
    assert_eq!(server.visitors(), 0);
    is_greeted(&mut guest, "inet", &format!("name:notevil.example:{port}"));
}
