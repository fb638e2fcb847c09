//! What a guest may use is counted, refused where it is too much, and given back
//! with what it was counted for.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::pin::pin;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_net::{
    Answer, Audit, Endpoint, Error, ErrorCode, Event, Families, Family, Limited, Network, Pending,
    Poller, Ready, ReceiveOptions, ResolveHints, Resolver, ReverseOptions, SendOptions, Service,
    Socket, SocketAddress, SocketType, UnixAddress,
};
use portcullis_policy::{Limits, Lookup, Name, Permit, Policy, Reverse};
use rustix::process::{Resource, Rlimit, setrlimit};

const PATIENCE: Duration = Duration::from_secs(20);

fn network(limit: impl FnOnce(&mut Limits)) -> Network {
    let mut limits = Limits::default();
    limit(&mut limits);
    let policy = Policy::builder()
        .allow("connect tcp://127.0.0.1:*")
        .allow("connect udp://127.0.0.1:*")
        .allow("listen tcp://127.0.0.1:*")
        .allow("listen udp://127.0.0.1:*")
        .allow("listen unix:@*")
        .allow("connect unix:@*")
        .allow("listen unixgram:@*")
        .allow("connect unixgram:@*")
        .allow("resolve *")
        .limits(limits);
    Network::new(policy.build().unwrap())
}

fn stream(network: &Network) -> Result<Socket, Error> {
    network.open(Family::Inet, SocketType::Stream, 0)
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address))
}

fn anywhere() -> Endpoint {
    at(([127, 0, 0, 1], 0).into())
}

fn local(socket: &Socket) -> SocketAddr {
    match socket.local_address().unwrap() {
        SocketAddress::Inet(address) => address,
        SocketAddress::Unix(other) => panic!("{other:?}"),
    }
}

async fn listening(network: &Network) -> Socket {
    let listener = stream(network).unwrap();
    listener.bind(&anywhere()).await.unwrap();
    listener.listen(None).unwrap();
    listener
}

async fn connected(network: &Network) -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = stream(network).unwrap();
    let address = listener.local_addr().unwrap();
    socket.connect(&at(address)).await.unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (socket, peer)
}

/// A port at which nobody listens.
fn nobody() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    at(listener.local_addr().unwrap())
}

