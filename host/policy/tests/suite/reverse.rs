//! Looking the names of addresses up.

use portcullis_policy::Reverse;

use crate::check::Verdict::{Allow, Deny};
use crate::check::{check, decide, denial, policy};

const V6: &str = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

#[test]
fn a_resolve_grant_covers_the_name_in_the_dns() {
    let policy = "resolve 5.0.0.10.in-addr.arpa";
    check(policy, "reverse 10.0.0.5", Allow);
    check(policy, "reverse ::ffff:10.0.0.5", Allow);
    check(policy, "reverse 10.0.0.6", Deny);
    check("resolve *.10.in-addr.arpa", "reverse 10.0.0.6", Allow);
    check("resolve *.10.in-addr.arpa", "reverse 11.0.0.6", Deny);
    check("resolve *", "reverse 10.0.0.5", Allow);
    check(
        "resolve *.8.b.d.0.1.0.0.2.ip6.arpa",
        "reverse 2001:db8::1",
        Allow,
    );
    check(
        "resolve *.8.b.d.0.1.0.0.2.ip6.arpa",
        "reverse 2001:db9::1",
        Deny,
    );
    check("resolve db.internal", "reverse 10.0.0.5", Deny);
}

#[test]
fn a_connect_grant_covers_its_addresses_on_whatever_port() {
    check("connect tcp://10.0.0.0/8:5432", "reverse 10.0.0.5", Allow);
    check("connect udp://10.0.0.5:53", "reverse 10.0.0.5", Allow);
    check("connect tcp://private:1", "reverse fd00::5", Allow);
    check("connect tcp://10.0.0.5:5432", "reverse 10.0.0.6", Deny);
    check("connect tcp://*:443", "reverse 1.1.1.1", Allow);
    check("connect tcp://*:443", "reverse 10.0.0.5", Deny);
    check(
        "connect tcp://db.internal:5432 in private",
        "reverse 10.0.0.5",
        Deny,
    );
    check("connect tcp://10.0.0.0/8:*", "reverse 64:ff9b::a00:5", Deny);
}

#[test]
fn no_other_grant_covers_it() {
    let policy = "listen tcp://*:*;bind tcp://any:*;join udp://multicast:*;connect unix:/**";
    check(policy, "reverse 10.0.0.5", Deny);
    check(policy, "reverse 224.0.0.1", Deny);
    check("", "reverse 127.0.0.1", Deny);
}

#[test]
fn a_resolve_deny_of_the_name_wins() {
    let with = |deny: &str| format!("resolve *;connect tcp://any:*;deny {deny}");
    check(
        &with("resolve 5.0.0.10.in-addr.arpa"),
        "reverse 10.0.0.5",
        Deny,
    );
    check(&with("resolve *.in-addr.arpa"), "reverse 10.0.0.5", Deny);
    check(
        &with("resolve *.in-addr.arpa"),
        "reverse 2001:db8::1",
        Allow,
    );
    check(
        &with("resolve 6.0.0.10.in-addr.arpa"),
        "reverse 10.0.0.5",
        Allow,
    );
}

#[test]
fn a_connect_deny_of_every_port_wins_for_either_protocol() {
    let with = |deny: &str| {
        format!("resolve *;connect tcp://any:*;connect udp://any:*;deny connect {deny}")
    };
    for all in ["*", "1-65535"] {
        for protocol in ["tcp", "udp"] {
            let deny = format!("{protocol}://10.0.0.0/8:{all}");
            check(&with(&deny), "reverse 10.0.0.5", Deny);
            check(&with(&deny), "reverse 64:ff9b::a00:5", Deny);
            check(&with(&deny), "reverse 2002:a00:5::1", Deny);
            check(&with(&deny), "reverse 11.0.0.5", Allow);
        }
    }
    check(&with("tcp://10.0.0.5:80"), "reverse 10.0.0.5", Allow);
    check(&with("tcp://localhost:*"), "reverse 127.0.0.1", Deny);
    check(&with("tcp://a.b:*"), "reverse 10.0.0.5", Allow);
    check(&with("tcp://*:*"), "reverse 10.0.0.5", Deny);
}

#[test]
fn layers_must_all_allow() {
    let both = policy("connect tcp://10.0.0.0/8:*").and(&policy("resolve 5.0.0.10.in-addr.arpa"));
    assert!(decide(&both, "reverse 10.0.0.5").is_ok());
    assert!(decide(&both, "reverse 10.0.0.6").is_err());
}

#[test]
fn denials_say_what_is_near_and_what_would_allow() {
    let denied = denial("listen tcp://10.0.0.0/8:*", "reverse 10.0.0.5");
    assert_eq!(
        denied.to_string(),
        "resolve 5.0.0.10.in-addr.arpa: no grant covers it; nearest: \
         listen tcp://10.0.0.0/8:* (verb differs)"
    );
    assert_eq!(
        denied.remedy().unwrap(),
        "--allow 'resolve 5.0.0.10.in-addr.arpa'"
    );
    let denied = denial("", "reverse 2001:db8::1");
    assert_eq!(denied.remedy().unwrap(), format!("--allow 'resolve {V6}'"));
    let denied = denial(
        "connect tcp://any:*;deny connect udp://any:*",
        "reverse ::1",
    );
    assert_eq!(
        denied.reason().to_string(),
        "denied by: connect udp://any:*"
    );
    assert_eq!(denied.remedy(), None);
}

#[test]
fn a_request_tells_the_address_and_the_name_to_ask_for() {
    let reverse = Reverse::new("::ffff:10.0.0.5".parse().unwrap());
    assert_eq!(reverse.address().to_string(), "10.0.0.5");
    assert_eq!(reverse.name().as_str(), "5.0.0.10.in-addr.arpa");
    let reverse = Reverse::new("2001:db8::1".parse().unwrap());
    assert_eq!(reverse.name().as_str(), V6);
}
