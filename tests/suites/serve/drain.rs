//! The end of a server: those who have come are served, for as long as there is
//! time.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use portcullis::{ListenError, SocketAddress};
use portcullis_tests::PATIENCE;

use super::house::serve;

#[test]
fn those_who_are_served_are_waited_for() {
    let house = serve("handler-faults").start();
    let visitors: Vec<_> = (0..5).map(|_| house.visit("sleep 700")).collect();
    house.wait_for_connections(5);
    assert_eq!(house.drain(PATIENCE), 0);
    assert_eq!(house.server.connections(), 0);
    for visitor in visitors {
        house.expect("finished");
        assert_eq!(visitor.answer().unwrap(), "slept\n");
    }
    assert!(TcpStream::connect(house.address).is_err());
}

#[test]
fn those_who_take_longer_are_dropped() {
    let house = serve("handler-faults").start();
    let visitors = ["hang", "echo", "loop"].map(|order| house.visit(order));
    house.wait_for_connections(3);
    let began = Instant::now();
    assert_eq!(house.drain(Duration::from_millis(300)), 3);
    assert!(began.elapsed() < Duration::from_secs(20));
    for visitor in visitors {
        house.expect("dropped");
        visitor.wait_for_end();
    }
    house.expect_nothing();
}

#[test]
fn those_who_wait_in_the_queue_are_served() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.connections = 1)
        .start();
    let first = house.visit("sleep 500");
    house.wait_for_connections(1);
    let others: Vec<_> = (0..20).map(|_| house.visit("state")).collect();
    assert_eq!(house.drain(PATIENCE), 0);
    assert_eq!(first.answer().unwrap(), "slept\n");
    for visitor in others {
        assert_eq!(visitor.answer().unwrap(), "1\n");
    }
}

/// What keeps 127.0.0.2 out.
const DENY: &str = "deny = [
    'listen tcp://127.0.0.1:* from 127.0.0.2',
    'listen udp://127.0.0.1:* from 127.0.0.2',
]";

#[test]
fn those_who_wait_behind_a_crowd_that_may_not_come_in_are_served() {
    let house = serve("handler-faults")
        .policy(DENY)
        .bounds(|bounds| bounds.connections = 1)
        .start();
    let first = house.visit("sleep 500");
    house.wait_for_connections(1);
    let crowd: Vec<_> = (0..100)
        .map(|_| house.visit_from([127, 0, 0, 2], ""))
        .collect();
    let others: Vec<_> = (0..3).map(|_| house.visit("state")).collect();
    assert_eq!(house.drain(PATIENCE), 0);
    assert_eq!(first.answer().unwrap(), "slept\n");
    for visitor in others {
        assert_eq!(visitor.answer().unwrap(), "1\n");
    }
    drop(crowd);
}

#[test]
fn datagrams_behind_a_crowd_that_may_not_come_in_are_answered() {
    let house = serve("datagram-faults")
        .policy(DENY)
        .bounds(|bounds| bounds.connections = 1)
        .start_at("udp://127.0.0.1:0");
    let at = |address: &str| {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(house.address).unwrap();
        socket
    };
    let (guest, stranger) = (at("127.0.0.1"), at("127.0.0.2"));
    guest.send(b"sleep 500").unwrap();
    house.wait_for_connections(1);
    for _ in 0..100 {
        stranger.send(b"state").unwrap();
    }
    guest.send(b"state").unwrap();
    assert_eq!(house.drain(PATIENCE), 0);
    for expected in ["slept", "1"] {
        let mut answer = [0; 10];
        let length = guest.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], expected.as_bytes());
    }
}

#[test]
fn those_who_wait_until_the_end_are_on_record() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.connections = 1)
        .start();
    let first = house.visit("hang");
    house.wait_for_connections(1);
    let others: Vec<_> = (0..3).map(|_| house.visit("state")).collect();
    assert_eq!(house.drain(Duration::from_millis(300)), 4);
    for visitor in others.into_iter().chain([first]) {
        house.expect("dropped");
        visitor.wait_for_end();
    }
    house.expect_nothing();
}

