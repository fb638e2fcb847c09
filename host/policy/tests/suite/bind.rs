//! Binding: under `bind`, and under `listen`, which covers it.

use crate::check::Verdict::{Allow, Deny};
use crate::check::check;

#[test]
fn a_bind_grant_covers_binding_and_not_listening() {
    let policy = "bind tcp://10.0.0.2:4000";
    check(policy, "bind tcp://10.0.0.2:4000", Allow);
    check(policy, "bind tcp://10.0.0.2:4001", Deny);
    check(policy, "bind udp://10.0.0.2:4000", Deny);
    check(policy, "listen tcp://10.0.0.2:4000", Deny);
    check(policy, "accept tcp://10.0.0.2:4000 from 10.0.0.3:9", Deny);
}

#[test]
fn a_listen_grant_covers_binding() {
    check(
        "listen tcp://127.0.0.1:80",
        "bind tcp://127.0.0.1:80",
        Allow,
    );
    check(
        "listen tcp://127.0.0.1:80 from 10.0.0.1",
        "bind tcp://127.0.0.1:80",
        Allow,
    );
    check("listen tcp://127.0.0.1:80", "bind tcp://127.0.0.1:81", Deny);
}

#[test]
fn denies_of_both_verbs_refuse_what_listen_would_cover() {
    let listen = "listen tcp://127.0.0.1:80";
    let with = |deny: &str| format!("{listen};{deny}");
    check(
        &with("deny bind tcp://127.0.0.1:80"),
        "bind tcp://127.0.0.1:80",
        Deny,
    );
    check(
        &with("deny listen tcp://127.0.0.1:80"),
        "bind tcp://127.0.0.1:80",
        Deny,
    );
    let peers = "deny listen tcp://127.0.0.1:80 from 10.0.0.1";
    check(&with(peers), "bind tcp://127.0.0.1:80", Allow);
}

#[test]
fn a_deny_of_listening_leaves_a_bind_grant_alone() {
    let policy = "bind tcp://127.0.0.1:80;deny listen tcp://127.0.0.1:80";
    check(policy, "bind tcp://127.0.0.1:80", Allow);
}

#[test]
fn port_zero_takes_a_star_or_a_zero() {
    check("bind tcp://127.0.0.1:*", "bind tcp://127.0.0.1:0", Allow);
    check("bind tcp://127.0.0.1:0", "bind tcp://127.0.0.1:0", Allow);
    check("bind tcp://127.0.0.1:0", "bind tcp://127.0.0.1:4000", Deny);
    check(
        "bind tcp://127.0.0.1:1-65535",
        "bind tcp://127.0.0.1:0",
        Deny,
    );
    check(
        "bind tcp://127.0.0.1:*;deny bind tcp://127.0.0.1:80",
        "bind tcp://127.0.0.1:0",
        Allow,
    );
    check(
        "bind tcp://127.0.0.1:*;deny bind tcp://127.0.0.1:0",
        "bind tcp://127.0.0.1:0",
        Deny,
    );
}

#[test]
fn a_name_covers_binding_where_it_leads() {
    let policy = "bind tcp://me.lan:80 in private";
    check(policy, "bind tcp://10.0.0.2:80 named me.lan", Allow);
    check(policy, "bind tcp://127.0.0.1:80 named me.lan", Deny);
    check(policy, "bind tcp://0.0.0.0:80 named me.lan", Deny);
    check(
        "bind tcp://localhost:80",
        "bind tcp://127.0.0.1:80 named localhost",
        Allow,
    );
}
