//! What is granted, and what is left of it: denies beside grants, policies that
//! are empty or huge, what the host keeps for itself, and attenuation.

use std::fmt::Write;
use std::time::{Duration, Instant};

use portcullis::Policy;
use portcullis_tests::Guest;

use crate::{Server, guest, is_greeted, listener, policy};

#[test]
fn everything_granted_and_everything_denied() {
    let server = Server::new();
    let to = server.address;
    let grants = [
        "connect tcp://any:*",
        "listen tcp://*:*",
        "resolve *",
        "connect unix:/**",
    ];
    let mut twin = guest(&grants, &[]);
    is_greeted(&mut twin, "inet", &to.to_string());
    for denies in [
        &grants[..],
        &[
            "connect tcp://*:*",
            "listen tcp://*:*",
            "resolve *",
            "connect unix:/**",
        ],
    ] {
        let mut attacker = guest(&grants, denies);
        attacker.does("open s inet stream");
        attacker.is_denied(&format!("connect s {to}"), &format!("connect tcp://{to}"));
        attacker.is_denied("bind s 127.0.0.1:0", "bind tcp://127.0.0.1:0");
        attacker.is_denied("listen s", "listen tcp://0.0.0.0:0");
        attacker.does("network n");
        attacker.is_denied("resolve n a.example", "resolve a.example");
        attacker.does("open u unix stream");
        attacker.is_denied("connect u path:/run/x", "connect unix:/run/x");
    }
    assert_eq!(server.visitors(), 1);
}

#[test]
fn lists_that_are_empty() {
    let server = Server::new();
    let to = server.address;
    let of_file = |text: &str| {
        let policy = Policy::builder().file("policy.toml", text).build().unwrap();
        Guest::script().policy(policy).begin()
    };
    for text in [
        "version = 1",
        "version = 1\nallow = []\ndeny = []\n[hosts]\n",
    ] {
        let mut attacker = of_file(text);
        attacker.does("open s inet stream");
        attacker.is_denied(&format!("connect s {to}"), &format!("connect tcp://{to}"));
        attacker.is_denied("listen s", "listen tcp://0.0.0.0:0");
    }
    let twin = format!("version = 1\nallow = [\"connect tcp://{to}\"]\ndeny = []");
    let mut twin = of_file(&twin);
    is_greeted(&mut twin, "inet", &to.to_string());
    // Nor is an attenuation to nothing one to everything.
    twin.does("network whole");
    twin.does("attenuate none whole");
    twin.does("open s inet stream none");
    twin.is_denied(&format!("connect s {to}"), &format!("connect tcp://{to}"));
}

/// A policy that nobody wrote by hand: it takes a while to read, and none to ask.
#[test]
fn a_policy_of_ten_megabytes() {
    let server = Server::new();
    let mut text = String::from("version = 1\nallow = [\n");
    let mut number = 0_u32;
    while text.len() < 10 << 20 {
        let [_, a, b, c] = number.to_be_bytes();
        writeln!(text, "  \"connect tcp://10.{a}.{b}.{c}:443\",").unwrap();
        number += 1;
    }
    writeln!(text, "  \"connect tcp://{}\",\n]", server.address).unwrap();
    let begin = Instant::now();
    let policy = Policy::builder()
        .file("policy.toml", &text)
        .build()
        .unwrap();
    let read = begin.elapsed();
    portcullis_tests::measure::say(&format!("10 MiB of policy are read in {read:?}"));
    assert!(read < Duration::from_secs(60), "{read:?}");
    let mut guest = Guest::script().policy(policy).begin();
    let begin = Instant::now();
    is_greeted(&mut guest, "inet", &server.address.to_string());
    for port in 1..100 {
        guest.does("open s inet stream");
        let request = format!("connect tcp://10.0.0.1:{port}");
        guest.is_denied(&format!("connect s 10.0.0.1:{port}"), &request);
    }
    let asked = begin.elapsed();
    assert!(asked < Duration::from_secs(10), "{asked:?}");
}

/// One mistake, and no policy: not that of the other lines.
#[test]
fn ten_megabytes_that_are_no_policy() {
    for text in [
        "[".repeat(10 << 20),
        format!("version = 1\nallow = [\"{}\"]", "x".repeat(10 << 20)),
        format!(
            "version = 1\nallow = [{}",
            "\"connect tcp://10.0.0.1:1\",".repeat(400_000)
        ),
    ] {
        let begin = Instant::now();
        assert!(
            Policy::builder()
                .file("policy.toml", &text)
                .build()
                .is_err()
        );
        let read = begin.elapsed();
        assert!(read < Duration::from_secs(60), "{read:?}");
    }
    let fine = "version = 1\nallow = [\"connect tcp://10.0.0.1:1\"]";
    assert!(Policy::builder().file("policy.toml", fine).build().is_ok());
}

