//! The adversarial table: what a hostile guest, peer or name server tries, one
//! attack a test. `docs/adversarial.md` lists them.
//!
//! Each is tried by a guest, through real sockets, and has its twin: the same
//! thing where it is granted. An attack that fails because it cannot work at all
//! would show nothing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod addresses;
mod authority;
mod datagrams;
mod exhaustion;
mod index;
#[path = "../../../host/net/tests/dns/name_server.rs"]
#[expect(dead_code, reason = "other tests of it take the rest")]
mod name_server;
mod names;
mod namespaces;
mod paths;
mod resolving;
mod unix;

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use portcullis::Policy;
use portcullis_tests::{Guest, PATIENCE, Script};

pub(crate) fn policy(allow: &[&str], deny: &[&str]) -> Policy {
    let mut policy = Policy::builder();
    for grant in allow {
        policy = policy.allow(grant);
    }
    for grant in deny {
        policy = policy.deny(grant);
    }
    policy.build().unwrap()
}

/// A guest that waits for what it is told.
pub(crate) fn guest(allow: &[&str], deny: &[&str]) -> Script {
    Guest::script().policy(policy(allow, deny)).begin()
}

/// A server that greets whoever comes, until the end of the process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    visitors: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::at("127.0.0.1:0")
    }

    pub(crate) fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let visitors = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&visitors);
        thread::spawn(move || {
            for visitor in listener.incoming() {
                count.fetch_add(1, Ordering::Relaxed);
                // Who does not wait for it is not missed.
                let _ = visitor.unwrap().write_all(b"hello");
            }
        });
        Self { address, visitors }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many came so far. One who does come now makes sure that all who came
    /// before were counted.
    pub(crate) fn visitors(&self) -> usize {
        let before = self.visitors.load(Ordering::Relaxed);
        let _visitor = TcpStream::connect(self.address).unwrap();
        let begin = std::time::Instant::now();
        while self.visitors.load(Ordering::Relaxed) == before {
            assert!(begin.elapsed() < PATIENCE, "nobody serves");
            thread::yield_now();
        }
        self.visitors.fetch_sub(1, Ordering::Relaxed) - 1
    }
}

/// Connects a new stream, and is greeted.
#[track_caller]
pub(crate) fn is_greeted(guest: &mut Script, family: &str, endpoint: &str) {
    guest.does(&format!("open s {family} stream"));
    guest.does(&format!("connect s {endpoint}"));
    assert_eq!(guest.does("receive s"), "hello", "{endpoint}");
    guest.does("close s");
}

/// A native datagram socket on loopback.
pub(crate) fn listener() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The next datagram.
#[track_caller]
pub(crate) fn heard(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = [0; 65536];
    let (length, source) = socket.recv_from(&mut buffer).unwrap();
    (
        String::from_utf8(buffer[..length].to_vec()).unwrap(),
        source,
    )
}

/// Checks that there is no datagram. What is sent on loopback is there when the
/// send returns.
#[track_caller]
pub(crate) fn hears_nothing(socket: &UdpSocket) {
    socket.set_nonblocking(true).unwrap();
    let nothing = socket.recv_from(&mut [0; 64]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    socket.set_nonblocking(false).unwrap();
}
