//! Names through a real guest: what they lead to, and who may ask.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use portcullis::{
    Answer, Error, ErrorCode, Families, Lookup, Name, Outcome, Pending, Permit, Policy, Resolver,
    Reverse, TableResolver,
};
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
    guest("the_builder_asks_what_it_says").succeed();
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

/// Two names of one machine, and another without an address.
fn aliases() -> TableResolver {
    let name = |text| Name::parse(text).unwrap();
    let addresses = ["2001:db8::7", "192.0.2.7"].map(|ip| ip.parse().unwrap());
    let table = [
        (name("db.example"), addresses.to_vec()),
        (name("empty.example"), Vec::new()),
    ];
    TableResolver::from_iter(table)
        .with_alias(name("www.example"), name("web.example"))
        .with_alias(name("web.example"), name("db.example"))
        .with_alias(name("lost.example"), name("nobody.example"))
        .with_alias(name("round.example"), name("round.example"))
}

/// What a behaviour prints about `argument`.
#[track_caller]
fn print(
    behaviour: &str,
    argument: &str,
    resolver: impl Resolver + 'static,
    policy: &str,
) -> Finished {
    let policy = Policy::builder().file("policy.toml", &format!("version = 1\n{policy}"));
    let guest = Guest::new("names", behaviour)
        .argument(argument)
        .resolver(resolver)
        .policy(policy.build().unwrap());
    let finished = guest.finish();
    assert!(matches!(finished.outcome, Outcome::Exit(0)), "{finished:?}");
    finished
}

#[test]
fn a_host_has_a_canonical_name_aliases_and_addresses() {
    for grant in ["resolve www.example", "connect tcp://www.example:80"] {
        let policy = format!("allow = [\"{grant}\"]");
        let finished = print("host_by_name_prints", "www.example.", aliases(), &policy);
        assert_eq!(
            finished.output,
            "(\"db.example\", [\"www.example\"], [2001:db8::7, 192.0.2.7])\ndb.example\n"
        );
    }
}

#[test]
fn an_alias_that_is_not_granted_or_leads_to_what_is_denied_is_not_told() {
    for policy in [
        "allow = [\"resolve db.example\"]",
        "allow = [\"resolve *\"]\ndeny = [\"resolve db.example\"]",
        "allow = [\"resolve *\"]\ndeny = [\"connect tcp://web.example:*\"]",
    ] {
        let finished = print("host_by_name_prints", "www.example", aliases(), policy);
        let denied = "resolve www.example is not granted\n";
        assert_eq!(finished.output, denied.repeat(2), "{policy}");
        assert_eq!(finished.denials.len(), 2, "{policy}");
    }
}

#[test]
fn an_address_has_the_name_that_leads_to_it() {
    for grant in [
        "resolve 7.2.0.192.in-addr.arpa",
        "connect tcp://192.0.2.0/24:443",
    ] {
        let policy = format!("allow = [\"{grant}\"]");
        let finished = print("reverse_prints", "192.0.2.7:80", aliases(), &policy);
        assert_eq!(finished.output, "db.example http\n".repeat(2));
        let finished = print("host_by_address_prints", "192.0.2.7", aliases(), &policy);
        assert_eq!(finished.output, "(\"db.example\", [], [192.0.2.7])\n");
    }
}

#[test]
fn the_name_of_an_address_is_not_told_without_a_grant() {
    for policy in [
        "",
        "allow = [\"resolve db.example\"]",
        "allow = [\"connect tcp://db.example:80\"]",
        "allow = [\"connect tcp://192.0.2.8:80\"]",
        "allow = [\"connect tcp://*:80\"]\ndeny = [\"connect tcp://192.0.2.7:*\"]",
    ] {
        let denied = "resolve 7.2.0.192.in-addr.arpa is not granted\n";
        let finished = print("reverse_prints", "192.0.2.7:80", aliases(), policy);
        assert_eq!(finished.output, denied.repeat(2), "{policy}");
        assert_eq!(finished.denials.len(), 2, "{policy}");
        let finished = print("host_by_address_prints", "192.0.2.7", aliases(), policy);
        assert_eq!(finished.output, denied, "{policy}");
    }
}

