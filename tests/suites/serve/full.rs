//! As many are served as may be, and no more.

use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use portcullis::{SocketAddress, TurnedAway, WhenFull};
use portcullis_tests::PATIENCE;

use super::house::{Visitor, serve, wait_until};

#[test]
fn who_comes_when_all_places_are_taken_waits() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.connections = 2)
        .start();
    let first: Vec<_> = (0..2).map(|_| house.visit("sleep 500")).collect();
    house.wait_for_connections(2);
    let others: Vec<_> = (0..10).map(|_| house.visit("state")).collect();
    for visitor in first {
        assert_eq!(visitor.answer().unwrap(), "slept\n");
    }
    for visitor in others {
        assert_eq!(visitor.answer().unwrap(), "1\n");
    }
    for _ in 0..12 {
        house.expect("finished");
    }
    house.expect_nothing();
}

#[test]
fn a_listener_that_nobody_comes_to_keeps_no_place() {
    let house = serve("time-handler")
        .bounds(|bounds| bounds.connections = 1)
        .start();
    let mut listeners = vec![house.address];
    for endpoint in ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        let SocketAddress::Inet(address) = house.listen(endpoint).unwrap() else {
            panic!("no internet address");
        };
        listeners.push(address);
    }
    let SocketAddress::Inet(udp) = house.listen("udp://127.0.0.1:0").unwrap() else {
        panic!("no internet address");
    };
    for _ in 0..3 {
        // More than once at each, while the others wait.
        for listener in listeners.iter().flat_map(|listener| [listener; 2]) {
            let visitor = Visitor::over(TcpStream::connect(listener).unwrap(), "");
            visitor.wait_for_end();
            house.expect("finished");
        }
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.set_read_timeout(Some(PATIENCE)).unwrap();
        sender.send_to(b"?", udp).unwrap();
        assert_eq!(sender.recv(&mut [0; 5]).unwrap(), 4);
        house.expect("finished");
    }
}

#[test]
fn who_comes_when_all_places_are_taken_is_refused() {
    let house = serve("handler-faults")
        .bounds(|bounds| {
            bounds.connections = 2;
            bounds.when_full = WhenFull::Refuse;
        })
        .start();
    let mut first: Vec<_> = (0..2).map(|_| house.visit("echo")).collect();
    house.wait_for_connections(2);
    for _ in 0..5 {
        house.visit("state").expect_reset();
        house.expect_turned_away(TurnedAway::Full);
    }
    first.iter_mut().for_each(|visitor| visitor.echo());
    first.pop();
    house.expect("finished");
    // There is room as soon as the log has heard.
    wait_until("there is no room again", || {
        house
            .visit("state")
            .answer()
            .is_ok_and(|answer| answer == "1\n")
    });
}

#[test]
fn a_peer_has_as_many_connections_as_it_may_have() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.connections_per_peer = Some(2))
        .start();
    let mut first: Vec<_> = (0..2).map(|_| house.visit("echo")).collect();
    house.wait_for_connections(2);
    house.visit("state").expect_reset();
    house.expect_turned_away(TurnedAway::TooManyOfPeer);
    // Others are served.
    let other = house.visit_from([127, 0, 0, 2], "state");
    assert_eq!(other.answer().unwrap(), "1\n");
    house.expect("finished");
    first.iter_mut().for_each(|visitor| visitor.echo());
    first.pop();
    house.expect("finished");
    // There is room as soon as the log has heard.
    wait_until("there is no room again", || {
        house
            .visit("state")
            .answer()
            .is_ok_and(|answer| answer == "1\n")
    });
}

#[test]
fn a_place_is_free_again_however_it_ended() {
    let house = serve("handler-faults")
        .bounds(|bounds| {
            bounds.connections = 1;
            bounds.connections_per_peer = Some(1);
            bounds.cpu_time = Duration::from_millis(100);
            bounds.time = Some(Duration::from_secs(1));
        })
        .start();
    for order in ["trap", "exit", "fail", "loop", "hang", "state"] {
        house.visit(order).wait_for_end();
        house.told();
    }
    // The peer's place is given back after the log has heard of it.
    house.wait_for_connections(0);
    house.expect_nothing();
}
