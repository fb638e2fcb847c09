//! Guests that wait for what does not come, each with sockets of its own.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test guest fails by trapping"
)]

use std::io::{self, Read, Write};
use std::time::Duration;

use futures_lite::io::copy;
use portcullis_guest::raw::socket::{Readiness, ReceiveFlags};
use portcullis_guest::task::{Async, block_on, spawn};
use portcullis_guest::{
    Event, Events, Poller, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream,
};
use portcullis_test_guests::behaviours;

behaviours! {
    accept,
    await_tasks,
    block_on_a_pollable,
    connect,
    connect_with_a_timeout,
    poll_a_hundred_sockets,
    receive,
    receive_a_datagram,
    receive_all_of_it,
    send,
    send_a_datagram_to_a_full_peer,
}

/// The first argument is where a peer listens who accepts, says `a` and no more,
/// and reads nothing; the second is where one listens who does not accept.
fn peer(args: &[&str]) -> io::Result<TcpStream> {
    TcpStream::connect(args[0])
}

/// Says that all is ready for the wait.
fn wait<T>(operation: impl FnOnce() -> T) -> io::Result<()> {
    println!("waiting");
    operation();
    panic!("it came");
}

fn accept(args: &[&str]) -> io::Result<()> {
    let _peer = peer(args)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    wait(|| listener.accept())
}

fn await_tasks(args: &[&str]) -> io::Result<()> {
    let peer = peer(args)?;
    block_on(async {
        let peer = Async::new(peer)?;
        let listener = Async::<TcpListener>::bind("127.0.0.1:0")?;
        let pairs: io::Result<Vec<_>> = (0..10).map(|_| Async::<UnixStream>::pair()).collect();
        for (one, other) in pairs? {
            spawn(async move { copy(&one, &one).await });
            spawn(async move { copy(&other, &other).await });
        }
        spawn(async move { copy(&peer, futures_lite::io::sink()).await });
        println!("waiting");
        listener.accept().await?;
        panic!("it came");
    })
}

fn block_on_a_pollable(args: &[&str]) -> io::Result<()> {
    let mut peer = peer(args)?;
    peer.read_exact(&mut [0])?;
    let readable = peer.as_socket().subscribe(Readiness::READABLE);
    wait(|| readable.block())
}

fn connect(args: &[&str]) -> io::Result<()> {
    let _peer = peer(args)?;
    wait(|| TcpStream::connect(args[1]))
}

fn connect_with_a_timeout(args: &[&str]) -> io::Result<()> {
    let _peer = peer(args)?;
    wait(|| TcpStream::connect_timeout(args[1], Duration::from_secs(3600)))
}

fn poll_a_hundred_sockets(args: &[&str]) -> io::Result<()> {
    let poller = Poller::new()?;
    let mut peer = peer(args)?;
    peer.read_exact(&mut [0])?;
    poller.add(&peer, Event::readable(0))?;
    let pairs: Vec<_> = (0..50).map(|_| UnixStream::pair()).collect();
    for (key, pair) in (1..).zip(&pairs) {
        let Ok((one, other)) = pair else {
            panic!("no pair")
        };
        poller.add(one, Event::readable(key))?;
        poller.add(other, Event::readable(key))?;
    }
    wait(|| poller.wait(&mut Events::new(), None))
}

fn receive(args: &[&str]) -> io::Result<()> {
    let mut peer = peer(args)?;
    peer.read_exact(&mut [0])?;
    wait(|| peer.read(&mut [0]))
}

fn receive_a_datagram(args: &[&str]) -> io::Result<()> {
    let _peer = peer(args)?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    wait(|| socket.recv_from(&mut [0]))
}

fn receive_all_of_it(args: &[&str]) -> io::Result<()> {
    let peer = peer(args)?;
    wait(|| {
        peer.as_socket()
            .recv_with_flags(&mut [0; 100], ReceiveFlags::WAIT_ALL)
    })
}

fn send(args: &[&str]) -> io::Result<()> {
    let mut peer = peer(args)?;
    let much = vec![0; 64 << 20];
    wait(|| peer.write_all(&much))
}

fn send_a_datagram_to_a_full_peer(args: &[&str]) -> io::Result<()> {
    let _peer = peer(args)?;
    let (one, _other) = UnixDatagram::pair()?;
    wait(|| while one.send(&[0; 1000]).is_ok() {})
}
