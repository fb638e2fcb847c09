//! What an instance may do: what the policy grants, each for itself.

use std::net::{TcpListener, UdpSocket};

use portcullis::Reuse;

use super::house::serve;

/// Gives an order to a handler that is not granted what it takes, and to one that
/// is.
#[track_caller]
fn check(order: &str, policy: &str) {
    let house = serve("handler-faults").start();
    assert_eq!(house.ask(order), "ErrorCode::AccessDenied\n", "{order}");
    assert_eq!(house.denials.take().len(), 1, "{order}");
    let house = serve("handler-faults").policy(policy).start();
    assert_eq!(house.ask(order), "ok\n", "{order}");
    assert!(house.denials.take().is_empty(), "{order}");
}

#[test]
fn to_connect_takes_a_grant() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    check(
        &format!("connect {address}"),
        &format!("allow = ['connect tcp://{address}']"),
    );
}

#[test]
fn to_listen_takes_a_grant() {
    check("listen 127.0.0.1:0", "allow = ['listen tcp://127.0.0.1:0']");
}

#[test]
fn to_send_a_datagram_takes_a_grant() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    check(
        &format!("send {address}"),
        &format!("allow = ['connect udp://{address}', 'bind udp://127.0.0.1:0']"),
    );
    let mut datagram = [0; 10];
    assert_eq!(receiver.recv(&mut datagram).unwrap(), 4);
    assert_eq!(&datagram[..4], b"sent");
}

#[test]
fn to_resolve_takes_a_grant() {
    check(
        "resolve db.internal",
        "allow = ['resolve db.internal']\n[hosts]\n'db.internal' = ['10.0.0.5']",
    );
}

#[test]
fn a_peer_outside_of_the_range_is_refused_before_there_is_an_instance() {
    let house = serve("handler-faults").start_at("tcp://127.0.0.1:0 from 127.0.0.1");
    for _ in 0..3 {
        house.visit_from([127, 0, 0, 2], "state").expect_reset();
    }
    assert_eq!(house.ask("state"), "1\n");
    house.expect_nothing();
    let denials = house.denials.take();
    assert_eq!(denials.len(), 3, "{denials:?}");
    assert!(denials[0].contains("127.0.0.2"), "{denials:?}");
}

#[test]
fn a_deny_of_the_policy_holds_for_those_who_come() {
    let house = serve("handler-faults")
        .policy("deny = ['listen tcp://127.0.0.1:* from 127.0.0.3']")
        .start();
    house.visit_from([127, 0, 0, 3], "state").expect_reset();
    assert_eq!(house.ask("state"), "1\n");
    assert_eq!(house.denials.take().len(), 1);
}

/// A name that was looked up lends its grant to its addresses, to whoever has
/// looked it up.
#[test]
fn what_one_instance_has_looked_up_helps_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let port = address.port();
    let policy = format!(
        "allow = ['connect tcp://db.internal:{port} in loopback', 'resolve db.internal']\n\
         [hosts]\n'db.internal' = ['127.0.0.1']"
    );
    let connect = format!("connect {address}");
    for (reuse, answer) in [
        (Reuse::Never, "ErrorCode::AccessDenied\n"),
        (Reuse::Always, "ok\n"),
    ] {
        let house = serve("handler-faults")
            .policy(&policy)
            .bounds(|bounds| bounds.reuse = reuse)
            .start();
        assert_eq!(house.ask("resolve db.internal"), "ok\n");
        assert_eq!(house.ask(&connect), answer, "{reuse:?}");
    }
}
