//! Datagrams: each is served by an instance of its own, which answers who sent
//! it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use portcullis::{Bounds, Reuse, TurnedAway, WhenFull};
use portcullis_tests::{PATIENCE, machine};

use super::house::{House, Plan, Told, Visitor, WORKERS, serve, wait_until};

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
fn a_datagram_has_no_more_answers_than_may_be() {
    let house = start(serve("datagram-faults"));
    let sender = Sender::new(&house);
    for order in ["many 33", "empty 2000000"] {
        sender.send(order);
        let ended = house.expect("failed");
        assert!(ended.ending.contains("--max-answers"), "{ended:?}");
        assert_eq!(ended.answers, Some(0));
        sender.expect_silence();
    }
    sender.send("many 32");
    for number in 0..32 {
        assert_eq!(sender.receive(), number.to_string());
    }
    assert_eq!(house.expect("finished").answers, Some(32));
}

#[test]
fn an_answer_without_a_byte_counts() {
    let house = start(serve("datagram-faults").policy("[limits]\nbytes-sent = 10"));
    let sender = Sender::new(&house);
    sender.send("empty 11");
    let ended = house.expect("failed");
    assert!(
        ended.ending.contains("limit reached: bytes-sent"),
        "{ended:?}"
    );
    sender.send("empty 10");
    for _ in 0..10 {
        assert_eq!(sender.receive(), "");
    }
    house.expect("finished");
}

/// However many may be, whoever asks meanwhile is answered, and the end is the end.
#[test]
fn answers_are_sent_within_the_bounds() {
    const MANY: u64 = 2_000_000;
    type Change = fn(&mut Bounds);
    // To make them takes the handler less than a half of the latter.
    let rows: [(&str, Change); 2] = [
        ("out-of-time", |bounds| {
            bounds.time = Some(Duration::from_secs(1))
        }),
        ("out-of-cpu-time", |bounds| {
            bounds.cpu_time = Duration::from_secs(2)
        }),
    ];
    for (word, bound) in rows {
        let house = start(serve("datagram-faults").bounds(|bounds| {
            bounds.answers = u32::MAX;
            bounds.memory = 512 << 20;
            bound(bounds);
        }));
        let senders: Vec<Sender<'_>> = (0..WORKERS).map(|_| Sender::new(&house)).collect();
        for sender in &senders {
            sender.send(&format!("empty {MANY}"));
        }
        house.wait_for_connections(senders.len());
        let honest = Sender::new(&house);
        let asked = Instant::now();
        honest.send("state");
        assert_eq!(honest.receive(), "1");
        let waited = asked.elapsed();
        assert!(waited < Duration::from_secs(10), "it waited for {waited:?}");
        for _ in 0..=senders.len() {
            match house.told() {
                Told::Ended(ended) if ended.word == word => {
                    assert!(ended.answers.unwrap() < MANY, "{ended:?}");
                    // It was not for the handler alone.
                    let was_sending = ended.answers != Some(0);
                    assert!(was_sending || word == "out-of-time", "{ended:?}");
                }
                Told::Ended(ended) => {
                    assert_eq!((ended.word, ended.answers), ("finished", Some(1)))
                }
                told @ (Told::TurnedAway(_) | Told::Failed(_)) => panic!("{told:?}"),
            }
        }
    }
}

#[test]
fn a_drain_ends_those_who_are_being_answered() {
    let house = start(serve("datagram-faults").bounds(|bounds| {
        bounds.answers = u32::MAX;
        bounds.memory = 512 << 20;
    }));
    let sender = Sender::new(&house);
    sender.send("empty 2000000");
    // What comes first shows that it is at it.
    assert_eq!(sender.receive(), "");
    let began = Instant::now();
    assert_eq!(house.drain(Duration::from_millis(100)), 1);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    house.expect("dropped");
}

/// Somebody who hears nobody but whom it asked.
fn asks(to: SocketAddr) -> UdpSocket {
    let any: IpAddr = match to.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[track_caller]
fn check_answers_from(house: &House, addresses: &[&str]) {
    let port = house.address.port();
    for address in addresses {
        let to: IpAddr = address.parse().unwrap();
        let client = asks((to, port).into());
        client.send(b"echo hello").unwrap();
        let mut answer = [0; 16];
        let length = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], b"hello", "{address}");
        house.expect("finished");
    }
}

#[test]
fn an_answer_leaves_from_the_address_that_was_asked() {
    let addresses = ["127.0.0.1", "127.0.0.2", "127.1.2.3"];
    for endpoint in ["udp://*:0", "udp://0.0.0.0:0"] {
        let house = serve("datagram-faults").start_at(endpoint);
        check_answers_from(&house, &addresses);
        house.replace("datagram-faults", "", false).unwrap();
        check_answers_from(&house, &addresses);
    }
    // One who asks two addresses at once has an answer from each.
    let house = serve("datagram-faults").start_at("udp://*:0");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for address in ["127.0.0.1", "127.0.0.2"] {
        let order = format!("sleep {}", if address == "127.0.0.1" { 300 } else { 0 });
        let to = (address, house.address.port());
        client.send_to(order.as_bytes(), to).unwrap();
    }
    let mut from = [(); 2].map(|()| client.recv_from(&mut [0; 16]).unwrap().1.ip().to_string());
    from.sort();
    assert_eq!(from, ["127.0.0.1", "127.0.0.2"]);
}

#[test]
fn an_answer_leaves_from_the_ipv6_address_that_was_asked() {
    let there = machine(&[
        "ip link set lo up",
        "ip -6 addr add fd00::1/64 dev lo nodad",
        "ip -6 addr add fd00::2/64 dev lo nodad",
    ]);
    if !there {
        return;
    }
    let house = serve("datagram-faults").start_at("udp://*:0");
    check_answers_from(&house, &["127.0.0.2", "::1", "fd00::1", "fd00::2"]);
    let house = serve("datagram-faults").start_at("udp://[::]:0");
    check_answers_from(&house, &["::1", "fd00::1", "fd00::2"]);
}

/// `[::]` leaves IPv4 alone, so that another may have it.
#[test]
fn a_listener_of_ipv6_alone() {
    let house = serve("datagram-faults").start_at("udp://[::]:0");
    let port = house.address.port();
    check_answers_from(&house, &["::1"]);
    let _other = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
    let house = serve("handler-faults").start_at("tcp://[::]:0");
    let port = house.address.port();
    let visitor = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    assert_eq!(Visitor::over(visitor, "state").answer().unwrap(), "1\n");
    let _other = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
    let both = serve("handler-faults").start_at("tcp://*:0");
    for loopback in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        let visitor = TcpStream::connect((loopback, both.address.port())).unwrap();
        assert_eq!(Visitor::over(visitor, "state").answer().unwrap(), "1\n");
    }
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
    let plan = serve("datagram-faults").bounds(|bounds| {
        bounds.connections = 1;
        bounds.answers = 1000;
    });
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