fn code<T>(result: Result<T, Error>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

#[track_caller]
fn assert_limited<T>(result: Result<T, Error>, message: &str) {
    let error = result.err().expect("a limit is reached");
    assert_eq!(error.code(), ErrorCode::LimitExceeded, "{error}");
    assert_eq!(error.message(), message);
}

/// How many sockets there may be beside those that there are.
fn room(network: &Network) -> usize {
    let mut sockets = Vec::new();
    while let Ok(socket) = stream(network) {
        sockets.push(socket);
    }
    sockets.len()
}

/// Whether the host has hung up, whichever way.
fn is_over(peer: &mut TcpStream) -> bool {
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    match peer.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test]
async fn sockets_are_counted_from_open_to_drop() {
    let network = network(|limits| limits.sockets = Some(3));
    let first = stream(&network).unwrap();
    let narrowed = network.attenuate(&["connect tcp://127.0.0.1:80"]).unwrap();
    let _second = stream(&narrowed).unwrap();
    // One is left, and a pair takes two.
    let pair = |kind| network.pair(Family::Unix, kind, 0);
    assert_limited(pair(SocketType::Stream), "limit reached: sockets = 3");
    assert_eq!(room(&network), 1);
    let twin = first.duplicate();
    drop(first);
    assert_eq!(room(&network), 1, "a twin is the same socket");
    drop(twin);
    let pair = pair(SocketType::Datagram).unwrap();
    assert_limited(stream(&narrowed), "limit reached: sockets = 3");
    drop(pair.0);
    assert_eq!(room(&narrowed), 1);
    // What the OS does not open counts for nothing.
    let raw = network.open(Family::Inet, SocketType::Raw, 0);
    assert_eq!(code(raw), Some(ErrorCode::PermissionRequired));
    assert_eq!(room(&network), 1);
    assert_eq!(room(&network.clone().for_another_guest()), 3);
}

#[tokio::test]
async fn there_are_no_more_pollers_than_sockets() {
    let network = network(|limits| limits.sockets = Some(2));
    let pollers = [(); 2].map(|()| Poller::new(&network).unwrap());
    assert_limited(Poller::new(&network), "limit reached: sockets = 2");
    assert_eq!(room(&network), 2);
    drop(pollers);
    assert!(Poller::new(&network).is_ok());
}

#[tokio::test]
async fn a_crowd_is_turned_away_and_the_guest_goes_on() {
    for network in [
        network(|limits| limits.connections = Some(2)),
        network(|limits| limits.sockets = Some(3)),
    ] {
        let mut listener = listening(&network).await;
        let mut visitors = [(); 5].map(|()| TcpStream::connect(local(&listener)).unwrap());
        let (first, _) = listener.accept().await.unwrap();
        let _second = listener.accept().await.unwrap();
        listener.set_timeout(Some(Duration::from_millis(50)));
        assert_eq!(code(listener.accept().await), Some(ErrorCode::TimedOut));
        for visitor in &mut visitors[2..] {
            assert!(is_over(visitor), "the others are reset");
        }
        let mut late = TcpStream::connect(local(&listener)).unwrap();
        let ready = listener.ready(Ready::READABLE);
        let ready = tokio::time::timeout(Duration::from_millis(50), ready).await;
        assert!(ready.is_err(), "one who is turned away makes nobody ready");
        assert!(is_over(&mut late));
        drop(first);
        assert!(is_over(&mut visitors[0]));
        let _visitor = TcpStream::connect(local(&listener)).unwrap();
        listener.set_timeout(Some(PATIENCE));
        assert!(listener.accept().await.is_ok());
    }
}

#[tokio::test]
async fn an_arrival_that_is_never_taken_gives_its_room_back() {
    let network = network(|limits| {
        limits.sockets = Some(3);
        limits.connections = Some(1);
    });
    let listener = listening(&network).await;
    let _visitor = TcpStream::connect(local(&listener)).unwrap();
    listener.ready(Ready::READABLE).await;
    assert_eq!(room(&network), 1, "one arrived and one listens");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = at(other.local_addr().unwrap());
    let socket = stream(&network).unwrap();
    let message = "limit reached: connections = 1";
    assert_limited(socket.connect(&other).await, message);
    drop(listener);
    assert!(socket.connect(&other).await.is_ok());
    assert_eq!(room(&network), 2);

    // The same where the listener is shut down instead.
    drop(socket);
    let listener = listening(&network).await;
    let _visitor = TcpStream::connect(local(&listener)).unwrap();
    listener.ready(Ready::READABLE).await;
    listener.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(room(&network), 2);
}

#[tokio::test]
async fn connections_are_counted_from_connect_to_drop() {
    let network = network(|limits| limits.connections = Some(2));
    let message = "limit reached: connections = 2";
    let (first, _peer) = connected(&network).await;
    let (_second, _peer) = connected(&network).await;
    let third = stream(&network).unwrap();
    assert_limited(third.connect(&nobody()).await, message);
    // A datagram socket has no connection.
    let datagrams = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    datagrams.connect(&nobody()).await.unwrap();
    drop(first);
    // A connect that fails counts for nothing, however often.
    for _ in 0..3 {
        let failed = third.connect(&nobody()).await;
        assert_eq!(code(failed), Some(ErrorCode::ConnectionRefused));
    }
    let (_fourth, _peer) = connected(&network).await;
    assert_limited(third.connect(&nobody()).await, message);
    // Nor does a request that is denied reach the limit.
    let denied = third.connect(&at(([127, 0, 0, 2], 80).into())).await;
    assert_eq!(code(denied), Some(ErrorCode::AccessDenied));
}

#[tokio::test]
async fn a_connect_that_is_given_up_counts_until_its_socket_is_dropped() {
    let network = network(|limits| limits.connections = Some(1));
    // The queue is full, so that the next waits.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    full.bind(&address.into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _filler = TcpStream::connect(address).unwrap();

    for timeout in [None, Some(Duration::from_millis(20)), Some(Duration::ZERO)] {
        let mut socket = stream(&network).unwrap();
        socket.set_timeout(timeout);
        {
            let endpoint = at(address);
            let connect = socket.connect(&endpoint);
            let connect = tokio::time::timeout(Duration::from_millis(60), connect).await;
            assert!(!matches!(connect, Ok(Ok(()))));
        }
        let other = stream(&network).unwrap();
        assert_limited(
            other.connect(&nobody()).await,
            "limit reached: connections = 1",
        );
        drop(socket);
        let failed = other.connect(&nobody()).await;
        assert_eq!(code(failed), Some(ErrorCode::ConnectionRefused));
    }
}

#[tokio::test]
async fn connections_begin_no_faster_than_the_limit() {
    let network = network(|limits| limits.connections_per_second = Some(4));
    let nobody = nobody();
    let socket = stream(&network).unwrap();
    let message = "limit reached: connections-per-second = 4";
    let begin = Instant::now();
    let mut made = 0;
    let mut refused = 0;
    while begin.elapsed() < Duration::from_millis(1500) {
        match socket.connect(&nobody).await.unwrap_err() {
            error if error.code() == ErrorCode::ConnectionRefused => made += 1,
            error => {
                assert_limited(Err::<(), _>(error), message);
                refused += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Four at once, and one each quarter of a second.
    assert!((7..=10).contains(&made), "{made}");
    assert!(refused > 10);
}

#[tokio::test]
async fn a_flood_of_visitors_is_thinned() {
    let network = network(|limits| limits.connections_per_second = Some(3));
    let mut listener = listening(&network).await;
    let mut visitors: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(local(&listener)).unwrap())
        .collect();
    listener.set_timeout(Some(Duration::from_millis(20)));
    let mut accepted = Vec::new();
    while let Ok((connection, _)) = listener.accept().await {
        accepted.push(connection);
    }
    assert!((3..=4).contains(&accepted.len()), "{}", accepted.len());
    assert!(is_over(visitors.last_mut().unwrap()));
}

/// Says how often it was asked.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl Resolver for Counting {
    fn look_up(&self, _: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            Ok(Answer {
                addresses: vec![[127, 0, 0, 1].into()],
                chain: Vec::new(),
                valid_until: None,
            })
        })
    }

    fn reverse(&self, _: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Err(ErrorCode::NameNotFound.into()) })
    }
}

