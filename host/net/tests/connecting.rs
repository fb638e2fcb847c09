//! Connecting to a name that has several addresses, some of which do not answer.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use portcullis_net::{
    Endpoint, ErrorCode, Family, Network, Service, Socket, SocketAddress, SocketType, TableResolver,
};
use portcullis_policy::{Name, Policy};
use rustix::net::{SocketFlags, connect, listen, socket_with};

/// A listener at a loopback address of its own whose queue is full: the kernel
/// drops who comes, as a machine does that is gone.
struct Deaf {
    _listener: TcpListener,
    _queue: Vec<std::os::fd::OwnedFd>,
}

fn deaf(address: SocketAddr) -> Deaf {
    let listener = TcpListener::bind(address).unwrap();
    listen(listener.as_fd(), 0).unwrap();
    let queue = (0..4).map(|_| {
        let (family, kind) = (
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
        );
        let waiting = socket_with(family, kind, SocketFlags::NONBLOCK, None).unwrap();
        let _ = connect(&waiting, &address);
        waiting
    });
    Deaf {
        _queue: queue.collect(),
        _listener: listener,
    }
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 7, 7, last).into()
}

/// A socket that may connect to a name with these addresses.
fn socket(addresses: Vec<IpAddr>, port: u16) -> (Socket, Endpoint) {
    let name = Name::parse("many.example").unwrap();
    let policy = Policy::builder().allow(&format!("connect tcp://{name}:{port} in loopback"));
    let network = Network::new(policy.build().unwrap())
        .with_resolver(TableResolver::from_iter([(name, addresses)]));
    let remote = Endpoint::Name {
        host: "many.example".into(),
        port: Service::Port(port),
    };
    let socket = network.open(Family::Inet, SocketType::Stream, 0).unwrap();
    (socket, remote)
}

#[tokio::test]
async fn a_timeout_bounds_all_addresses_of_a_name_together() {
    let port = TcpListener::bind((ip(1), 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let addresses: Vec<IpAddr> = (1..=8).map(ip).collect();
    let _deaf: Vec<Deaf> = addresses
        .iter()
        .map(|ip| deaf((*ip, port).into()))
        .collect();
    let (mut socket, remote) = socket(addresses, port);
    socket.set_timeout(Some(Duration::from_secs(1)));
    let begin = Instant::now();
    let error = socket.connect(&remote).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TimedOut);
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let living = TcpListener::bind((ip(19), 0)).unwrap();
    let port = living.local_addr().unwrap().port();
    let _deaf = [deaf((ip(17), port).into()), deaf((ip(18), port).into())];
    let (mut socket, remote) = socket(vec![ip(17), ip(18), ip(19)], port);
    socket.set_timeout(Some(Duration::from_secs(3)));
    socket.connect(&remote).await.unwrap();
    let peer = SocketAddress::Inet(living.local_addr().unwrap());
    assert_eq!(socket.remote_address().unwrap(), peer);
}
