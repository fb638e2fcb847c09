//! Name servers that lie, change their minds, or are asked for more than was
//! meant: with a real one on loopback.

use std::thread;
use std::time::{Duration, Instant};

use portcullis::DnsResolver;
use portcullis_tests::{Guest, PATIENCE, Script};

use crate::name_server::{A, CNAME, NameServer, Zone};
use crate::{Server, is_greeted, policy};

fn guest(server: &NameServer, allow: &[&str], deny: &[&str]) -> Script {
    let guest = Guest::script().policy(policy(allow, deny));
    guest.resolver(DnsResolver::at(server.address)).begin()
}

/// A public address, which no test sends anything to.
const PUBLIC: &str = "9.9.9.9";

/// Time to live zero: nothing is kept, and each connect asks again.
#[test]
fn a_name_that_is_public_at_first_and_loopback_then() {
    let server = Server::new();
    let port = server.port();
    let public = || Zone::default().address_for("rebound.example", PUBLIC, 0);
    let names = public().serve();
    let to = format!("name:rebound.example:{port}");
    let request = format!("rebound.example:{port}");
    let grants = [
        format!("connect tcp://{request}"),
        format!("connect udp://{request}"),
    ];
    let mut attacker = guest(&names, &[&grants[0], &grants[1]], &[]);
    attacker.does("network n");
    assert_eq!(attacker.does("resolve n rebound.example"), PUBLIC);
    attacker.does("open d inet datagram");
    let public_now = attacker.tell(&format!("connect d {to}"));
    assert!(!public_now.is_denied(), "{public_now:?}");
    for here in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
    ] {
        names.change(Zone::default().address_for("rebound.example", here, 0));
        let family = if here.contains(':') { "inet6" } else { "inet" };
        attacker.does(&format!("open s {family} stream"));
        attacker.is_denied(&format!("connect s {to}"), &grants[0]);
        attacker.does(&format!("open d {family} datagram"));
        attacker.is_denied(&format!("connect d {to}"), &grants[1]);
        attacker.is_denied(&format!("send-to d word {to}"), &grants[1]);
    }
    // Nor by the number that it led to.
    names.change(Zone::default().address("rebound.example", "127.0.0.1"));
    assert_eq!(attacker.does("resolve n rebound.example"), "127.0.0.1");
    attacker.does("open s inet stream");
    let number = format!("127.0.0.1:{port}");
    attacker.is_denied(
        &format!("connect s {number}"),
        &format!("connect tcp://{number}"),
    );
    assert_eq!(server.visitors(), 0);
    let mut twin = guest(&names, &[&format!("{} in loopback", grants[0])], &[]);
    is_greeted(&mut twin, "inet", &to);
}

/// Beside a public one, which is left out here: it would be tried.
#[test]
fn a_name_with_one_address_that_may_not_be() {
    let server = Server::new();
    let port = server.port();
    let names = Zone::default()
        .address("both.example", "127.0.0.1")
        .address("both.example", "10.9.9.9")
        .serve();
    let denied = ["connect tcp://10.0.0.0/8:*"];
    let grant = format!("connect tcp://both.example:{port} in any");
    let mut guest_of_both = guest(&names, &[&grant], &denied);
    is_greeted(
        &mut guest_of_both,
        "inet",
        &format!("name:both.example:{port}"),
    );
    guest_of_both.does("open s inet stream");
    let number = format!("10.9.9.9:{port}");
    guest_of_both.is_denied(
        &format!("connect s {number}"),
        &format!("connect tcp://{number}"),
    );
}

#[test]
fn the_number_of_a_name_after_its_time_to_live() {
    let server = Server::new();
    let port = server.port();
    let names = Zone::default()
        .address_for("short.example", "127.0.0.1", 2)
        .serve();
    let grant = format!("connect tcp://short.example:{port} in loopback");
    let mut guest = guest(&names, &[&grant], &[]);
    let number = format!("127.0.0.1:{port}");
    let request = format!("connect tcp://{number}");
    guest.does("network n");
    guest.does("open s inet stream");
    guest.is_denied(&format!("connect s {number}"), &request);
    let begin = Instant::now();
    guest.does("resolve n short.example");
    is_greeted(&mut guest, "inet", &number);
    // It counts for five seconds however short its answer lives, and does not live on
    // by being used.
    while begin.elapsed() < Duration::from_millis(5500) {
        thread::sleep(Duration::from_millis(100));
    }
    guest.does("open s inet stream");
    guest.is_denied(&format!("connect s {number}"), &request);
    assert!(begin.elapsed() < PATIENCE);
    guest.does("resolve n short.example");
    is_greeted(&mut guest, "inet", &number);
}

