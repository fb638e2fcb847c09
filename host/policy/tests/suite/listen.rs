//! Listening and accepting: the unspecified address, dual-stack sockets, and
//! peers.

use crate::check::Verdict::{Allow, Deny};
use crate::check::check;

#[test]
fn a_listen_grant_covers_its_address() {
    let policy = "listen tcp://127.0.0.1:8080";
    check(policy, "listen tcp://127.0.0.1:8080", Allow);
    check(policy, "listen tcp://127.0.0.1:8081", Deny);
    check(policy, "listen tcp://127.0.0.2:8080", Deny);
    check(policy, "listen udp://127.0.0.1:8080", Deny);
    check(policy, "listen tcp://0.0.0.0:8080", Deny);
    check(policy, "connect tcp://127.0.0.1:8080", Deny);
    check("listen udp://[::1]:53", "listen udp://[::1]:53", Allow);
}

#[test]
fn the_unspecified_address_covers_its_family() {
    check("listen tcp://0.0.0.0:80", "listen tcp://0.0.0.0:80", Allow);
    check(
        "listen tcp://0.0.0.0:80",
        "listen tcp://127.0.0.1:80",
        Allow,
    );
    check("listen tcp://0.0.0.0:80", "listen tcp://[::1]:80", Deny);
    check("listen tcp://0.0.0.0:80", "listen tcp://[::]:80", Deny);
    check("listen tcp://[::]:80", "listen tcp://[::1]:80", Allow);
    check("listen tcp://[::]:80", "listen tcp://127.0.0.1:80", Deny);
    check(
        "listen tcp://[::]:80",
        "listen tcp://[::ffff:127.0.0.1]:80",
        Deny,
    );
}

#[test]
fn only_a_whole_family_covers_the_unspecified_address() {
    check("listen tcp://*:80", "listen tcp://0.0.0.0:80", Allow);
    check("listen tcp://*:80", "listen tcp://[::]:80 dual", Allow);
    check("listen tcp://*:80", "listen tcp://10.0.0.1:80", Allow);
    check("listen tcp://any:80", "listen tcp://[::]:80", Allow);
    check(
        "listen tcp://0.0.0.0/0:80",
        "listen tcp://0.0.0.0:80",
        Allow,
    );
    check("listen tcp://0.0.0.0/8:80", "listen tcp://0.0.0.0:80", Deny);
    check(
        "listen tcp://0.0.0.0/1:80;listen tcp://128.0.0.0/1:80",
        "listen tcp://0.0.0.0:80",
        Deny,
    );
    for group in ["public", "private", "loopback", "link-local", "multicast"] {
        check(
            &format!("listen tcp://{group}:80"),
            "listen tcp://0.0.0.0:80",
            Deny,
        );
        check(
            &format!("listen tcp://{group}:80"),
            "listen tcp://[::]:80",
            Deny,
        );
    }
}

#[test]
fn who_hears_a_family_is_denied_by_any_part_of_it() {
    for host in [
        "127.0.0.1",
        "10.0.0.0/8",
        "public",
        "loopback",
        "localhost",
        "a.lan",
        "*",
        "any",
    ] {
        let policy = format!("listen tcp://*:*;deny listen tcp://{host}:80");
        check(&policy, "listen tcp://0.0.0.0:80", Deny);
        check(&policy, "listen tcp://0.0.0.0:81", Allow);
    }
    let policy = "listen tcp://*:*;deny listen tcp://[::1]:80";
    check(policy, "listen tcp://0.0.0.0:80", Allow);
    check(policy, "listen tcp://[::]:80", Deny);
    check(policy, "listen tcp://[fd00::1]:80", Allow);
}

#[test]
fn a_dual_stack_socket_needs_both_families() {
    check("listen tcp://[::]:80", "listen tcp://[::]:80 dual", Deny);
    check("listen tcp://0.0.0.0:80", "listen tcp://[::]:80 dual", Deny);
    check(
        "listen tcp://0.0.0.0:80;listen tcp://[::]:80",
        "listen tcp://[::]:80 dual",
        Allow,
    );
    let policy = "listen tcp://*:*;deny listen tcp://10.0.0.1:80";
    check(policy, "listen tcp://[::]:80 dual", Deny);
    check(policy, "listen tcp://[::]:80", Allow);
    // On an address of its own the flag means nothing.
    check("listen tcp://[::1]:80", "listen tcp://[::1]:80 dual", Allow);
}

