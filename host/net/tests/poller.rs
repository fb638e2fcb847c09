//! The poller tells what is so, and nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_net::{
    Endpoint, ErrorCode, Family, Network, PollEvent, Poller, Ready, ReceiveOptions, Socket,
    SocketAddress, SocketType,
};
use portcullis_policy::Policy;

fn network(allow: &[&str]) -> Network {
    let policy = allow
        .iter()
        .fold(Policy::builder(), |policy, grant| policy.allow(grant));
    Network::new(policy.build().unwrap())
}

fn stream(network: &Network) -> Socket {
    network.open(Family::Inet, SocketType::Stream, 0).unwrap()
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address))
}

fn local(socket: &Socket) -> SocketAddr {
    match socket.local_address().unwrap() {
        SocketAddress::Inet(address) => address,
        SocketAddress::Unix(other) => panic!("{other:?}"),
    }
}

fn code<T>(result: Result<T, portcullis_net::Error>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

async fn now(poller: &Poller) -> Vec<PollEvent> {
    poller.wait(Some(Duration::ZERO), 16).await.unwrap()
}

async fn soon(poller: &Poller) -> Vec<PollEvent> {
    poller
        .wait(Some(Duration::from_secs(20)), 16)
        .await
        .unwrap()
}

async fn connected(network: &Network, listener: &TcpListener) -> (Socket, TcpStream) {
    let socket = stream(network);
    socket
        .connect(&at(listener.local_addr().unwrap()))
        .await
        .unwrap();
    (socket, listener.accept().unwrap().0)
}

#[tokio::test]
async fn it_is_level_triggered_and_true() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let network = network(&["connect tcp://127.0.0.1:*"]);
    let poller = Poller::new(&network).unwrap();
    let (socket, mut peer) = connected(&network, &listener).await;
    poller.add(&socket, 7, Ready::READABLE).unwrap();
    assert_eq!(
        code(poller.add(&socket, 8, Ready::READABLE)),
        Some(ErrorCode::Exists)
    );
    assert!(now(&poller).await.is_empty());
    peer.write_all(b"hello").unwrap();
    let readable = [PollEvent {
        token: 7,
        ready: Ready::READABLE,
    }];
    assert_eq!(soon(&poller).await, readable);
    assert_eq!(now(&poller).await, readable);
    socket.receive(16, ReceiveOptions::default()).await.unwrap();
    assert!(now(&poller).await.is_empty());

    let both = Ready::READABLE | Ready::WRITABLE;
    poller.modify(&socket, 9, both).unwrap();
    assert_eq!(
        now(&poller).await,
        [PollEvent {
            token: 9,
            ready: Ready::WRITABLE
        }]
    );
    poller.modify(&socket, 9, Ready::default()).unwrap();
    assert!(now(&poller).await.is_empty());
    poller.remove(&socket).unwrap();
    assert_eq!(code(poller.remove(&socket)), Some(ErrorCode::NotFound));
    assert_eq!(
        code(poller.modify(&socket, 1, both)),
        Some(ErrorCode::NotFound)
    );
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let poller = Poller::new(&network(&[])).unwrap();
    let begin = std::time::Instant::now();
    let events = poller
        .wait(Some(Duration::from_millis(60)), 1)
        .await
        .unwrap();
    assert!(events.is_empty());
    assert!(begin.elapsed() >= Duration::from_millis(60));
    assert_eq!(
        code(poller.wait(None, 0).await),
        Some(ErrorCode::InvalidArgument)
    );
}

#[tokio::test]
async fn a_closed_socket_leaves_by_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let network = network(&["connect tcp://127.0.0.1:*"]);
    let poller = Poller::new(&network).unwrap();
    for _ in 0..3 {
        let (socket, mut peer) = connected(&network, &listener).await;
        poller.add(&socket, 1, Ready::READABLE).unwrap();
        peer.write_all(b"hello").unwrap();
        assert_eq!(soon(&poller).await.len(), 1);
        drop(socket);
        assert!(now(&poller).await.is_empty());
    }
}