#[test]
fn a_name_that_leads_through_a_denied_one() {
    let server = Server::new();
    let port = server.port();
    let names = Zone::default()
        .pointer("fine.example", CNAME, "middle.example")
        .pointer("middle.example", CNAME, "EVIL.example")
        .address("evil.example", "127.0.0.1")
        .serve();
    let grant = format!("connect tcp://fine.example:{port} in loopback");
    let request = format!("connect tcp://fine.example:{port}");
    let to = format!("name:fine.example:{port}");
    for denied in [
        "connect tcp://evil.example:*",
        "connect tcp://middle.example:*",
        "resolve evil.example",
        "connect tcp://*.example:*",
    ] {
        let mut attacker = guest(&names, &[&grant], &[denied]);
        attacker.does("open s inet stream");
        attacker.is_denied(&format!("connect s {to}"), &request);
        attacker.does("network n");
        let resolved = attacker.tell("resolve n fine.example");
        assert!(resolved.is_denied(), "{denied}: {resolved:?}");
        let number = format!("127.0.0.1:{port}");
        attacker.is_denied(
            &format!("connect s {number}"),
            &format!("connect tcp://{number}"),
        );
    }
    assert_eq!(server.visitors(), 0);
    is_greeted(&mut guest(&names, &[&grant], &[]), "inet", &to);
}

/// The name may be looked up, as only one port of what it leads through is denied.
#[test]
fn the_number_of_a_name_that_leads_through_a_denied_one() {
    let (server, other) = (Server::new(), Server::new());
    let port = server.port();
    let names = Zone::default()
        .pointer("fine.example", CNAME, "evil.example")
        .address("evil.example", "127.0.0.1")
        .serve();
    let grant = "connect tcp://fine.example:* in loopback";
    let denied = format!("connect tcp://evil.example:{port}");
    let mut guest = guest(
        &names,
        &[grant, "connect udp://fine.example:* in loopback"],
        &[&denied, &format!("connect udp://evil.example:{port}")],
    );
    guest.does("network n");
    assert_eq!(guest.does("resolve n fine.example"), "127.0.0.1");
    let number = format!("127.0.0.1:{port}");
    guest.does("open s inet stream");
    guest.is_denied(
        &format!("connect s {number}"),
        &format!("connect tcp://{number}"),
    );
    guest.does("open d inet datagram");
    let request = format!("connect udp://{number}");
    guest.is_denied(&format!("connect d {number}"), &request);
    guest.is_denied(&format!("send-to d word {number}"), &request);
    guest.is_denied(&format!("send-many d word {number}"), &request);
    assert_eq!(server.visitors(), 0);
    is_greeted(&mut guest, "inet", &format!("127.0.0.1:{}", other.port()));
}

/// A server that answers for a name that it was not asked for.
#[test]
fn a_name_that_only_its_alias_is_granted_for() {
    let server = Server::new();
    let port = server.port();
    let names = Zone::default()
        .pointer("evil.example", CNAME, "fine.example")
        .address("fine.example", "127.0.0.1")
        .serve();
    let grant = format!("connect tcp://fine.example:{port} in loopback");
    let mut guest = guest(&names, &[&grant], &[]);
    guest.does("open s inet stream");
    guest.is_denied(
        &format!("connect s name:evil.example:{port}"),
        &format!("connect tcp://evil.example:{port}"),
    );
    assert!(names.asked().is_empty(), "it is not even asked for");
    is_greeted(&mut guest, "inet", &format!("name:fine.example:{port}"));
}

/// Data in the labels of names, sent by looking them up.
#[test]
fn names_as_a_channel() {
    let names = Zone::default().address("fine.example", "10.0.0.1").serve();
    let mut guest = guest(&names, &["resolve fine.example"], &[]);
    guest.does("network n");
    for host in [
        "secret.fine.example",
        "secret.evil.example",
        "fine.example.evil",
    ] {
        guest.is_denied(&format!("resolve n {host}"), &format!("resolve {host}"));
        guest.does("open s inet stream");
        let to = format!("name:{host}:80");
        guest.is_denied(
            &format!("connect s {to}"),
            &format!("connect tcp://{host}:80"),
        );
        guest.does("open d inet datagram");
        guest.is_denied(
            &format!("send-to d x {to}"),
            &format!("connect udp://{host}:80"),
        );
        guest.is_denied(&format!("bind d {to}"), &format!("bind udp://{host}:80"));
    }
    assert!(names.asked().is_empty(), "{:?}", names.asked());
    guest.does("resolve n fine.example");
    assert!(names.asked().contains(&("fine.example".to_owned(), A)));
}
