//! Receiving from a TCP stream by somebody who waits: whatever was received before
//! and however it ended, what has come since is found.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use portcullis_net::{
    Endpoint, ErrorCode, Family, Network, ReceiveOptions, Socket, SocketAddress, SocketType,
};
use portcullis_policy::{Limits, Policy};

const PLAIN: ReceiveOptions = ReceiveOptions {
    dont_wait: false,
    out_of_band: false,
    peek: false,
    wait_all: false,
};

/// A connection that has waited for ever, and received less than it asked for.
async fn connection(limits: Limits) -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let policy = Policy::builder().allow(&format!("connect tcp://{address}"));
    let network = Network::new(policy.limits(limits).build().unwrap());
    let socket = network.open(Family::Inet, SocketType::Stream, 0).unwrap();
    let remote = Endpoint::Address(SocketAddress::Inet(address));
    socket.connect(&remote).await.unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_nodelay(true).unwrap();
    let (first, ()) = tokio::join!(receive(&socket, PLAIN), async {
        settle().await;
        peer.write_all(b"first").unwrap();
    });
    assert_eq!(first, b"first");
    (socket, peer)
}

async fn receive(socket: &Socket, options: ReceiveOptions) -> Vec<u8> {
    let received = socket.receive(4096, options);
    let received = tokio::time::timeout(Duration::from_secs(10), received).await;
    received.expect("it waits for what is there").unwrap()
}

/// Gives what was sent time to arrive, and the reactor to hear of it.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

fn send_urgent(peer: &TcpStream, data: &[u8]) {
    let sent = rustix::net::send(peer, data, rustix::net::SendFlags::OOB);
    assert_eq!(sent, Ok(data.len()));
}

#[tokio::test]
async fn what_follows_urgent_data_is_found() {
    let (socket, mut peer) = connection(Limits::default()).await;
    peer.write_all(b"before").unwrap();
    send_urgent(&peer, b"!");
    peer.write_all(b"after").unwrap();
    settle().await;
    assert_eq!(receive(&socket, PLAIN).await, b"before");
    assert_eq!(receive(&socket, PLAIN).await, b"after");
}

#[tokio::test]
async fn what_follows_urgent_data_that_was_received_is_found() {
    let (socket, mut peer) = connection(Limits::default()).await;
    let urgent = ReceiveOptions {
        out_of_band: true,
        ..PLAIN
    };
    for _ in 0..3 {
        peer.write_all(b"before").unwrap();
        send_urgent(&peer, b"!");
        peer.write_all(b"after").unwrap();
        settle().await;
        assert_eq!(receive(&socket, urgent).await, b"!");
        assert_eq!(receive(&socket, PLAIN).await, b"before");
        assert_eq!(receive(&socket, PLAIN).await, b"after");
    }
}

#[tokio::test]
async fn urgent_data_in_line_is_found() {
    let (socket, mut peer) = connection(Limits::default()).await;
    socket.set_out_of_band_inline(true).unwrap();
    peer.write_all(b"before").unwrap();
    send_urgent(&peer, b"!");
    peer.write_all(b"after").unwrap();
    settle().await;
    assert_eq!(receive(&socket, PLAIN).await, b"before");
    assert_eq!(receive(&socket, PLAIN).await, b"!after");
}

#[tokio::test]
async fn the_end_is_found_that_came_with_the_last_word() {
    let (socket, mut peer) = connection(Limits::default()).await;
    peer.write_all(b"last").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    settle().await;
    assert_eq!(receive(&socket, PLAIN).await, b"last");
    assert_eq!(receive(&socket, PLAIN).await, b"");
    assert_eq!(receive(&socket, PLAIN).await, b"");
}

#[tokio::test]
async fn what_was_peeked_at_is_found() {
    let (socket, mut peer) = connection(Limits::default()).await;
    let peek = ReceiveOptions {
        peek: true,
        ..PLAIN
    };
    for _ in 0..3 {
        peer.write_all(b"again").unwrap();
        assert_eq!(receive(&socket, peek).await, b"again");
        assert_eq!(receive(&socket, peek).await, b"again");
        assert_eq!(receive(&socket, PLAIN).await, b"again");
    }
}

#[tokio::test]
async fn what_came_unnoticed_is_there_for_who_must_not_wait() {
    let (mut socket, mut peer) = connection(Limits::default()).await;
    peer.write_all(b"now").unwrap();
    // The reactor has not run since.
    std::thread::sleep(Duration::from_millis(20));
    socket.set_timeout(Some(Duration::ZERO));
    assert_eq!(receive(&socket, PLAIN).await, b"now");
    let nothing = socket.receive(4096, PLAIN).await;
    assert_eq!(
        nothing.map_err(|error| error.code()),
        Err(ErrorCode::WouldBlock)
    );
    socket.set_timeout(None);
    peer.write_all(b"later").unwrap();
    assert_eq!(receive(&socket, PLAIN).await, b"later");
}

#[tokio::test]
async fn less_than_a_mark_that_was_lowered_is_found() {
    let (socket, mut peer) = connection(Limits::default()).await;
    socket.set_receive_low_water_mark(4).unwrap();
    peer.write_all(b"ab").unwrap();
    let (both, ()) = tokio::join!(receive(&socket, PLAIN), async {
        settle().await;
        peer.write_all(b"cd").unwrap();
    });
    assert_eq!(both, b"abcd");
    peer.write_all(b"e").unwrap();
    settle().await;
    socket.set_receive_low_water_mark(1).unwrap();
    assert_eq!(receive(&socket, PLAIN).await, b"e");
}

#[tokio::test]
async fn what_a_limit_held_back_is_not_waited_for() {
    let mut limits = Limits::default();
    limits.bytes_received = Some(8);
    let (socket, mut peer) = connection(limits).await;
    peer.write_all(b"abcdef").unwrap();
    settle().await;
    assert_eq!(receive(&socket, PLAIN).await, b"abc");
    let over = socket.receive(4096, PLAIN);
    let over = tokio::time::timeout(Duration::from_secs(10), over).await;
    let over = over.unwrap().map_err(|error| error.code());
    assert_eq!(over, Err(ErrorCode::LimitExceeded));
}
