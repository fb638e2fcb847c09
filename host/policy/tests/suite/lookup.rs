//! Looking names up, for a purpose or for none.

use crate::check::Verdict::{Allow, Deny};
use crate::check::{check, decide, policy};

#[test]
fn a_connect_grant_lets_its_names_be_looked_up() {
    let policy = "connect tcp://db.internal:5432 in private;connect udp://*.x.com:53";
    check(policy, "lookup connect tcp db.internal 5432", Allow);
    check(policy, "lookup connect tcp db.internal 5433", Deny);
    check(policy, "lookup connect udp db.internal 5432", Deny);
    check(policy, "lookup listen tcp db.internal 5432", Deny);
    check(policy, "resolve db.internal", Allow);
    check(policy, "resolve a.x.com", Allow);
    check(policy, "resolve x.com", Deny);
}

#[test]
fn a_star_covers_every_name_and_public_covers_none() {
    check("connect tcp://*:443", "lookup connect tcp a.com 443", Allow);
    check("connect tcp://*:443", "lookup connect tcp a.com 80", Deny);
    check("connect tcp://*:443", "resolve a.com", Allow);
    check(
        "connect tcp://public:443",
        "lookup connect tcp a.com 443",
        Deny,
    );
    check("connect tcp://any:*", "resolve a.com", Deny);
}

#[test]
fn a_local_star_covers_addresses_and_no_names() {
    check("listen tcp://*:80", "lookup listen tcp a.com 80", Deny);
    check("bind tcp://*:80", "lookup bind tcp a.com 80", Deny);
    check("listen tcp://a.com:80", "lookup listen tcp a.com 80", Allow);
    check("listen tcp://a.com:80", "lookup bind tcp a.com 80", Allow);
    check("bind tcp://a.com:80", "lookup bind tcp a.com 80", Allow);
    check("bind tcp://a.com:80", "lookup listen tcp a.com 80", Deny);
    check("listen tcp://a.com:80", "resolve a.com", Deny);
}

#[test]
fn a_resolve_grant_covers_names_for_every_purpose() {
    let policy = "resolve *.example.com;resolve one.org";
    check(policy, "resolve a.example.com", Allow);
    check(policy, "lookup connect tcp a.example.com 443", Allow);
    check(policy, "lookup bind udp one.org 0", Allow);
    check(policy, "resolve example.com", Deny);
    check(policy, "resolve two.org", Deny);
    check(
        policy,
        "connect tcp://1.2.3.4:443 named a.example.com",
        Deny,
    );
    check("resolve *", "resolve two.org", Allow);
}

#[test]
fn a_resolve_deny_refuses_every_purpose() {
    let policy = "connect tcp://*:*;resolve *;deny resolve *.evil.com";
    check(policy, "lookup connect tcp a.evil.com 443", Deny);
    check(policy, "resolve a.evil.com", Deny);
    check(policy, "resolve evil.com", Allow);
    check("deny resolve *", "resolve localhost", Deny);
}

#[test]
fn a_connect_deny_refuses_lookups_for_it() {
    let policy = "connect tcp://*:*;resolve *;deny connect tcp://evil.com:80";
    check(policy, "lookup connect tcp evil.com 80", Deny);
    check(policy, "lookup connect tcp evil.com 443", Allow);
    check(policy, "resolve evil.com", Allow);
    for all in ["*", "1-65535", "0,1-300,301-65535"] {
        let policy = format!("connect tcp://*:*;deny connect tcp://evil.com:{all}");
        check(&policy, "resolve evil.com", Deny);
    }
}

#[test]
fn listening_denied_does_not_take_a_resolve_grant_back() {
    let policy = "resolve a.com;listen tcp://a.com:80;deny listen tcp://a.com:80";
    check(policy, "lookup bind tcp a.com 80", Allow);
    check(policy, "lookup listen tcp a.com 80", Deny);
    check(
        "listen tcp://a.com:80;deny listen tcp://a.com:80",
        "lookup bind tcp a.com 80",
        Deny,
    );
}

#[test]
fn localhost_is_a_constant_that_takes_no_grant() {
    let answer = decide(&policy(""), "resolve app.localhost").unwrap();
    assert_eq!(answer, None);
    check("", "lookup connect tcp localhost 80", Allow);
    check("", "resolve notlocalhost", Deny);
    check(
        "deny connect tcp://localhost:80",
        "lookup connect tcp localhost 80",
        Deny,
    );
}
