//! Datagrams: each is served by an instance of its own, which answers who sent
//! it.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use portcullis::{Reuse, TurnedAway, WhenFull};
use portcullis_tests::PATIENCE;

use super::house::{House, Plan, serve, wait_until};

/// Long enough that an answer would have come.
const SILENCE: Duration = Duration::from_millis(500);

fn start(plan: Plan) -> House {
    plan.start_at("udp://127.0.0.1:0")
}

struct Sender<'a> {
    socket: UdpSocket,
    house: &'a House,
}

impl<'a> Sender<'a> {
    fn new(house: &'a House) -> Self {
        Self::at(house, [127, 0, 0, 1])
    }

    fn at(house: &'a House, address: [u8; 4]) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from((address, 0))).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, house }
    }

    fn send(&self, order: &str) {
        let sent = self.socket.send_to(order.as_bytes(), self.house.address);
        assert_eq!(sent.unwrap(), order.len());
    }

    #[track_caller]
    fn receive(&self) -> String {
        let mut datagram = [0; 65536];
        let (length, from) = self.socket.recv_from(&mut datagram).unwrap();
        assert_eq!(from, self.house.address);
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    }

    #[track_caller]
    fn ask(&self, order: &str) -> String {
        self.send(order);
        let answer = self.receive();
        self.house.expect("finished");
        answer
    }