/// A peer who is not let in must not make a guest wait in `accept`.
#[tokio::test]
async fn a_listener_is_ready_for_those_who_may_come_in() {
    let network = network(&["listen tcp://127.0.0.1:0 from 127.0.0.1"]);
    let listener = stream(&network);
    listener
        .bind(&at(([127, 0, 0, 1], 0).into()))
        .await
        .unwrap();
    listener.listen(None).unwrap();
    let (one, other) = (
        Poller::new(&network).unwrap(),
        Poller::new(&network).unwrap(),
    );
    one.add(&listener, 1, Ready::READABLE).unwrap();
    other.add(&listener, 2, Ready::READABLE).unwrap();

    let outside = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let source: SocketAddr = ([127, 0, 0, 2], 0).into();
    outside.bind(&source.into()).unwrap();
    outside.connect(&local(&listener).into()).unwrap();
    let waits = one.wait(Some(Duration::from_millis(80)), 16);
    assert!(waits.await.unwrap().is_empty());

    let _inside = TcpStream::connect(local(&listener)).unwrap();
    let ready = |token| {
        [PollEvent {
            token,
            ready: Ready::READABLE,
        }]
    };
    assert_eq!(soon(&one).await, ready(1));
    // It stays so until the connection is taken, for whoever asks.
    assert_eq!(soon(&other).await, ready(2));
    assert_eq!(now(&one).await, ready(1));
    listener.ready(Ready::READABLE).await;
    let (_connection, peer) = listener.accept().await.unwrap();
    assert!(matches!(peer, SocketAddress::Inet(peer) if peer.ip() == local(&listener).ip()));
    assert!(now(&one).await.is_empty());
    assert!(now(&other).await.is_empty());
}

