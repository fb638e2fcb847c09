//! No step of an operation keeps the thread for long, however much there is to judge: a
//! guest may narrow its network as deep and as finely as it can, and have looked up many
//! names with many aliases.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use portcullis_net::{
    Answer, Endpoint, ErrorCode, Families, Family, Network, Pending, Ready, ReceiveOptions,
    ResolveHints, Resolver, SendOptions, Socket, SocketAddress, SocketType,
};
use portcullis_policy::{Lookup, Name, Permit, Policy, Reverse};

/// For how long one step may compute, on a machine where others are busy: twice what is
/// aimed at.
const LONGEST: Duration = Duration::from_millis(100);

/// How many datagrams one call has.
const BATCH: usize = 256;

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    Duration::from(time)
}

/// What comes of an operation. Fails where one of its steps took long.
async fn step_by_step<T>(what: &str, operation: impl Future<Output = T>) -> T {
    let (mut operation, mut longest) = (pin!(operation), Duration::ZERO);
    let done = poll_fn(|context| {
        let begin = processor_time();
        let polled = operation.as_mut().poll(context);
        longest = longest.max(processor_time() - begin);
        polled
    });
    let done = done.await;
    println!("{what}: the longest step took {longest:?}");
    assert!(longest < LONGEST, "{what}: a step took {longest:?}");
    done
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address))
}

/// Every name leads to loopback, through as many others as there may be.
#[derive(Debug)]
struct Winding;

impl Resolver for Winding {
    fn look_up(&self, permit: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        let name = permit.request().name().to_string();
        let alias = |number| Name::parse(&format!("alias{number}.of.{name}")).unwrap();
        let answer = Answer {
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            chain: (0..16).map(alias).collect(),
            valid_until: None,
        };
        Box::pin(async { Ok(answer) })
    }

    fn reverse(&self, permit: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        let _ = permit;
        Box::pin(async { Err(ErrorCode::NameNotFound.into()) })
    }
}

/// A network narrowed as often as it can be, by as much as it can be: `wide` and what
/// takes long to find of no use.
fn narrowed(network: Network, wide: &str, long: &str) -> Network {
    let ranges: Vec<String> = (0..70).map(|at| format!("10.{at}.0.1")).collect();
    let long = format!("{long}{}", ranges.join(","));
    let grants = vec![long.as_str(), wide];
    let mut narrowed = network;
    for depth in 0..100 {
        match narrowed.attenuate(&grants) {
            Ok(narrower) => narrowed = narrower,
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::InvalidArgument, "{error}");
                assert!(depth > 8, "{depth}");
                return narrowed;
            }
        }
    }
    panic!("networks are narrowed without a bound");
}

async fn datagram_socket(network: &Network) -> (Socket, SocketAddr) {
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    socket
        .bind(&at("127.0.0.1:0".parse().unwrap()))
        .await
        .unwrap();
    match socket.local_address().unwrap() {
        SocketAddress::Inet(address) => (socket, address),
        SocketAddress::Unix(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_batch_against_deep_attenuations_and_many_names() {
    let policy = Policy::builder()
        .allow("connect udp://any:*")
        .allow("bind udp://127.0.0.1:0")
        .allow("resolve *")
        .deny("connect udp://denied.example:*")
        .build()
        .unwrap();
    let network = Network::new(policy).with_resolver(Winding);
    for number in 0..8 {
        let name = format!("n{number}.example");
        let found = network.resolve(Some(&name), None, ResolveHints::default());
        found.await.unwrap();
    }
    let network = narrowed(
        network,
        "connect udp://any:*",
        "connect udp://*.example:* in ",
    );
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = at(peer.local_addr().unwrap());
    let datagrams = vec![(b"x".as_slice(), Some(&to)); BATCH];
    let sending = socket.send_datagrams(&datagrams, SendOptions::default());
    let sent = step_by_step("sending a batch", sending).await.unwrap();
    assert_eq!(sent, BATCH);
    let sending = socket.send_to(b"x", SendOptions::default(), &to);
    step_by_step("sending one", sending).await.unwrap();
}

#[tokio::test]
async fn a_crowd_against_deep_attenuations() {
    let policy = Policy::builder()
        .allow("listen udp://127.0.0.1:*")
        .build()
        .unwrap();
    let network = narrowed(
        Network::new(policy),
        "listen udp://127.0.0.1:* from 127.9.9.9",
        "listen udp://127.0.0.1:* from ",
    );
    let (socket, address) = datagram_socket(&network).await;
    let crowd = || {
        // The socket has room for more, with the friend behind them.
        for number in 0..100 {
            let source = Ipv4Addr::from_bits(0x7f01_0001 + number);
            let writer = UdpSocket::bind((source, 0)).unwrap();
            writer.send_to(b"x", address).unwrap();
        }
        let friend = UdpSocket::bind("127.9.9.9:0").unwrap();
        friend.send_to(b"friend", address).unwrap();
    };
    crowd();
    let receiving = socket.receive_datagrams(BATCH, 16, ReceiveOptions::default());
    let received = step_by_step("receiving a batch", receiving).await.unwrap();
    assert_eq!(received.len(), 1);
    crowd();
    step_by_step("waiting", socket.ready(Ready::READABLE)).await;
    let received = socket.receive(16, ReceiveOptions::default()).await;
    assert_eq!(received.unwrap(), b"friend");
}

#[test]
fn the_finest_attenuation_there_is() {
    let network = Network::new(Policy::default());
    let ports: Vec<String> = (0..7)
        .map(|at| format!("{}-{}", 5 * at + 1, 5 * at + 3))
        .collect();
    let grants = vec![format!("connect udp://any:{}", ports.join(",")); 256];
    let begin = processor_time();
    network.attenuate(&grants).unwrap();
    let taken = processor_time() - begin;
    println!("attenuating took {taken:?}");
    assert!(taken < LONGEST, "{taken:?}");
}