#[tokio::test]
async fn lookups_that_ask_somebody_are_counted() {
    let mut limits = Limits::default();
    limits.lookups_per_minute = Some(3);
    let policy = Policy::builder()
        .allow("resolve *")
        .allow("connect tcp://c.example:80 in loopback")
        .file(
            "policy.toml",
            "version = 1\n[hosts]\n\"known.example\" = [\"127.0.0.1\"]\n",
        )
        .limits(limits);
    let asked = Counting::default();
    let network = Network::new(policy.build().unwrap()).with_resolver(asked.clone());
    let hints = ResolveHints::default();
    let address = SocketAddress::Inet(([192, 0, 2, 1], 80).into());
    let reverse = || network.reverse(&address, ReverseOptions::default());
    assert!(
        network
            .resolve(Some("a.example"), None, hints)
            .await
            .is_ok()
    );
    assert!(reverse().await.is_ok());
    let by_name = Endpoint::Name {
        host: "c.example".into(),
        port: Service::Port(80),
    };
    let socket = stream(&network).unwrap();
    let connected = socket.connect(&by_name).await;
    assert_ne!(code(connected), Some(ErrorCode::LimitExceeded));
    assert_eq!(asked.0.load(Ordering::Relaxed), 3);
    let message = "limit reached: lookups-per-minute = 3";
    let resolved = network.resolve(Some("a.example"), None, hints).await;
    assert_limited(resolved, message);
    assert_limited(reverse().await, message);
    assert_limited(socket.connect(&by_name).await, message);
    assert_eq!(asked.0.load(Ordering::Relaxed), 3);
    for known in ["known.example", "localhost", "127.0.0.1"] {
        assert!(network.resolve(Some(known), None, hints).await.is_ok());
    }
}

/// Never answers.
struct Silence;

impl Resolver for Silence {
    fn look_up(&self, _: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        Box::pin(std::future::pending())
    }

    fn reverse(&self, _: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_lookup_that_nobody_answers_ends() {
    let network = network(|_| ()).with_resolver(Silence);
    let address = SocketAddress::Inet(([192, 0, 2, 1], 80).into());
    let (forth, back) = tokio::join!(
        network.resolve(Some("a.example"), None, ResolveHints::default()),
        network.reverse(&address, ReverseOptions::default()),
    );
    assert_eq!(code(forth), Some(ErrorCode::NameTemporaryFailure));
    assert_eq!(code(back), Some(ErrorCode::NameTemporaryFailure));
}

#[tokio::test]
async fn bytes_are_sent_up_to_the_limit() {
    let network = network(|limits| limits.bytes_sent = Some(10));
    let message = "limit reached: bytes-sent = 10";
    let (first, mut peer) = connected(&network).await;
    let (second, _other) = connected(&network).await;
    let options = SendOptions::default();
    assert_eq!(first.send(b"123456", options).await.unwrap(), 6);
    assert_eq!(second.send(b"7890", options).await.unwrap(), 4);
    assert_limited(first.send(b"a", options).await, message);
    assert_limited(second.send_all(b"a").await, message);
    assert_eq!(first.send(b"", options).await.unwrap(), 0);
    let mut received = [0; 6];
    peer.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"123456");
}

#[tokio::test]
async fn what_goes_over_the_limit_is_sent_in_part() {
    let network = network(|limits| limits.bytes_sent = Some(10));
    let (socket, mut peer) = connected(&network).await;
    let sent = socket.send(b"0123456789abc", SendOptions::default()).await;
    assert_eq!(sent.unwrap(), 10);
    drop(socket);
    let mut received = Vec::new();
    peer.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"0123456789");
    // What a failed send does not send does not count.
    let network = network_with_sent(3);
    let (socket, _peer) = connected(&network).await;
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let failed = socket.send(b"123", SendOptions::default()).await;
    assert_eq!(code(failed), Some(ErrorCode::BrokenPipe));
    let (socket, _peer) = connected(&network).await;
    assert_eq!(
        socket.send(b"123", SendOptions::default()).await.unwrap(),
        3
    );
}