/// The host's metrics, say.
#[test]
fn a_port_that_the_host_keeps_for_itself() {
    let metrics = Server::new();
    let port = metrics.port();
    let everything = ["connect tcp://any:*", "connect tcp://localhost:*"];
    let kept = format!("connect tcp://loopback:{port}");
    let everything = policy(&everything, &[]);
    let narrower = everything.denying(&[&kept]).unwrap();
    let addresses = [
        ("inet", format!("127.0.0.1:{port}")),
        ("inet", format!("127.0.0.2:{port}")),
        ("inet", format!("0.0.0.0:{port}")),
        ("inet", format!("name:localhost:{port}")),
        ("inet6", format!("[::ffff:127.0.0.1]:{port}")),
    ];
    // Not even to try a policy out.
    for policy in [
        narrower.clone(),
        everything.clone().shadowed().denying(&[&kept]).unwrap(),
    ] {
        let mut attacker = Guest::script().policy(policy).begin();
        for (family, address) in &addresses {
            attacker.does(&format!("open s {family} stream"));
            let answer = attacker.tell(&format!("connect s {address}"));
            assert!(answer.is_denied(), "{address}: {answer:?}");
        }
        attacker.does("network n");
        attacker.does("attenuate a n connect%20tcp://any:*");
        attacker.does("open s inet stream a");
        let answer = attacker.tell(&format!("connect s 127.0.0.1:{port}"));
        assert!(answer.is_denied(), "{answer:?}");
    }
    assert_eq!(metrics.visitors(), 0);
    let mut twin = Guest::script().policy(everything).begin();
    for (family, address) in &addresses {
        if !address.starts_with("127.0.0.2") {
            is_greeted(&mut twin, family, address);
        }
    }
    let other = Server::new();
    let mut guest = Guest::script().policy(narrower).begin();
    is_greeted(&mut guest, "inet", &other.address.to_string());
}

#[test]
fn a_duplicate_of_a_socket_of_an_attenuated_network() {
    let (server, other) = (Server::new(), Server::new());
    let [to, elsewhere] = [server.address, other.address];
    let mut guest = guest(&["connect tcp://127.0.0.1:*"], &[]);
    guest.does("network whole");
    guest.does("open before inet stream whole");
    guest.does(&format!("attenuate narrow whole connect%20tcp://{to}"));
    guest.does("attenuate wide narrow connect%20tcp://any:* listen%20tcp://*:*");
    for network in ["narrow", "wide"] {
        guest.does(&format!("open s inet stream {network}"));
        guest.does("duplicate t s");
        for socket in ["t", "s"] {
            guest.is_denied(
                &format!("connect {socket} {elsewhere}"),
                &format!("connect tcp://{elsewhere}"),
            );
        }
        guest.does("close s");
        guest.is_denied(
            &format!("connect t {elsewhere}"),
            &format!("connect tcp://{elsewhere}"),
        );
        guest.is_denied("listen t", "listen tcp://0.0.0.0:0");
    }
    assert_eq!(other.visitors(), 0);
    // What is left works, by the duplicate as well; and a socket keeps the network
    // that it was opened from.
    guest.does(&format!("connect t {to}"));
    assert_eq!(guest.does("receive t"), "hello");
    guest.does("duplicate twin before");
    guest.does(&format!("connect twin {elsewhere}"));
    assert_eq!(guest.does("receive before"), "hello");
}

#[test]
fn what_an_attenuated_network_does_not_allow() {
    let (server, peer) = (Server::new(), listener());
    let [to, datagrams] = [server.address, peer.local_addr().unwrap()];
    let grants = [
        "connect tcp://127.0.0.1:*",
        "connect udp://127.0.0.1:*",
        "listen tcp://127.0.0.1:0",
        "resolve *.localhost",
    ];
    let mut guest = guest(&grants, &[]);
    guest.does("network whole");
    guest.does("attenuate narrow whole connect%20tcp://10.0.0.1:1");
    guest.does("open s inet stream narrow");
    guest.is_denied(&format!("connect s {to}"), &format!("connect tcp://{to}"));
    guest.is_denied("bind s 127.0.0.1:0", "bind tcp://127.0.0.1:0");
    guest.is_denied("resolve narrow a.example", "resolve a.example");
    guest.does("open d inet datagram narrow");
    let request = format!("connect udp://{datagrams}");
    guest.is_denied(&format!("send-to d word {datagrams}"), &request);
    crate::hears_nothing(&peer);
    assert_eq!(server.visitors(), 0);
    is_greeted(&mut guest, "inet", &to.to_string());
    guest.does("open s inet stream whole");
    guest.does("bind s 127.0.0.1:0");
    guest.does("open d inet datagram whole");
    guest.does(&format!("send-to d word {datagrams}"));
    assert_eq!(crate::heard(&peer).0, "word");
}