    #[track_caller]
    fn expect_silence(&self) {
        self.socket.set_read_timeout(Some(SILENCE)).unwrap();
        let error = self.socket.recv_from(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

#[test]
fn a_datagram_is_answered_from_where_it_went_to() {
    let house = start(serve("datagram-faults"));
    let sender = Sender::new(&house);
    assert_eq!(sender.ask("echo something"), "something");
    assert_eq!(
        sender.ask("peer"),
        sender.socket.local_addr().unwrap().to_string()
    );
    assert_eq!(sender.ask("big 60000").len(), 60_000);
    sender.send("many 20");
    for number in 0..20 {
        assert_eq!(sender.receive(), number.to_string());
    }
    house.expect("finished");
    sender.send("nothing");
    house.expect("finished");
    sender.expect_silence();
}

#[test]
fn what_a_datagram_leads_to_ends_nothing_else() {
    let house = start(serve("datagram-faults").bounds(|bounds| {
        bounds.cpu_time = Duration::from_millis(300);
        bounds.memory = 16 << 20;
        bounds.time = Some(Duration::from_secs(2));
    }));
    let sender = Sender::new(&house);
    let rows = [
        ("trap", "trapped"),
        ("panic", "trapped"),
        ("overflow", "trapped"),
        ("loop", "out-of-cpu-time"),
        ("call", "out-of-cpu-time"),
        ("hog", "out-of-memory"),
        ("hang", "out-of-time"),
        ("sleep 60000", "out-of-time"),
        ("exit", "exited"),
        ("fail", "failed"),
        ("no such order", "failed"),
        // Longer than any datagram.
        ("big 70000", "failed"),
    ];
    for (order, word) in rows {
        sender.send(order);
        house.expect(word);
        assert_eq!(sender.ask("state"), "1", "after {order}");
    }
    house.expect_nothing();
    house.wait_for_connections(0);
}

#[test]
fn limits_on_bytes_are_those_of_each_datagram() {
    let policy = "[limits]\nbytes-received = 100\nbytes-sent = 1000";
    let house = start(serve("datagram-faults").policy(policy));
    let sender = Sender::new(&house);
    // More than all of them may, if they were one.
    for _ in 0..5 {
        assert_eq!(sender.ask("big 1000").len(), 1000);
    }
    for order in ["big 1001", &format!("echo {}", "x".repeat(96))] {
        sender.send(order);
        let ended = house.expect("failed");
        assert!(ended.ending.contains("limit reached: bytes-"), "{ended:?}");
    }
    assert_eq!(sender.ask("big 1000").len(), 1000);
}

#[test]
fn a_datagram_that_is_not_answered_in_time_is_given_up() {
    let limit = Duration::from_millis(500);
    let house = start(serve("datagram-faults").bounds(|bounds| bounds.idle_time = Some(limit)));
    let sender = Sender::new(&house);
    sender.send("hang");
    assert!(house.expect("idle").duration >= limit);
    assert_eq!(sender.ask("state"), "1");
}

#[test]
fn a_unix_socket_that_does_not_read_its_answers_keeps_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server");
    let senders = format!("connect unixgram:{}/*", folder.path().display());
    let plan = serve("datagram-faults").bounds(|bounds| bounds.connections = 1);
    let plan = plan.policy(&format!("allow = ['{senders}']"));
    let house = plan.start_at(&format!("unixgram:{}", path.display()));
    let visit = |name| {
        let socket = UnixDatagram::bind(folder.path().join(name)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.connect(&path).unwrap();
        socket
    };
    let deaf = visit("deaf");
    // More than any queue holds.
    for _ in 0..3 {
        deaf.send(b"many 1000").unwrap();
        house.expect("finished");
    }
    // What waits for it is charged to the server.
    drop(deaf);
    let other = visit("other");
    other.send(b"state").unwrap();
    assert_eq!(other.recv(&mut [0; 10]).unwrap(), 1);
    house.expect("finished");
}

/// The name that a unix datagram comes from is what its sender says. Nothing goes
/// there without a grant.
#[test]
fn a_unix_datagram_is_answered_where_the_policy_lets_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ask = |house: &House, name: Option<&str>, ending: &str| {
        let socket = match name {
            Some(name) => UnixDatagram::bind(path(name)).unwrap(),
            None => UnixDatagram::unbound().unwrap(),
        };
        socket.send_to(b"state", path("server")).unwrap();
        let ended = house.expect(ending).ending;
        socket.set_nonblocking(true).unwrap();
        (ended, socket.recv(&mut [0; 10]).is_ok())
    };
    let at = format!("unixgram:{}", path("server").display());
    let house = serve("datagram-faults").start_at(&at);
    let (ending, is_answered) = ask(&house, Some("nobody"), "failed");
    assert!(ending.contains("is not granted"), "{ending}");
    assert!(!is_answered);
    let denials = house.denials.take();
    let grant = format!("connect unixgram:{}", path("nobody").display());
    let remedy = format!("to allow: --allow '{grant}'");
    assert!(denials[0].contains(&remedy), "{denials:?}");
    drop(house);
    std::fs::remove_file(path("server")).unwrap();

    let policy = format!("allow = ['connect unixgram:{}']", path("friend").display());
    let house = serve("datagram-faults").policy(&policy).start_at(&at);
    assert!(ask(&house, Some("friend"), "finished").1);
    assert!(!ask(&house, Some("other"), "failed").1);
    let (ending, _) = ask(&house, None, "failed");
    assert!(ending.contains("without a name"), "{ending}");
}

#[test]
fn a_sender_outside_of_the_range_is_not_heard() {
    let house = serve("datagram-faults").start_at("udp://127.0.0.1:0 from 127.0.0.1");
    let stranger = Sender::at(&house, [127, 0, 0, 2]);
    stranger.send("state");
    stranger.expect_silence();
    assert_eq!(Sender::new(&house).ask("state"), "1");
    house.expect_nothing();
    let denials = house.denials.take();
    assert_eq!(denials.len(), 1, "{denials:?}");
    assert!(denials[0].contains("127.0.0.2"), "{denials:?}");
}

#[test]
fn a_datagram_that_comes_when_all_places_are_taken_waits() {
    let house = start(serve("datagram-faults").bounds(|bounds| bounds.connections = 1));
    let sender = Sender::new(&house);
    sender.send("sleep 300");
    sender.send("state");
    assert_eq!(sender.receive(), "slept");
    assert_eq!(sender.receive(), "1");
}

#[test]
fn a_datagram_that_comes_when_all_places_are_taken_is_dropped() {
    let house = start(serve("datagram-faults").bounds(|bounds| {
        bounds.connections = 1;
        bounds.when_full = WhenFull::Refuse;
    }));
    let sender = Sender::new(&house);
    sender.send("sleep 1000");
    house.wait_for_connections(1);
    sender.send("state");
    house.expect_turned_away(TurnedAway::Full);
    house.expect("finished");
    assert_eq!(sender.receive(), "slept");
    // There is room as soon as the log has heard.
    sender.socket.set_read_timeout(Some(SILENCE)).unwrap();
    wait_until("there is no room again", || {
        sender.send("state");
        sender.socket.recv(&mut [0; 10]).is_ok()
    });
}

#[test]
fn an_instance_may_serve_several_datagrams() {
    let house = start(serve("datagram-faults").bounds(|bounds| bounds.reuse = Reuse::Times(2)));
    let sender = Sender::new(&house);
    let states: Vec<_> = (0..4).map(|_| sender.ask("state")).collect();
    assert_eq!(states, ["1", "2", "1", "2"]);
}

#[test]
fn a_handler_of_datagrams_answers_without_a_grant_and_sends_with_one() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    let order = format!("send {address}");
    let house = start(serve("datagram-faults"));
    assert_eq!(Sender::new(&house).ask(&order), "ErrorCode::AccessDenied");
    assert_eq!(house.denials.take().len(), 1);
    let policy = format!("allow = ['connect udp://{address}', 'bind udp://127.0.0.1:0']");
    let house = start(serve("datagram-faults").policy(&policy));
    assert_eq!(Sender::new(&house).ask(&order), "ok");
}

#[test]
fn every_order_for_a_datagram_is_given() {
    let house = start(serve("datagram-faults"));
    let here = include_str!("datagrams.rs");
    let orders = Sender::new(&house).ask("list");
    for order in orders.lines().take_while(|order| *order != "call") {
        assert!(
            here.contains(&format!("\"{order}")),
            "nothing orders {order}"
        );
    }
}