fn network_with_sent(bytes: u64) -> Network {
    network(|limits| limits.bytes_sent = Some(bytes))
}

#[tokio::test]
async fn datagrams_are_sent_whole_or_not_at_all() {
    let network = network_with_sent(10);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    let to = at(peer.local_addr().unwrap());
    let options = SendOptions::default();
    let message = "limit reached: bytes-sent = 10";
    assert_eq!(socket.send_to(b"1234", options, &to).await.unwrap(), 4);
    assert_limited(socket.send_to(b"7 bytes", options, &to).await, message);
    // Three of four bytes fit once, of which one batch takes as many as fit.
    let batch = [(&b"567"[..], Some(&to)); 4];
    assert_eq!(socket.send_datagrams(&batch, options).await.unwrap(), 2);
    assert_limited(socket.send_datagrams(&batch, options).await, message);
    let lengths = [(); 3].map(|()| peer.recv(&mut [0; 16]).unwrap());
    assert_eq!(lengths, [4, 3, 3]);
    peer.set_nonblocking(true).unwrap();
    assert!(peer.recv(&mut [0; 16]).is_err());

    let (one, other) = network
        .pair(Family::Unix, SocketType::Seqpacket, 0)
        .unwrap();
    assert_limited(one.send(b"1", options).await, message);
    drop(other);
}

#[tokio::test]
async fn bytes_are_received_up_to_the_limit() {
    let network = network(|limits| limits.bytes_received = Some(10));
    let message = "limit reached: bytes-received = 10";
    let options = ReceiveOptions::default();
    let peek = ReceiveOptions {
        peek: true,
        ..options
    };
    let all = ReceiveOptions {
        wait_all: true,
        ..options
    };
    let (socket, mut peer) = connected(&network).await;
    peer.write_all(b"0123456789abcdef").unwrap();
    socket.ready(Ready::READABLE).await;
    let seen = socket.receive(100, peek).await.unwrap();
    assert_eq!(seen, b"0123456789", "no more is seen than may be had");
    assert_eq!(socket.receive(4, options).await.unwrap(), b"0123");
    let both = ReceiveOptions {
        wait_all: true,
        ..peek
    };
    assert_eq!(socket.receive(100, both).await.unwrap(), b"456789");
    assert_eq!(socket.receive(100, all).await.unwrap(), b"456789");
    assert_limited(socket.receive(1, options).await, message);
    assert_limited(socket.receive(1, peek).await, message);
    assert_limited(socket.receive(1, all).await, message);
}

#[tokio::test]
async fn datagrams_are_received_up_to_the_limit() {
    let network = network(|limits| limits.bytes_received = Some(10));
    let message = "limit reached: bytes-received = 10";
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    socket.bind(&anywhere()).await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(local(&socket)).unwrap();
    let options = ReceiveOptions::default();
    for data in ["0123", "456", "seven b", "789"] {
        peer.send(data.as_bytes()).unwrap();
    }
    assert_eq!(socket.receive(100, options).await.unwrap(), b"0123");
    assert_eq!(socket.receive(100, options).await.unwrap(), b"456");
    assert_limited(socket.receive(100, options).await, message);
    let batch = socket.receive_datagrams(4, 100, options).await.unwrap();
    assert_eq!(batch.len(), 1);
    assert_eq!(batch[0].data, b"789");
    assert_limited(socket.receive_datagrams(4, 100, options).await, message);
}

#[tokio::test]
async fn a_datagram_that_was_peeked_at_counts_in_full_however_it_is_taken() {
    let network = network(|limits| limits.bytes_received = Some(10));
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    socket.bind(&anywhere()).await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(local(&socket)).unwrap();
    let (options, peek) = (ReceiveOptions::default(), peek());
    for data in ["01234567", "89"] {
        peer.send(data.as_bytes()).unwrap();
        assert_eq!(socket.receive(100, peek).await.unwrap(), data.as_bytes());
        assert_eq!(socket.receive(0, options).await.unwrap(), b"");
    }
    let message = "limit reached: bytes-received = 10";
    assert_limited(socket.receive(0, options).await, message);
}

fn peek() -> ReceiveOptions {
    ReceiveOptions {
        peek: true,
        ..ReceiveOptions::default()
    }
}

const RATE: u64 = 400_000;

fn narrow() -> Network {
    network(|limits| limits.bandwidth = Some(RATE))
}

/// A second's worth takes a second, give or take a quarter.
#[track_caller]
fn assert_paced(bytes: usize, took: Duration) {
    let expected = bytes as f64 / RATE as f64;
    let ratio = took.as_secs_f64() / expected;
    assert!((0.75..1.25).contains(&ratio), "{ratio} of {expected} s");
}

