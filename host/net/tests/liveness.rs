//! Whatever keeps an operation going, the thread is given to others in between: for each
//! kind of operation that a guest, a peer or the kernel can keep from ending.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::future::Future;
use std::net::{Shutdown, TcpListener, UdpSocket};
use std::pin::pin;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use portcullis_net::{
    Endpoint, ErrorCode, Family, Network, Poller, Ready, SendOptions, Socket, SocketAddress,
    SocketType,
};
use portcullis_policy::Policy;

/// How long one operation may keep the thread, on a machine where others are busy.
const HOLD: Duration = Duration::from_millis(500);

fn network(allow: &[String]) -> Network {
    let grants = allow.iter().map(String::as_str);
    let policy = grants.fold(Policy::builder(), portcullis_policy::PolicyBuilder::allow);
    Network::new(policy.build().unwrap())
}

fn at(address: impl ToString) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address.to_string().parse().unwrap()))
}

fn every_interest() -> impl Iterator<Item = Ready> {
    (0..8_u8).map(|bits| Ready {
        readable: bits & 1 != 0,
        writable: bits & 2 != 0,
        urgent: bits & 4 != 0,
        ..Ready::default()
    })
}

/// Runs `guest` for a second on a runtime with one thread, and fails where another task
/// of that thread has to wait for long, or the processor is busy all the while.
#[track_caller]
fn check<G: Future<Output = ()>>(what: &str, guest: impl FnOnce() -> G + Send + 'static) {
    let (report, ended) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let begin = processor_time();
        let longest = runtime.block_on(async {
            let mut guest = pin!(tokio::time::timeout(Duration::from_secs(1), guest()));
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            loop {
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(Duration::from_millis(1)) => {}
                    _ = &mut guest => return longest.max(last.elapsed()),
                }
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
        });
        report.send((longest, processor_time() - begin)).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(20));
    let (longest, busy) = ended.unwrap_or_else(|_| panic!("{what}: the thread hangs"));
    assert!(
        longest < HOLD,
        "{what}: the thread was kept for {longest:?}"
    );
    assert!(busy < HOLD, "{what}: the processor was busy for {busy:?}");
}

/// How long this thread has computed.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

/// A datagram socket of which the kernel has reported an error, which was taken: the
/// reactor holds it to be closed from then on.
async fn after_a_refusal(loopback: &str) -> Socket {
    let closed = UdpSocket::bind(format!("{loopback}:0")).unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let network = network(&[format!("connect udp://{address}")]);
    let family = match address.is_ipv4() {
        true => Family::Inet,
        false => Family::Inet6,
    };
    let mut socket = network.open(family, SocketType::Datagram, 0).unwrap();
    socket.connect(&at(address)).await.unwrap();
    socket.set_timeout(Some(Duration::from_millis(50)));
    let receive = || socket.receive(16, Default::default());
    assert_eq!(receive().await.unwrap_err().code(), ErrorCode::TimedOut);
    socket.send(b"x", SendOptions::default()).await.unwrap();
    // The reactor hears of the error before the socket's owner takes it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = receive().await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ConnectionRefused);
    socket
}

#[test]
fn an_error_that_was_taken_keeps_no_thread() {
    for loopback in ["127.0.0.1", "[::1]"] {
        for interest in every_interest() {
            check(&format!("{loopback} {interest:?}"), move || async move {
                after_a_refusal(loopback).await.ready(interest).await;
            });
        }
    }
}

#[test]
fn an_error_that_was_taken_keeps_no_poller() {
    for interest in every_interest() {
        check(&format!("{interest:?}"), move || async move {
            let socket = after_a_refusal("127.0.0.1").await;
            let poller = Poller::new(&network(&[])).unwrap();
            poller.add(&socket, 1, interest).unwrap();
            poller.ready().await;
            poller.wait(None, 1).await.unwrap();
        });
    }
}

#[test]
fn a_connection_that_was_reset_keeps_no_thread() {
    for interest in every_interest() {
        check(&format!("{interest:?}"), move || async move {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let network = network(&[format!("connect tcp://{address}")]);
            let socket = network.open(Family::Inet, SocketType::Stream, 0).unwrap();
            socket.connect(&at(address)).await.unwrap();
            let (peer, _) = listener.accept().unwrap();
            socket2::SockRef::from(&peer)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(peer);
            // The reactor hears of the reset before the error is taken.
            tokio::time::sleep(Duration::from_millis(50)).await;
            socket.take_error().unwrap();
            socket.ready(interest).await;
        });
    }
}

#[test]
fn a_pair_whose_one_end_is_gone_keeps_no_thread() {
    for kind in [
        SocketType::Stream,
        SocketType::Datagram,
        SocketType::Seqpacket,
    ] {
        for interest in every_interest() {
            check(&format!("{kind:?} {interest:?}"), move || async move {
                let (left, right) = network(&[]).pair(Family::Unix, kind, 0).unwrap();
                let _ = left.shutdown(Shutdown::Write);
                let _ = tokio::time::timeout(
                    Duration::from_millis(10),
                    right.receive(1, Default::default()),
                )
                .await;
                drop(left);
                right.ready(interest).await;
            });
        }
    }
}
