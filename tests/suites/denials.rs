//! The ungranted twin of each path to the network: the guest is told that it
//! may not, nothing happens on the network, and the operator is told why.

#![expect(
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, TcpListener};

use portcullis::{Name, Outcome, Policy, TableResolver};
use portcullis_tests::{
    Finished, Guest, Nobody, assert_every_behaviour_is_driven, greeter, visit, visit_from,
};

/// Runs a behaviour that prints what it was told, and checks that and the
/// operator's report.
#[track_caller]
fn check(guest: Guest, told: &str, report: &str) {
    let Finished {
        outcome,
        output,
        denials,
    } = guest.finish();
    assert!(matches!(outcome, Outcome::Exit(0)), "{outcome:?}\n{output}");
    assert_eq!(output, format!("{told}\n"));
    assert_eq!(denials, [report]);
}

fn denied(behaviour: &str, argument: impl ToString) -> Guest {
    Guest::new("denials", behaviour).argument(argument)
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("denials", include_str!("denials.rs"));
}

#[test]
fn connect_without_any_grant_is_denied() {
    check(
        denied("connect_is_denied", "127.0.0.1:9"),
        "connect tcp://127.0.0.1:9 is not granted",
        "portcullis: denied  connect tcp://127.0.0.1:9\n  \
         reason: no grant covers it\n  \
         to allow: --allow 'connect tcp://127.0.0.1:9'",
    );
}

#[test]
fn connect_to_another_port_is_denied() {
    check(
        denied("connect_is_denied", "127.0.0.1:9").allow("connect tcp://127.0.0.1:10"),
        "connect tcp://127.0.0.1:9 is not granted",
        "portcullis: denied  connect tcp://127.0.0.1:9\n  \
         reason: no grant covers it; nearest: connect tcp://127.0.0.1:10 (port differs)\n  \
         to allow: --allow 'connect tcp://127.0.0.1:9'",
    );
}

#[test]
fn connect_over_ipv6_is_denied() {
    check(
        denied("connect_is_denied", "[::1]:9").allow("connect tcp://127.0.0.1:9"),
        "connect tcp://[::1]:9 is not granted",
        "portcullis: denied  connect tcp://[::1]:9\n  \
         reason: no grant covers it; nearest: connect tcp://127.0.0.1:9 (host differs)\n  \
         to allow: --allow 'connect tcp://[::1]:9'",
    );
}

#[test]
fn connect_to_the_unspecified_address_is_judged_as_loopback() {
    for unspecified in ["0.0.0.0:9", "[::ffff:0.0.0.0]:9"] {
        check(
            denied("connect_is_denied", unspecified).allow("connect tcp://*:9"),
            "connect tcp://127.0.0.1:9 is not granted",
            "portcullis: denied  connect tcp://127.0.0.1:9\n  \
             reason: no grant covers it; nearest: connect tcp://*:9 (host differs); `*` is \
             public addresses, and 127.0.0.1 is loopback, which `loopback` covers\n  \
             to allow: --allow 'connect tcp://127.0.0.1:9'",
        );
    }
}

#[test]
fn connect_to_a_mapped_address_is_judged_as_ipv4() {
    let policy = Policy::builder()
        .allow("connect tcp://any:*")
        .deny("connect tcp://127.0.0.0/8:*")
        .build()
        .unwrap();
    let finished = denied("connect_is_denied", "[::ffff:127.0.0.1]:9")
        .policy(policy)
        .finish();
    assert_eq!(
        finished.output,
        "connect tcp://127.0.0.1:9 is not granted\n"
    );
}

#[test]
fn connect_without_waiting_is_denied() {
    let finished = denied("connect_is_denied_without_waiting", "127.0.0.1:9").finish();
    assert_eq!(
        finished.output,
        "connect tcp://127.0.0.1:9 is not granted\n"
    );
    assert_eq!(finished.denials.len(), 1);
}

#[test]
fn connect_by_an_ungranted_name_is_denied_before_it_is_looked_up() {
    // The table would answer; nobody asks it.
    let addresses: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap()];
    let resolver = TableResolver::from_iter([(Name::parse("db.internal").unwrap(), addresses)]);
    let guest = denied("connect_is_denied", "db.internal:9")
        .resolver(resolver)
        .allow("connect tcp://127.0.0.1:9");
    let finished = guest.finish();
    assert_eq!(
        finished.output,
        "connect tcp://db.internal:9 is not granted\n"
    );
    assert!(
        finished
            .denials
            .iter()
            .all(|report| report.contains("--allow 'connect tcp://db.internal:9'"))
    );
}

#[test]
fn connect_to_a_name_that_leads_to_loopback_is_denied() {
    let addresses: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap()];
    let resolver = TableResolver::from_iter([(Name::parse("rebound.example").unwrap(), addresses)]);
    let guest = denied("connect_is_denied", "rebound.example:9").resolver(resolver);
    let finished = guest.allow("connect tcp://rebound.example:9").finish();
    assert_eq!(
        finished.output,
        "connect tcp://rebound.example:9 is not granted\n"
    );
    let report = finished.denials.first().unwrap();
    assert!(report.contains("127.0.0.1"), "{report}");
    assert!(
        report.contains("--allow 'connect tcp://rebound.example:9 in loopback'"),
        "{report}"
    );
}