#[test]
fn an_address_without_a_name_is_its_number() {
    let policy = "allow = [\"resolve *.arpa\"]";
    let finished = print("reverse_prints", "[2001:db8::8]:2", aliases(), policy);
    assert_eq!(
        finished.output,
        "2001:db8::8 2\nSome(ErrorCode::NameNotFound)\n"
    );
}

#[test]
fn the_policys_own_hosts_have_names_without_a_grant() {
    let policy = "[hosts]\n\"db.internal\" = [\"10.0.0.5\"]";
    let finished = print("reverse_prints", "10.0.0.5:5432", aliases(), policy);
    assert_eq!(finished.output, "db.internal postgresql\n".repeat(2));
    let finished = print("reverse_prints", "10.0.0.6:5432", aliases(), policy);
    let denied = "resolve 6.0.0.10.in-addr.arpa is not granted\n";
    assert_eq!(finished.output, denied.repeat(2));
}

#[test]
fn loopback_has_a_name_without_a_grant() {
    Guest::new("names", "reverse_flags_are_followed").succeed();
    let finished = print("reverse_prints", "[::1]:80", aliases(), "");
    assert_eq!(finished.output, "localhost http\n".repeat(2));
}

#[test]
fn services_and_protocols_need_no_grant() {
    Guest::new("names", "services_and_protocols_are_known").succeed();
}

#[test]
fn a_host_has_a_name_with_its_domain_as_far_as_it_may_be_known() {
    let everything = "allow = [\"resolve *\"]";
    for (host, policy, expected) in [
        ("www.example", everything, "db.example"),
        (
            "",
            "allow = [\"resolve *\"]\nhost-name = \"web.example\"",
            "db.example",
        ),
        ("nobody.example", everything, "nobody.example"),
        ("empty.example", everything, "empty.example"),
        ("", "host-name = \"localhost\"", "localhost"),
        (
            "www.example",
            "allow = [\"resolve www.example\"]",
            concat!(
                "resolve 7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.",
                "8.b.d.0.1.0.0.2.ip6.arpa is not granted"
            ),
        ),
    ] {
        let finished = print("fully_qualified_name_prints", host, aliases(), policy);
        assert_eq!(finished.output, format!("{expected}\n"), "{host} {policy}");
    }
}

/// A resolver that fails.
struct Failing(ErrorCode);

impl Resolver for Failing {
    fn look_up(&self, _: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        Box::pin(async { Err(Error::from(self.0)) })
    }

    fn reverse(&self, _: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(async { Err(Error::from(self.0)) })
    }
}

#[test]
fn failures_are_told_apart() {
    let everything = "allow = [\"resolve *\"]";
    let fails = |name: &str, resolver: TableResolver, policy: &str, expected: &str| {
        let finished = print("lookup_fails_with", name, resolver, policy);
        assert_eq!(finished.output, format!("{expected}\n"), "{name}");
    };
    fails("db.example", aliases(), everything, "2");
    fails("db.example", aliases(), "", "ErrorCode::AccessDenied");
    fails(
        "nobody.example",
        aliases(),
        everything,
        "ErrorCode::NameNotFound",
    );
    fails(
        "lost.example",
        aliases(),
        everything,
        "ErrorCode::NameNotFound",
    );
    fails(
        "empty.example",
        aliases(),
        everything,
        "ErrorCode::NameNoData",
    );
    fails(
        "round.example",
        aliases(),
        everything,
        "ErrorCode::NameLookupFailed",
    );
    for (code, expected) in [
        (ErrorCode::NameLookupFailed, "ErrorCode::NameLookupFailed\n"),
        (
            ErrorCode::NameTemporaryFailure,
            "ErrorCode::NameTemporaryFailure\n",
        ),
    ] {
        let finished = print("lookup_fails_with", "db.example", Failing(code), everything);
        assert_eq!(finished.output, expected);
        // Without a name is not what the address is.
        let finished = print("reverse_prints", "192.0.2.7:80", Failing(code), everything);
        assert_eq!(
            finished.output,
            format!("Some({})\n", expected.trim()).repeat(2)
        );
    }
}