#[tokio::test]
async fn what_is_ready_has_its_turn() {
    let network = network(&[]);
    let poller = Poller::new(&network).unwrap();
    let pairs: Vec<_> = (0..40)
        .map(|token| {
            let pair = network.pair(Family::Unix, SocketType::Stream, 0).unwrap();
            poller.add(&pair.0, token, Ready::WRITABLE).unwrap();
            pair
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..8 {
        let events = poller.wait(Some(Duration::ZERO), 5).await.unwrap();
        assert_eq!(events.len(), 5);
        seen.extend(events.into_iter().map(|event| event.token));
    }
    assert_eq!(seen.len(), pairs.len());
}

/// Arrivals that a guest does not take are told for ever, and so that it still
/// hears of others.
#[tokio::test]
async fn arrivals_that_nobody_takes_keep_nobody_from_being_told() {
    const LISTENERS: u64 = 5;
    let network = network(&["listen tcp://127.0.0.1:0"]);
    let poller = Poller::new(&network).unwrap();
    let mut kept = Vec::new();
    for token in 0..LISTENERS {
        let listener = stream(&network);
        let anywhere = at(([127, 0, 0, 1], 0).into());
        listener.bind(&anywhere).await.unwrap();
        listener.listen(None).unwrap();
        poller.add(&listener, token, Ready::READABLE).unwrap();
        let visitor = TcpStream::connect(local(&listener)).unwrap();
        listener.ready(Ready::READABLE).await;
        kept.push((listener, visitor));
    }
    let pairs: Vec<_> = (LISTENERS..2 * LISTENERS)
        .map(|token| {
            let pair = network.pair(Family::Unix, SocketType::Stream, 0).unwrap();
            poller.add(&pair.0, token, Ready::WRITABLE).unwrap();
            pair
        })
        .collect();
    for maximum in [1, 2, 3] {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..4 * LISTENERS {
            let events = poller.wait(Some(Duration::ZERO), maximum).await.unwrap();
            let tokens: Vec<_> = events.iter().map(|event| event.token).collect();
            assert_eq!(tokens.len(), maximum);
            let distinct: std::collections::BTreeSet<_> = tokens.iter().collect();
            assert_eq!(distinct.len(), maximum, "{tokens:?}");
            seen.extend(tokens);
        }
        assert_eq!(seen.len(), kept.len() + pairs.len(), "at most {maximum}");
    }
}

#[tokio::test]
async fn failure_and_hang_up_are_told_unasked() {
    let network = network(&[]);
    let poller = Poller::new(&network).unwrap();
    let (socket, peer) = network.pair(Family::Unix, SocketType::Stream, 0).unwrap();
    poller.add(&socket, 1, Ready::default()).unwrap();
    assert!(now(&poller).await.is_empty());
    drop(peer);
    let hung_up = Ready {
        hung_up: true,
        ..Ready::default()
    };
    assert_eq!(
        soon(&poller).await,
        [PollEvent {
            token: 1,
            ready: hung_up
        }]
    );
}

/// What may not come in is dropped before anybody is told, with others in between.
#[tokio::test]
async fn a_crowd_at_many_sockets_does_not_keep_the_thread() {
    let network = network(&["listen udp://127.0.0.1:0 from 127.9.9.9"]);
    let poller = Poller::new(&network).unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sockets = Vec::new();
    for token in 0..50 {
        let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
        socket.bind(&at(([127, 0, 0, 1], 0).into())).await.unwrap();
        for _ in 0..100 {
            stranger.send_to(b"", local(&socket)).unwrap();
        }
        poller.add(&socket, token, Ready::READABLE).unwrap();
        sockets.push(socket);
    }
    let turns = Arc::new(AtomicUsize::new(0));
    let others = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let ready = poller.wait(Some(Duration::ZERO), sockets.len()).await;
    assert_eq!(ready.unwrap(), []);
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns >= sockets.len(), "{turns} turns");
    others.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_wait_for_one_listener_lose_nobody() {
    const VISITORS: usize = 2000;
    let network = network(&["listen tcp://127.0.0.1:0"]);
    let mut listener = stream(&network);
    listener
        .bind(&at(([127, 0, 0, 1], 0).into()))
        .await
        .unwrap();
    listener.listen(Some(4096)).unwrap();
    let address = local(&listener);
    let visitors: Vec<_> = (0..VISITORS / 100)
        .map(|_| thread::spawn(move || [(); 100].map(|()| TcpStream::connect(address).unwrap())))
        .collect();
    for _ in 0..3 {
        let listener = listener.duplicate();
        tokio::spawn(async move {
            loop {
                listener.ready(Ready::READABLE).await;
                tokio::task::yield_now().await;
            }
        });
    }
    listener.set_timeout(Some(Duration::from_secs(2)));
    for visitor in 0..VISITORS {
        assert!(listener.accept().await.is_ok(), "{visitor} of {VISITORS}");
    }
    for visitor in visitors {
        visitor.join().unwrap();
    }
}

#[tokio::test]
async fn dropping_the_last_handle_closes_what_somebody_waits_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let network = network(&["connect tcp://127.0.0.1:*"]);
    let poller = Poller::new(&network).unwrap();
    let (socket, mut peer) = connected(&network, &listener).await;
    poller.add(&socket, 1, Ready::READABLE).unwrap();
    let mut of_socket = socket.subscribe(Ready::READABLE).unwrap();
    let mut of_poller = poller.subscribe().unwrap();
    let of_socket = tokio::spawn(async move { of_socket.ready().await });
    let of_poller = tokio::spawn(async move { of_poller.ready().await });
    let twin = socket.duplicate();
    drop(socket);
    // Both have had the thread, and wait.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!of_socket.is_finished() && !of_poller.is_finished());
    drop((twin, poller));
    of_socket.await.unwrap();
    of_poller.await.unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}