#[test]
fn many_who_end_it_and_replace_it_at_once_do_not_wait_for_each_other() {
    let house = serve("handler-faults").start();
    let visitor = house.visit("sleep 300");
    house.wait_for_connections(1);
    house.runtime().block_on(async {
        let mut all = tokio::task::JoinSet::new();
        for number in 0..40 {
            let server = house.server.clone();
            let service = house.service("handler-faults", "");
            all.spawn(async move {
                match number % 4 {
                    0 => drop(server.drain(Duration::from_secs(20)).await),
                    1 => drop(
                        tokio::time::timeout(
                            Duration::from_millis(number),
                            server.drain(Duration::from_secs(20)),
                        )
                        .await,
                    ),
                    _ => server.replace(service, number % 2 == 0).await.unwrap(),
                }
            });
        }
        let ended = tokio::time::timeout(PATIENCE, all.join_all()).await;
        assert!(ended.is_ok(), "they wait for each other");
    });
    assert_eq!(visitor.answer().unwrap(), "slept\n");
    assert!(TcpStream::connect(house.address).is_err());
}

#[test]
fn one_server_serves_tcp_udp_and_unix_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("time.sock");
    let house = serve("time-handler").start();
    house.listen(&format!("unix:{}", path.display())).unwrap();
    let SocketAddress::Inet(udp) = house.listen("udp://127.0.0.1:0").unwrap() else {
        panic!("no internet address");
    };
    let mut times = vec![
        read(TcpStream::connect(house.address).unwrap()),
        read(UnixStream::connect(&path).unwrap()),
    ];
    house.expect("finished");
    house.expect("finished");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(b"?", udp).unwrap();
    let mut time = [0; 5];
    assert_eq!(socket.recv(&mut time).unwrap(), 4);
    times.push(time[..4].to_vec());
    house.expect("finished");
    assert!(
        times
            .iter()
            .all(|time| time.len() == 4 && time[..2] == times[0][..2]),
        "{times:?}"
    );
    assert_eq!(house.drain(PATIENCE), 0);
    assert!(TcpStream::connect(house.address).is_err());
    assert!(UnixStream::connect(&path).is_err());
}

fn read(mut stream: impl Read + Write) -> Vec<u8> {
    let mut data = Vec::new();
    stream.read_to_end(&mut data).unwrap();
    data
}

#[test]
fn a_handler_listens_where_it_has_something_to_serve_with() {
    let house = serve("handler-faults").start();
    let error = house.listen("udp://127.0.0.1:0").unwrap_err();
    assert!(
        matches!(error, ListenError::NoDatagramHandler(_)),
        "{error}"
    );
    for wrong in [
        "connect tcp://127.0.0.1:1",
        "tcp://127.0.0.1:1-5",
        "nothing",
    ] {
        let error = house.listen(wrong).unwrap_err();
        assert!(matches!(error, ListenError::Open(_)), "{wrong}: {error}");
    }
    assert_eq!(house.ask("state"), "1\n");
}

/// A runtime that is shut down ends those whom it serves, also those whom it is
/// about to.
#[test]
fn a_runtime_that_is_shut_down_under_load_ends() {
    for _ in 0..20 {
        let mut house = serve("handler-faults").start();
        let address = house.address;
        let visitors: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(move || {
                    // Until nobody listens any more.
                    while TcpStream::connect(address).is_ok() {}
                })
            })
            .collect();
        house.told();
        let runtime = house.runtime.take().unwrap();
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            done.send(()).unwrap();
        });
        assert!(
            is_done.recv_timeout(PATIENCE).is_ok(),
            "it waits for itself"
        );
        drop(house);
        visitors
            .into_iter()
            .for_each(|visitor| visitor.join().unwrap());
    }
}