#[test]
fn a_denied_connect_does_not_reach_the_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    denied("connect_is_denied", listener.local_addr().unwrap()).finish();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn deny_wins_over_allow() {
    let policy = Policy::builder()
        .allow("connect tcp://any:*")
        .deny("connect tcp://127.0.0.1:9")
        .build()
        .unwrap();
    let finished = denied("connect_is_denied", "127.0.0.1:9")
        .policy(policy)
        .finish();
    assert_eq!(
        finished.output,
        "connect tcp://127.0.0.1:9 is not granted\n"
    );
    assert!(
        finished
            .denials
            .first()
            .unwrap()
            .contains("connect tcp://127.0.0.1:9"),
        "{finished:?}"
    );
}

#[test]
fn listen_is_denied() {
    check(
        denied("listen_is_denied", "127.0.0.1:9"),
        "bind tcp://127.0.0.1:9 is not granted",
        "portcullis: denied  bind tcp://127.0.0.1:9\n  \
           reason: no grant covers it\n  \
           to allow: --allow 'listen tcp://127.0.0.1:9' \
         (or 'bind tcp://127.0.0.1:9' if it is not to listen)",
    );
}

#[test]
fn listen_on_every_address_is_denied_where_one_is_granted() {
    let guest = denied("listen_is_denied", "0.0.0.0:9").allow("listen tcp://127.0.0.1:9");
    assert_eq!(
        guest.finish().output,
        "bind tcp://0.0.0.0:9 is not granted\n"
    );
}

#[test]
fn listen_where_only_bind_is_granted_is_denied() {
    let guest = denied("listen_is_denied", "127.0.0.1:0").allow("bind tcp://127.0.0.1:0");
    assert_eq!(
        guest.finish().output,
        "listen tcp://127.0.0.1:0 is not granted\n"
    );
}

#[test]
fn bind_is_denied() {
    let finished = denied("bind_is_denied", "127.0.0.2:0")
        .allow("connect tcp://any:*")
        .finish();
    assert_eq!(finished.output, "bind tcp://127.0.0.2:0 is not granted\n");
}

#[test]
fn listen_without_bind_is_denied() {
    let finished = Guest::new("denials", "listen_without_bind_is_denied")
        .allow("listen tcp://127.0.0.1:*")
        .finish();
    assert_eq!(finished.output, "listen tcp://0.0.0.0:0 is not granted\n");
}

#[test]
fn a_denied_connect_by_name_is_one_denial() {
    let finished = denied("connect_is_denied", "localhost:9").finish();
    let denials = &finished.denials;
    assert_eq!(denials.len(), 1, "{denials:?}");
    assert!(
        denials[0].contains("connect tcp://localhost:9"),
        "{denials:?}"
    );
}

#[test]
fn listen_on_both_families_takes_both_grants() {
    let finished = denied("listen_on_both_families", "[::]:0")
        .allow("listen tcp://[::]:0")
        .finish();
    assert!(finished.output.contains("is not granted"), "{finished:?}");
    assert!(
        finished.denials.first().unwrap().contains("0.0.0.0"),
        "{finished:?}"
    );
}

#[test]
fn accept_admits_only_the_granted_peer() {
    let guest = denied("accept_admits_only_the_granted_peer", "127.0.0.1:0")
        .allow("listen tcp://127.0.0.1:0 from 127.0.0.2")
        .start();
    let address = guest.address();
    let mut stranger = visit(address);
    let end = stranger.read(&mut [0; 8]).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::ConnectionReset);

    let mut welcome = String::new();
    let mut friend = visit_from([127, 0, 0, 2], address);
    friend.read_to_string(&mut welcome).unwrap();
    assert_eq!(welcome, "welcome");

    let Finished {
        outcome,
        output,
        denials,
    } = guest.finish();
    assert!(matches!(outcome, Outcome::Exit(0)), "{outcome:?}");
    assert!(output.ends_with("\n127.0.0.2\n"), "{output}");
    assert_eq!(denials.len(), 1);
    assert!(
        denials.first().unwrap().contains("127.0.0.1"),
        "{denials:?}"
    );
}

#[test]
fn every_path_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (here, six) = (listener.local_addr().unwrap(), "[::1]:9");
    listener.set_nonblocking(true).unwrap();
    Guest::new("denials", "every_path_is_closed")
        .argument(here)
        .argument(six)
        .succeed();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn attenuated_network_allows_less() {
    let nobody = Nobody::new();
    let peer = greeter("hello");
    Guest::new("denials", "attenuated_network_allows_less")
        .argument(nobody.address())
        .argument(peer.address)
        .allow("connect tcp://127.0.0.1:*")
        .succeed();
    peer.join();
}

#[test]
fn attenuated_network_allows_what_is_left() {
    let peer = greeter("hello");
    denied("attenuated_network_allows_what_is_left", peer.address)
        .allow("connect tcp://127.0.0.1:*")
        .succeed();
    peer.join();
}

#[test]
fn attenuation_refuses_what_does_not_parse() {
    let told = Guest::new("denials", "attenuation_refuses_what_does_not_parse").succeed();
    assert!(told.contains("did you mean `connect`"), "{told}");
}

#[test]
fn each_denial_of_a_scan_is_recorded() {
    assert_eq!(Guest::new("denials", "scan").finish().denials.len(), 1234);
}

/// WASI's own sockets are not governed by the policy, so they stay shut.
#[test]
fn the_sockets_of_wasi_are_denied_whatever_is_granted() {
    let policy = Policy::builder()
        .allow("connect tcp://any:*")
        .allow("listen tcp://*:*")
        .allow("listen udp://*:*")
        .allow("resolve *")
        .build()
        .unwrap();
    let told = Guest::new("wasi_sockets", "").policy(policy).succeed();
    let expected = "bind: access-denied\n\
                    connect: access-denied\n\
                    udp bind: access-denied\n\
                    resolve: permanent-resolver-failure\n";
    assert_eq!(told, expected);
}
