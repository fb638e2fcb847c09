//! Names through a real guest: what they lead to, and who may ask.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use portcullis::{Name, Outcome, Policy, TableResolver};
use portcullis_tests::{Finished, Guest, Nobody, assert_every_behaviour_is_driven, greeter};

fn resolver(name: &str, addresses: &[&str]) -> TableResolver {
    let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
    TableResolver::from_iter([(Name::parse(name).unwrap(), addresses)])
}

/// A guest that may look `both.example` up, which has an address of each
/// family.
fn guest(behaviour: &str) -> Guest {
    Guest::new("names", behaviour)
        .argument("both.example")
        .resolver(resolver("both.example", &["2001:db8::1", "192.0.2.1"]))
        .allow("resolve both.example")
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("names", include_str!("names.rs"));
}

#[test]
fn hints_are_followed() {
    guest("families_are_filtered").succeed();
    guest("ipv4_is_mapped_where_asked_for").succeed();
    guest("types_have_their_protocols").succeed();
    guest("canonical_name_is_on_the_first")
        .argument("both.example")
        .succeed();
    guest("no_name_is_this_machine").succeed();
    guest("names_that_are_numbers_are_not_looked_up").succeed();
    guest("impossible_hints_are_refused").succeed();
}

#[test]
fn the_host_name_is_the_policys() {
    Guest::new("names", "host_name_is_told")
        .argument("localhost")
        .succeed();
    let policy = "version = 1\nhost-name = \"web-1\"\n";
    let policy = Policy::builder()
        .file("policy.toml", policy)
        .build()
        .unwrap();
    Guest::new("names", "host_name_is_told")
        .argument("web-1")
        .policy(policy)
        .succeed();
}

/// What `lookup` of `endpoint` prints under a policy, and how many denials it
/// leaves.
#[track_caller]
fn check(grant: &str, endpoint: &str, expected: &str, denials: usize) {
    let guest = Guest::new("names", "lookup_prints")
        .argument(endpoint)
        .resolver(resolver("www.example", &["192.0.2.1"]))
        .allow(grant);
    let finished: Finished = guest.finish();
    assert!(matches!(finished.outcome, Outcome::Exit(0)), "{finished:?}");
    assert_eq!(finished.output, format!("{expected}\n"));
    assert_eq!(finished.denials.len(), denials, "{finished:?}");
}

#[test]
fn a_name_is_looked_up_under_a_grant_that_covers_it() {
    for grant in [
        "resolve www.example",
        "resolve *.example",
        "connect tcp://www.example:443",
        "connect tcp://*:80",
    ] {
        check(grant, "www.example:www", "192.0.2.1:80", 0);
    }
}

#[test]
fn a_name_is_not_looked_up_without_a_grant() {
    for grant in [
        "resolve example",
        "resolve *.www.example",
        "connect tcp://any:*",
        "listen tcp://www.example:80",
    ] {
        check(
            grant,
            "www.example:www",
            "resolve www.example is not granted",
            1,
        );
    }
}

#[test]
fn localhost_needs_no_grant_and_no_server() {
    check(
        "resolve other.example",
        "localhost:80",
        "[::1]:80\n127.0.0.1:80",
        0,
    );
}

#[test]
fn a_name_that_nobody_knows_is_told_apart() {
    check(
        "resolve *",
        "nobody.example:80",
        "nobody.example: no such name",
        0,
    );
}

#[test]
fn an_address_may_be_connected_to_under_the_grant_of_the_name_that_led_to_it() {
    let peer = greeter("hello");
    let port = peer.address.port();
    Guest::new("names", "resolve_then_connect")
        .argument(format!("db.example:{port}"))
        .resolver(resolver("db.example", &["127.0.0.1"]))
        .allow(&format!("connect tcp://db.example:{port} in loopback"))
        .succeed();
    peer.join();
}

#[test]
fn a_name_lends_its_address_no_more_than_it_was_granted() {
    let nobody = Nobody::new();
    let port = nobody.address().port();
    let grants = [
        // Another port; not where it leads; only to be looked up.
        "connect tcp://db.example:1 in loopback".to_owned(),
        format!("connect tcp://db.example:{port}"),
        "resolve db.example".to_owned(),
    ];
    for grant in grants {
        Guest::new("names", "resolve_then_connect_is_denied")
            .argument(format!("db.example:{port}"))
            .resolver(resolver("db.example", &["127.0.0.1"]))
            .allow(&grant)
            .succeed();
    }
}