#[test]
fn peers_are_accepted_from_the_granted_ranges() {
    let policy = "listen tcp://127.0.0.1:80 from 10.0.0.0/8,loopback";
    check(policy, "listen tcp://127.0.0.1:80", Allow);
    check(policy, "accept tcp://127.0.0.1:80 from 10.1.2.3:999", Allow);
    check(
        policy,
        "accept tcp://127.0.0.1:80 from [::ffff:10.1.2.3]:999",
        Allow,
    );
    check(policy, "accept tcp://127.0.0.1:80 from [::1]:999", Allow);
    check(policy, "accept tcp://127.0.0.1:80 from 11.1.2.3:999", Deny);
    check(policy, "accept tcp://127.0.0.1:81 from 10.1.2.3:999", Deny);
    check(
        "listen tcp://*:80",
        "accept tcp://127.0.0.1:80 from 11.1.2.3:999",
        Allow,
    );
}

#[test]
fn the_peers_of_several_grants_add_up() {
    let policy = "listen tcp://0.0.0.0:80 from 10.0.0.1;listen tcp://127.0.0.1:80 from 10.0.0.2";
    check(policy, "accept tcp://127.0.0.1:80 from 10.0.0.1:9", Allow);
    check(policy, "accept tcp://127.0.0.1:80 from 10.0.0.2:9", Allow);
    check(policy, "accept tcp://0.0.0.0:80 from 10.0.0.2:9", Deny);
}

#[test]
fn a_deny_with_from_refuses_peers_and_not_listening() {
    let policy = "listen tcp://*:80;deny listen tcp://*:80 from 10.0.0.0/8";
    check(policy, "listen tcp://0.0.0.0:80", Allow);
    check(policy, "bind tcp://0.0.0.0:80", Allow);
    check(policy, "accept tcp://0.0.0.0:80 from 10.1.2.3:9", Deny);
    check(
        policy,
        "accept tcp://[::]:80 from [64:ff9b::10.1.2.3]:9",
        Deny,
    );
    check(policy, "accept tcp://0.0.0.0:80 from 11.1.2.3:9", Allow);
}

#[test]
fn a_deny_without_from_refuses_listening_and_every_peer() {
    let policy = "listen tcp://*:*;deny listen tcp://127.0.0.1:80";
    check(policy, "listen tcp://127.0.0.1:80", Deny);
    check(policy, "accept tcp://127.0.0.1:80 from 10.1.2.3:9", Deny);
    check(policy, "accept tcp://127.0.0.1:81 from 10.1.2.3:9", Allow);
}

#[test]
fn an_ipv4_peer_of_a_dual_stack_socket_is_judged_as_ipv4() {
    let policy = "listen tcp://[::]:80 from [fd00::]/8;listen tcp://0.0.0.0:80 from 10.0.0.0/8";
    check(
        policy,
        "accept tcp://[::]:80 dual from [::ffff:10.0.0.1]:9",
        Allow,
    );
    check(policy, "accept tcp://[::]:80 dual from 11.0.0.1:9", Deny);
    check(policy, "accept tcp://[::]:80 dual from [fd00::1]:9", Allow);
    check(policy, "accept tcp://[::]:80 dual from [fe80::1%2]:9", Deny);
}

#[test]
fn a_listener_on_port_zero_keeps_its_zero() {
    check(
        "listen tcp://127.0.0.1:0",
        "listen tcp://127.0.0.1:0",
        Allow,
    );
    check(
        "listen tcp://127.0.0.1:0",
        "accept tcp://127.0.0.1:0 from 10.0.0.1:9",
        Allow,
    );
    check(
        "listen tcp://127.0.0.1:1-65535",
        "listen tcp://127.0.0.1:0",
        Deny,
    );
}

#[test]
fn a_name_covers_listening_where_it_leads() {
    let policy = "listen tcp://localhost:80";
    check(policy, "listen tcp://127.0.0.1:80 named localhost", Allow);
    check(
        policy,
        "accept tcp://127.0.0.1:80 named localhost from 127.0.0.1:9",
        Allow,
    );
    check(policy, "listen tcp://10.0.0.1:80 named localhost", Deny);
}