#[tokio::test]
async fn bandwidth_delays_what_is_sent() {
    const BYTES: usize = 800_000;
    let network = narrow();
    let (socket, mut peer) = connected(&network).await;
    let reader = thread::spawn(move || {
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        received.len()
    });
    let begin = Instant::now();
    socket.send_all(&vec![1; BYTES]).await.unwrap();
    assert_paced(BYTES, begin.elapsed());
    drop(socket);
    assert_eq!(reader.join().unwrap(), BYTES);
}

#[tokio::test]
async fn bandwidth_delays_what_is_received_by_all_sockets_together() {
    const BYTES: usize = 400_000;
    let network = narrow();
    let begin = Instant::now();
    let mut guests = Vec::new();
    for _ in 0..2 {
        let (socket, mut peer) = connected(&network).await;
        thread::spawn(move || peer.write_all(&vec![1; BYTES]).unwrap());
        guests.push(tokio::spawn(async move {
            let mut received = 0;
            while received < BYTES {
                let data = socket.receive(BYTES, ReceiveOptions::default()).await;
                received += data.unwrap().len();
            }
        }));
    }
    for guest in guests {
        guest.await.unwrap();
    }
    assert_paced(2 * BYTES, begin.elapsed());
}

#[tokio::test]
async fn bandwidth_delays_datagrams() {
    const LENGTH: usize = 10_000;
    let network = narrow();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    let to = at(peer.local_addr().unwrap());
    let data = vec![1; LENGTH];
    let begin = Instant::now();
    let mut sent = 0;
    while sent < 40 {
        sent += match sent % 2 {
            0 => {
                let batch = vec![(&data[..], Some(&to)); 40 - sent];
                socket.send_datagrams(&batch, SendOptions::default()).await
            }
            _ => (socket.send_to(&data, SendOptions::default(), &to).await).map(|_| 1),
        }
        .unwrap();
    }
    assert_paced(sent * LENGTH, begin.elapsed());
}

/// Sends or receives until there is no bandwidth left.
async fn use_up(socket: &Socket) {
    let options = SendOptions {
        dont_wait: true,
        ..SendOptions::default()
    };
    let data = [1; 100_000];
    loop {
        match socket.send(&data, options).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::WouldBlock);
                return;
            }
        }
    }
}

#[tokio::test]
async fn who_has_no_bandwidth_is_not_ready_and_does_not_block() {
    // Slow enough that what is used up stays so.
    let network = network(|limits| limits.bandwidth = Some(20_000));
    let (mut socket, mut peer) = connected(&network).await;
    let poller = Poller::new(&network).unwrap();
    poller.add(&socket, 1, Ready::WRITABLE).unwrap();
    let listener = listening(&network).await;
    poller.add(&listener, 2, Ready::READABLE).unwrap();
    use_up(&socket).await;
    let now = poller.wait(Some(Duration::ZERO), 8).await.unwrap();
    assert_eq!(now, []);
    let waiting = tokio::time::timeout(Duration::from_millis(30), socket.ready(Ready::WRITABLE));
    assert!(waiting.await.is_err());
    socket.set_timeout(Some(Duration::from_millis(20)));
    let send = |data| socket.send(data, SendOptions::default());
    assert_eq!(code(send(b"1").await), Some(ErrorCode::TimedOut));
    // Others are told in the meantime.
    let address = local(&listener);
    let visitor = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        TcpStream::connect(address).unwrap()
    });
    let begin = Instant::now();
    let events = poller.wait(Some(PATIENCE), 8).await.unwrap();
    assert_eq!(
        events.iter().map(|event| event.token).collect::<Vec<_>>(),
        [2]
    );
    assert!(begin.elapsed() < Duration::from_millis(500));
    drop(visitor.join().unwrap());
    listener.accept().await.unwrap();
    // The other direction is its own.
    peer.write_all(b"hello").unwrap();
    socket.ready(Ready::READABLE).await;
    let data = socket.receive(16, ReceiveOptions::default()).await;
    assert_eq!(data.unwrap(), b"hello");
    // In the end it is ready, and then an operation does not wait.
    let events = poller.wait(Some(PATIENCE), 8).await.unwrap();
    assert_eq!(events[0].token, 1);
    socket.set_timeout(Some(Duration::ZERO));
    assert!(socket.send(b"1", SendOptions::default()).await.is_ok());
}

#[tokio::test]
async fn a_wait_for_bandwidth_does_not_keep_the_thread_busy() {
    let network = network(|limits| limits.bandwidth = Some(100));
    let (socket, _peer) = connected(&network).await;
    let poller = Poller::new(&network).unwrap();
    poller.add(&socket, 1, Ready::WRITABLE).unwrap();
    use_up(&socket).await;
    let mut wait = pin!(poller.wait(Some(Duration::from_millis(100)), 8));
    let mut polls = 0;
    let events = poll_fn(|cx| {
        polls += 1;
        wait.as_mut().poll(cx)
    });
    let events: Vec<_> = events.await.unwrap();
    assert!(events.len() <= 1);
    assert!(polls < 40, "{polls} polls in a tenth of a second");
}

