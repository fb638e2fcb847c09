//! Letting a socket send broadcasts.

use portcullis_policy::Broadcast;

use crate::check::Verdict::{Allow, Deny};
use crate::check::{check, decide, denial, policy};

#[test]
fn a_grant_to_send_to_everybody_covers_it() {
    for grant in [
        "connect udp://255.255.255.255:9",
        "connect udp://255.255.255.255:*",
        "connect udp://255.255.255.254/31:9",
        "connect udp://0.0.0.0/0:9",
        "connect udp://any:9",
    ] {
        check(grant, "broadcast", Allow);
    }
    for grant in [
        "",
        "connect udp://*:*",
        "connect udp://public:*",
        "connect udp://[::]/0:*",
        "connect udp://255.255.255.254:*",
        "connect udp://a.b:9 in any",
        "connect tcp://255.255.255.255:*",
        "listen udp://255.255.255.255:*",
        "bind udp://any:*",
        "join udp://multicast:*",
        "connect unixgram:/**",
    ] {
        check(grant, "broadcast", Deny);
    }
}

#[test]
fn a_deny_of_every_port_wins() {
    let with = |deny: &str| format!("connect udp://any:*;deny connect {deny}");
    for deny in [
        "udp://255.255.255.255:*",
        "udp://255.255.255.255:1-65535",
        "udp://240.0.0.0/4:*",
        "udp://any:*",
        "udp://*:*",
    ] {
        check(&with(deny), "broadcast", Deny);
    }
    check(&with("udp://255.255.255.255:9"), "broadcast", Allow);
    check(&with("tcp://255.255.255.255:*"), "broadcast", Allow);
    check(&with("udp://10.0.0.0/8:*"), "broadcast", Allow);
}

#[test]
fn layers_must_all_allow() {
    let any = policy("connect udp://any:*");
    assert!(decide(&any.and(&any), "broadcast").is_ok());
    assert!(decide(&any.and(&policy("connect udp://*:*")), "broadcast").is_err());
    assert!(decide(&policy("connect udp://*:*").and(&any), "broadcast").is_err());
}

#[test]
fn denials_say_what_is_near_and_what_would_allow() {
    let near = |policy: &str| denial(policy, "broadcast").to_string();
    let everybody = "connect udp://255.255.255.255:*: no grant covers it";
    assert_eq!(near(""), everybody);
    assert_eq!(near("listen tcp://127.0.0.1:80"), everybody);
    assert_eq!(
        near("connect udp://*:9"),
        format!("{everybody}; nearest: connect udp://*:9 (host differs)")
    );
    assert_eq!(
        near("connect tcp://any:9"),
        format!("{everybody}; nearest: connect tcp://any:9 (protocol differs)")
    );
    assert_eq!(
        denial("", "broadcast").remedy().unwrap(),
        "--allow 'connect udp://255.255.255.255:0'"
    );
    assert_eq!(
        denial("connect udp://any:*;deny connect udp://*:*", "broadcast").remedy(),
        None
    );
}

#[test]
fn a_request_tells_the_address() {
    assert_eq!(Broadcast::new().address().to_string(), "255.255.255.255");
}
