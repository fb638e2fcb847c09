//! Joining multicast groups.

use portcullis_policy::Join;

use crate::check::Verdict::{Allow, Deny};
use crate::check::{check, decide, denial, policy};

#[test]
fn a_group_is_joined_under_a_grant_of_it() {
    let policy = "join udp://224.0.0.251:5353";
    check(policy, "join udp://224.0.0.251:5353", Allow);
    check(policy, "join udp://[::ffff:224.0.0.251]:5353", Allow);
    check(policy, "join udp://224.0.0.252:5353", Deny);
    check(policy, "join udp://224.0.0.251:5354", Deny);
    check(policy, "join udp://224.0.0.251:0", Deny);
    check(policy, "join udp://[ff02::fb]:5353", Deny);
    check(
        "join udp://[ff02::fb]:*",
        "join udp://[ff02::fb]:5353",
        Allow,
    );
    check(
        "join udp://[ff02::fb]:*",
        "join udp://[ff02::fb%2]:5353",
        Allow,
    );
    check(
        "join udp://[ff02::fb]:*",
        "join udp://[ff02::fc]:5353",
        Deny,
    );
}

#[test]
fn ranges_and_the_group_of_groups_cover_what_lies_in_them() {
    check("join udp://224.0.0.0/24:*", "join udp://224.0.0.9:1", Allow);
    check("join udp://224.0.0.0/24:*", "join udp://224.0.1.9:1", Deny);
    check("join udp://multicast:*", "join udp://239.1.2.3:1", Allow);
    check("join udp://multicast:*", "join udp://[ff05::1]:1", Allow);
    check("join udp://multicast:5353", "join udp://239.1.2.3:1", Deny);
}

#[test]
fn a_socket_that_is_not_bound_takes_a_star_or_a_zero() {
    let unbound = "join udp://224.0.0.251:0";
    check("join udp://224.0.0.251:*", unbound, Allow);
    check("join udp://224.0.0.251:0", unbound, Allow);
    check("join udp://224.0.0.251:1-65535", unbound, Deny);
}

#[test]
fn no_other_verb_covers_joining_nor_does_it_cover_another() {
    let others = "connect udp://any:*;listen udp://*:*;bind udp://*:*;listen udp://multicast:*";
    check(others, "join udp://224.0.0.251:5353", Deny);
    let join = "join udp://multicast:*";
    check(join, "connect udp://224.0.0.251:5353", Deny);
    check(join, "listen udp://224.0.0.251:5353", Deny);
    check(join, "bind udp://224.0.0.251:5353", Deny);
}

#[test]
fn denies_win() {
    let with = |deny: &str| format!("join udp://multicast:*;deny join {deny}");
    let request = "join udp://224.0.0.251:5353";
    check(&with("udp://224.0.0.251:5353"), request, Deny);
    check(&with("udp://224.0.0.0/24:*"), request, Deny);
    check(&with("udp://multicast:*"), request, Deny);
    check(&with("udp://224.0.0.251:5354"), request, Allow);
    check(&with("udp://[ff00::]/8:*"), request, Allow);
}

#[test]
fn layers_must_all_allow() {
    let all = policy("join udp://multicast:*");
    let both = all.and(&policy("join udp://224.0.0.251:*"));
    assert!(decide(&both, "join udp://224.0.0.251:1").is_ok());
    assert!(decide(&both, "join udp://224.0.0.252:1").is_err());
    assert!(decide(&all.and(&policy("")), "join udp://224.0.0.251:1").is_err());
}

#[test]
fn what_is_no_group_cannot_be_granted() {
    check("join udp://multicast:*", "join udp://10.0.0.5:1", Deny);
    check(
        "join udp://multicast:*",
        "join udp://255.255.255.255:1",
        Deny,
    );
    let denial = denial("join udp://multicast:*", "join udp://10.0.0.5:1");
    assert_eq!(denial.remedy(), None);
    assert_eq!(
        denial.report().to_string(),
        "portcullis: denied  join udp://10.0.0.5:1\n  \
           reason: 10.0.0.5 is not a multicast address\n  \
           to allow: no grant can"
    );
}

#[test]
fn denials_say_what_is_near_and_what_would_allow() {
    let denial = denial(
        "join udp://224.0.0.251:5354;listen udp://0.0.0.0:5353",
        "join udp://224.0.0.251:5353",
    );
    assert_eq!(
        denial.to_string(),
        "join udp://224.0.0.251:5353: no grant covers it; nearest: \
         join udp://224.0.0.251:5354 (port differs)"
    );
    assert_eq!(
        denial.remedy().unwrap(),
        "--allow 'join udp://224.0.0.251:5353'"
    );
}

#[test]
fn a_request_tells_the_canonical_group_and_the_port() {
    let join = Join::new("::ffff:224.0.0.251".parse().unwrap(), 5353);
    assert_eq!(join.group().to_string(), "224.0.0.251");
    assert_eq!(join.port(), 5353);
}