#[tokio::test]
async fn an_idle_connection_is_ended() {
    let network = network(|limits| {
        limits.idle_timeout = Some(Duration::from_millis(600));
        limits.connections = Some(1);
    });
    let message = "limit reached: idle-timeout = 600ms";
    let (socket, mut peer) = connected(&network).await;
    let poller = Poller::new(&network).unwrap();
    poller.add(&socket, 1, Ready::READABLE).unwrap();
    // What moves keeps it alive.
    let begin = Instant::now();
    for turn in 0..6 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        if turn % 2 == 0 {
            socket.send_all(b"a").await.unwrap();
        } else {
            peer.write_all(b"b").unwrap();
            socket.receive(1, ReceiveOptions::default()).await.unwrap();
        }
    }
    assert!(begin.elapsed() > Duration::from_millis(800));
    let receive = socket.receive(1, ReceiveOptions::default());
    let (received, events) = tokio::join!(receive, poller.wait(Some(PATIENCE), 8));
    assert_limited(received, message);
    assert_eq!(events.unwrap().len(), 1);
    assert_limited(socket.send_all(b"a").await, message);
    assert_limited(socket.connect(&nobody()).await, message);
    peer.read_exact(&mut [0; 3]).unwrap();
    assert!(is_over(&mut peer));
    // It counts no more, though its socket is open.
    let _next = connected(&network).await;
}

#[tokio::test]
async fn an_accepted_connection_does_not_last_for_ever() {
    let network = network(|limits| limits.connection_timeout = Some(Duration::from_millis(150)));
    let message = "limit reached: connection-timeout = 150ms";
    let listener = listening(&network).await;
    let mut visitor = TcpStream::connect(local(&listener)).unwrap();
    let (connection, _) = listener.accept().await.unwrap();
    let begin = Instant::now();
    let ended = loop {
        match connection.send(b"a", SendOptions::default()).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => break error,
        }
    };
    assert!(begin.elapsed() >= Duration::from_millis(140));
    assert_limited(Err::<(), _>(ended), message);
    let mut received = Vec::new();
    visitor.read_to_end(&mut received).unwrap();
    assert!(!received.is_empty());
    // Neither the listener nor a pair is a connection.
    let (one, other) = network.pair(Family::Unix, SocketType::Stream, 0).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    one.send_all(b"a").await.unwrap();
    let received = other.receive(1, ReceiveOptions::default()).await;
    assert_eq!(received.unwrap(), b"a");
    let _visitor = TcpStream::connect(local(&listener)).unwrap();
    assert!(listener.accept().await.is_ok());
}

#[tokio::test]
async fn a_connect_that_takes_too_long_is_ended() {
    let network = network(|limits| limits.connection_timeout = Some(Duration::from_millis(100)));
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    full.bind(&address.into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _filler = TcpStream::connect(address).unwrap();
    let socket = stream(&network).unwrap();
    let connect = socket.connect(&at(address)).await;
    assert_limited(connect, "limit reached: connection-timeout = 100ms");
}

#[tokio::test]
async fn listen_is_content_with_the_backlog_of_the_policy() {
    let network = network(|limits| limits.backlog = Some(2));
    let name = format!("portcullis-limits-{}", std::process::id());
    let listener = network.open(Family::Unix, SocketType::Stream, 0).unwrap();
    let address = UnixAddress::Abstract(name.clone().into_bytes());
    let address = Endpoint::Address(SocketAddress::Unix(address));
    listener.bind(&address).await.unwrap();
    for asked in [None, Some(1000)] {
        listener.listen(asked).unwrap();
        let mut visitors = Vec::new();
        loop {
            let mut visitor = network.open(Family::Unix, SocketType::Stream, 0).unwrap();
            visitor.set_timeout(Some(Duration::ZERO));
            match visitor.connect(&address).await {
                Ok(()) => visitors.push(visitor),
                Err(error) => break assert_eq!(error.code(), ErrorCode::WouldBlock),
            }
        }
        // Linux has one more wait than it is told.
        assert_eq!(visitors.len(), 3);
        for _ in visitors {
            listener.accept().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_used_is_given_back_whatever_happens() {
    let network = network(|limits| {
        limits.sockets = Some(12);
        limits.connections = Some(6);
        limits.idle_timeout = Some(Duration::from_secs(60));
    });
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let outside_at = at(outside.local_addr().unwrap());
    // A generator of numbers (xorshift), so that each run is the same.
    let mut state = 0x9e37_79b9_u32;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    let mut sockets: Vec<Socket> = Vec::new();
    let mut visitors = Vec::new();
    for _ in 0..1500 {
        match next(9) {
            0 => sockets.extend(stream(&network)),
            1 => {
                let pair = network.pair(Family::Unix, SocketType::Stream, 0);
                sockets.extend(pair.into_iter().flat_map(|(one, other)| [one, other]));
            }
            2 | 3 if !sockets.is_empty() => drop(sockets.swap_remove(next(sockets.len()))),
            4 if !sockets.is_empty() => {
                let mut socket = sockets[next(sockets.len())].duplicate();
                socket.set_timeout(Some(Duration::from_millis(next(3) as u64)));
                let _ = socket.connect(&outside_at).await;
            }
            5 if !sockets.is_empty() => {
                // Dropped before its time.
                let socket = sockets[next(sockets.len())].duplicate();
                let connect = socket.connect(&outside_at);
                let _ = tokio::time::timeout(Duration::ZERO, connect).await;
            }
            6 if !sockets.is_empty() => {
                let listener = &sockets[next(sockets.len())];
                let _ = listener.bind(&anywhere()).await;
                if listener.listen(None).is_ok() {
                    visitors.extend(TcpStream::connect(local(listener)));
                    let ready = listener.ready(Ready::READABLE);
                    let _ = tokio::time::timeout(Duration::from_millis(2), ready).await;
                }
            }
            7 if !sockets.is_empty() => {
                let mut listener = sockets[next(sockets.len())].duplicate();
                listener.set_timeout(Some(Duration::ZERO));
                sockets.extend(listener.accept().await.map(|(connection, _)| connection));
            }
            8 if !sockets.is_empty() => {
                let _ = sockets[next(sockets.len())].shutdown(std::net::Shutdown::Both);
            }
            _ => visitors.clear(),
        }
        outside.set_nonblocking(true).unwrap();
        while outside.accept().is_ok() {}
    }
    drop(sockets);
    assert_eq!(room(&network), 12);
    let mut connections = Vec::new();
    for _ in 0..6 {
        connections.push(connected(&network).await);
    }
    let seventh = stream(&network).unwrap().connect(&outside_at).await;
    assert_limited(seventh, "limit reached: connections = 6");
}

#[tokio::test]
async fn a_connect_that_waits_for_a_full_unix_listener_is_ended() {
    let network = network(|limits| limits.connection_timeout = Some(Duration::from_millis(100)));
    let name = format!("portcullis-full-{}", std::process::id());
    let address = UnixAddress::Abstract(name.into_bytes());
    let address = Endpoint::Address(SocketAddress::Unix(address));
    let open = || network.open(Family::Unix, SocketType::Stream, 0).unwrap();
    let listener = open();
    listener.bind(&address).await.unwrap();
    listener.listen(Some(0)).unwrap();
    let filler = open();
    filler.connect(&address).await.unwrap();
    let waiting = open();
    let connect = waiting.connect(&address).await;
    assert_limited(connect, "limit reached: connection-timeout = 100ms");
}

#[tokio::test]
async fn what_is_opened_for_a_guest_counts_as_well() {
    let network = network(|limits| {
        limits.sockets = Some(2);
        limits.bytes_sent = Some(3);
    });
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let grant = format!("connect tcp://{}", outside.local_addr().unwrap());
    let socket = network.preopen(&grant).await.unwrap();
    assert_eq!(room(&network), 1);
    socket.send_all(b"123").await.unwrap();
    assert_limited(socket.send_all(b"4").await, "limit reached: bytes-sent = 3");
}

#[tokio::test]
async fn where_there_is_no_bandwidth_nothing_moves() {
    let network = network(|limits| limits.bandwidth = Some(0));
    let (mut socket, mut peer) = connected(&network).await;
    peer.write_all(b"a").unwrap();
    socket.set_timeout(Some(Duration::from_millis(30)));
    let sent = socket.send(b"a", SendOptions::default()).await;
    assert_eq!(code(sent), Some(ErrorCode::TimedOut));
    let received = socket.receive(1, ReceiveOptions::default()).await;
    assert_eq!(code(received), Some(ErrorCode::TimedOut));
}

/// A limit, its value, and whether it was reached with a socket, and by a peer.
type Told = (String, u64, bool, bool);

/// Remembers the limits that were reached.
#[derive(Clone, Debug, Default)]
struct Reached(Arc<Mutex<Vec<Told>>>);

impl Audit for Reached {
    fn record(&self, event: Event<'_>) -> std::io::Result<()> {
        if let Event::Limited(limited) = event {
            let Limited {
                socket,
                peer,
                limit,
                value,
                ..
            } = limited;
            let reached = (limit.to_owned(), value, socket.is_some(), peer.is_some());
            self.0.lock().unwrap().push(reached);
        }
        Ok(())
    }
}

#[tokio::test]
async fn the_audit_hears_of_limits() {
    let reached = Reached::default();
    let network = network(|limits| {
        limits.sockets = Some(3);
        limits.bytes_sent = Some(10);
        limits.idle_timeout = Some(Duration::from_secs(1));
    })
    .with_audit(reached.clone());
    let listener = listening(&network).await;
    let (socket, _peer) = connected(&network).await;
    let pair = network.pair(Family::Unix, SocketType::Stream, 0);
    assert_limited(pair, "limit reached: sockets = 3");
    let third = stream(&network).unwrap();
    let mut visitor = TcpStream::connect(local(&listener)).unwrap();
    let ready = listener.ready(Ready::READABLE);
    let _ = tokio::time::timeout(Duration::from_millis(10), ready).await;
    assert!(is_over(&mut visitor));
    drop(third);
    socket.send_all(b"0123456789").await.unwrap();
    assert_eq!(
        code(socket.send_all(b"a").await),
        Some(ErrorCode::LimitExceeded)
    );
    let received = socket.receive(1, ReceiveOptions::default()).await;
    assert_eq!(code(received), Some(ErrorCode::LimitExceeded));
    // What fails because the host has ended it is told once.
    assert_eq!(
        code(socket.send_all(b"a").await),
        Some(ErrorCode::LimitExceeded)
    );
    let told =
        |limit: &str, value, of_socket, of_peer| (limit.to_owned(), value, of_socket, of_peer);
    let expected = [
        told("sockets", 3, false, false),
        told("sockets", 3, true, true),
        told("bytes-sent", 10, true, false),
        told("idle-timeout", 1000, true, false),
    ];
    assert_eq!(*reached.0.lock().unwrap(), expected);
}

/// In a process of its own, since the limit of descriptors is the process's.
#[tokio::test]
async fn the_host_keeps_descriptors_for_itself() {
    const CHILD: &str = "PORTCULLIS_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "the_host_keeps_descriptors_for_itself"]);
        let status = child.env(CHILD, "1").status().unwrap();
        return assert!(status.success());
    }
    let few = Some(256);
    let (current, maximum) = (few, few);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let reached = Reached::default();
    let network = network(|_| ()).with_audit(reached.clone());
    let mut listener = listening(&network).await;
    let poller = Poller::new(&network).unwrap();
    let mut sockets = Vec::new();
    let refused = loop {
        match stream(&network) {
            Ok(socket) => sockets.push(socket),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.code(), ErrorCode::ProcessDescriptorsExhausted);
    assert!(sockets.len() > 150);
    let exhausted = Some(ErrorCode::ProcessDescriptorsExhausted);
    let pair = network.pair(Family::Unix, SocketType::Stream, 0);
    assert_eq!(code(pair), exhausted);
    assert_eq!(code(Poller::new(&network)), exhausted);
    // The host's own go on, and who comes is sent away.
    let files: Vec<_> = (0..60)
        .map(|_| std::fs::File::open("/dev/null").unwrap())
        .collect();
    drop(files);
    let mut visitor = TcpStream::connect(local(&listener)).unwrap();
    listener.set_timeout(Some(Duration::from_millis(50)));
    assert_eq!(code(listener.accept().await), Some(ErrorCode::TimedOut));
    assert!(is_over(&mut visitor));
    let told = |of_peer| ("descriptors".to_owned(), 192, of_peer, of_peer);
    let expected = [told(false), told(false), told(false), told(true)];
    assert_eq!(*reached.0.lock().unwrap(), expected);
    drop(poller);
    sockets.truncate(100);
    let _visitor = TcpStream::connect(local(&listener)).unwrap();
    listener.set_timeout(Some(PATIENCE));
    assert!(listener.accept().await.is_ok());
    assert!(stream(&network).is_ok());
}

#[tokio::test]
async fn a_datagram_without_a_byte_counts() {
    let network = network_with_sent(3);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    let to = at(peer.local_addr().unwrap());
    let options = SendOptions::default();
    let message = "limit reached: bytes-sent = 3";
    assert_eq!(socket.send_to(b"", options, &to).await.unwrap(), 0);
    let batch = [(&b""[..], Some(&to)); 4];
    assert_eq!(socket.send_datagrams(&batch, options).await.unwrap(), 2);
    assert_limited(socket.send_to(b"", options, &to).await, message);
}

#[tokio::test]
async fn a_unix_datagram_without_a_byte_counts() {
    let network = network_with_sent(3);
    let name = format!("portcullis-without-a-byte-{}", std::process::id());
    let name = UnixAddress::Abstract(name.into_bytes());
    let to = Endpoint::Address(SocketAddress::Unix(name));
    let open = || network.open(Family::Unix, SocketType::Datagram, 0).unwrap();
    let peer = open();
    peer.bind(&to).await.unwrap();
    let socket = open();
    let options = SendOptions::default();
    for _ in 0..3 {
        assert_eq!(socket.send_to(b"", options, &to).await.unwrap(), 0);
    }
    let message = "limit reached: bytes-sent = 3";
    assert_limited(socket.send_to(b"", options, &to).await, message);
}
