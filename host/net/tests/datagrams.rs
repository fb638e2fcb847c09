//! Datagrams: each goes where it may, and comes from where it may.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portcullis_net::{
    Audit, Endpoint, ErrorCode, Event, Family, Network, Ready, ReceiveOptions, SendOptions,
    Service, Socket, SocketAddress, SocketType, TableResolver,
};
use portcullis_policy::{Name, Policy};

const DONT_WAIT: ReceiveOptions = ReceiveOptions {
    dont_wait: true,
    out_of_band: false,
    peek: false,
    wait_all: false,
};

fn network(allow: &[&str]) -> Network {
    let policy = allow
        .iter()
        .fold(Policy::builder(), |policy, grant| policy.allow(grant));
    Network::new(policy.build().unwrap())
}

fn socket(network: &Network) -> Socket {
    let mut socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    socket.set_timeout(Some(Duration::from_secs(20)));
    socket
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address))
}

fn any_port() -> Endpoint {
    at(([127, 0, 0, 1], 0).into())
}

fn local(socket: &Socket) -> SocketAddr {
    match socket.local_address().unwrap() {
        SocketAddress::Inet(address) => address,
        SocketAddress::Unix(other) => panic!("{other:?}"),
    }
}

fn peer() -> UdpSocket {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    peer
}

fn read(peer: &UdpSocket) -> Vec<u8> {
    let mut data = vec![0; 2048];
    let length = peer.recv(&mut data).unwrap();
    data.truncate(length);
    data
}

fn code<T>(result: Result<T, portcullis_net::Error>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

/// What has come is there at once on loopback, but it takes its time to be
/// told.
async fn receive(socket: &Socket) -> Vec<u8> {
    socket
        .receive(2048, ReceiveOptions::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_datagram_goes_where_it_is_granted_and_nowhere_else() {
    let (granted, other) = (peer(), peer());
    let network = network(&[&format!("connect udp://{}", granted.local_addr().unwrap())]);
    let socket = socket(&network);
    let send = |to: &UdpSocket| {
        let to = at(to.local_addr().unwrap());
        let socket = socket.duplicate();
        async move { socket.send_to(b"hello", SendOptions::default(), &to).await }
    };
    assert_eq!(send(&granted).await.unwrap(), 5);
    assert_eq!(read(&granted), b"hello");
    assert_eq!(code(send(&other).await), Some(ErrorCode::AccessDenied));
    other
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    assert!(other.recv(&mut [0; 8]).is_err());
}

#[tokio::test]
async fn who_was_written_to_may_answer_and_nobody_else() {
    let (granted, stranger) = (peer(), peer());
    let network = network(&[&format!("connect udp://{}", granted.local_addr().unwrap())]);
    let socket = socket(&network);
    let to = at(granted.local_addr().unwrap());
    socket
        .send_to(b"?", SendOptions::default(), &to)
        .await
        .unwrap();
    let here: SocketAddr = ([127, 0, 0, 1], local(&socket).port()).into();
    stranger.send_to(b"stranger", here).unwrap();
    granted.send_to(b"answer", here).unwrap();
    assert_eq!(receive(&socket).await, b"answer");
    stranger.send_to(b"stranger", here).unwrap();
    assert_eq!(
        code(socket.receive(8, DONT_WAIT).await),
        Some(ErrorCode::WouldBlock)
    );
}

#[tokio::test]
async fn a_listener_may_answer_who_wrote_and_write_to_nobody_else() {
    let (visitor, other) = (peer(), peer());
    let network = network(&["listen udp://127.0.0.1:0"]);
    let socket = socket(&network);
    socket.bind(&any_port()).await.unwrap();
    visitor.send_to(b"ping", local(&socket)).unwrap();
    let datagram = socket
        .receive_from(2048, ReceiveOptions::default())
        .await
        .unwrap();
    assert_eq!(datagram.data, b"ping");
    assert_eq!(
        datagram.source,
        SocketAddress::Inet(visitor.local_addr().unwrap())
    );
    let answer = |to: &UdpSocket| {
        let (socket, to) = (socket.duplicate(), at(to.local_addr().unwrap()));
        async move { socket.send_to(b"pong", SendOptions::default(), &to).await }
    };
    answer(&visitor).await.unwrap();
    assert_eq!(read(&visitor), b"pong");
    assert_eq!(code(answer(&other).await), Some(ErrorCode::AccessDenied));
}

/// A source can be forged, and so lead an answer anywhere.
#[tokio::test]
async fn who_is_denied_is_not_answered() {
    let visitor = peer();
    let policy = Policy::builder()
        .allow("listen udp://127.0.0.1:0")
        .deny("connect udp://127.0.0.0/8:*");
    let socket = socket(&Network::new(policy.build().unwrap()));
    socket.bind(&any_port()).await.unwrap();
    visitor.send_to(b"ping", local(&socket)).unwrap();
    assert_eq!(receive(&socket).await, b"ping");
    let to = at(visitor.local_addr().unwrap());
    let answer = socket.send_to(b"pong", SendOptions::default(), &to).await;
    assert_eq!(code(answer), Some(ErrorCode::AccessDenied));
}

#[tokio::test]
async fn a_listener_hears_those_from_whom_it_may() {
    let (inside, outside) = (peer(), UdpSocket::bind("127.0.0.2:0").unwrap());
    let network = network(&["listen udp://127.0.0.1:0 from 127.0.0.1"]);
    let socket = socket(&network);
    socket.bind(&any_port()).await.unwrap();
    outside.send_to(b"outside", local(&socket)).unwrap();
    // What it may not hear does not make it ready.
    let ready = tokio::time::timeout(Duration::from_millis(50), socket.ready(Ready::READABLE));
    assert!(ready.await.is_err());
    outside.send_to(b"outside", local(&socket)).unwrap();
    inside.send_to(b"inside", local(&socket)).unwrap();
    socket.ready(Ready::READABLE).await;
    assert_eq!(socket.receive(2048, DONT_WAIT).await.unwrap(), b"inside");
}

#[tokio::test]
async fn a_bind_grant_gives_an_address_and_no_ear() {
    let (granted, stranger) = (peer(), peer());
    let network = network(&[
        "bind udp://127.0.0.1:0",
        &format!("connect udp://{}", granted.local_addr().unwrap()),
    ]);
    let socket = socket(&network);
    socket.bind(&any_port()).await.unwrap();
    stranger.send_to(b"stranger", local(&socket)).unwrap();
    granted.send_to(b"granted", local(&socket)).unwrap();
    assert_eq!(receive(&socket).await, b"granted");
}

/// A deny of listening wins over the grant to write, but for answers.
#[tokio::test]
async fn who_is_denied_is_not_heard_unasked() {
    let denied = peer();
    let address = denied.local_addr().unwrap();
    let policy = Policy::builder()
        .allow("bind udp://127.0.0.1:0")
        .allow(&format!("connect udp://{address}"))
        .deny("listen udp://*:* from 127.0.0.1");
    let socket = socket(&Network::new(policy.build().unwrap()));
    socket.bind(&any_port()).await.unwrap();
    denied.send_to(b"unasked", local(&socket)).unwrap();
    let unasked = socket.receive(8, DONT_WAIT).await;
    assert_eq!(code(unasked), Some(ErrorCode::WouldBlock));
    socket
        .send_to(b"?", SendOptions::default(), &at(address))
        .await
        .unwrap();
    denied.send_to(b"answer", local(&socket)).unwrap();
    assert_eq!(receive(&socket).await, b"answer");
}

#[tokio::test]
async fn binding_takes_a_grant() {
    let socket = socket(&network(&[]));
    let refused = socket.bind(&any_port()).await.unwrap_err();
    assert_eq!(refused.message(), "listen udp://127.0.0.1:0 is not granted");
}

struct Count(Arc<AtomicU32>);

impl Audit for Count {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        if let Event::Denied(_) = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A denied address of a name is not denied to anybody where another is granted;
/// where none is, that is one denial.
#[tokio::test]
async fn a_name_is_denied_once_or_not_at_all() {
    let granted = peer();
    let port = granted.local_addr().unwrap().port();
    let addresses = ["127.0.0.3", "127.0.0.2", "127.0.0.1"];
    let addresses = addresses.map(|address| address.parse().unwrap()).to_vec();
    let resolver = TableResolver::from_iter([(Name::parse("many.example").unwrap(), addresses)]);
    let denials = Arc::new(AtomicU32::new(0));
    let grant = format!("connect udp://many.example:{port} in 127.0.0.1");
    let network = network(&[&grant, "connect udp://many.example:9"])
        .with_resolver(resolver)
        .with_audit(Count(Arc::clone(&denials)));
    let socket = socket(&network);
    let send = |port| {
        let (host, port) = ("many.example".to_owned(), Service::Port(port));
        let (socket, to) = (socket.duplicate(), Endpoint::Name { host, port });
        async move { socket.send_to(b"x", SendOptions::default(), &to).await }
    };
    send(port).await.unwrap();
    assert_eq!(denials.load(Ordering::Relaxed), 0);
    assert_eq!(code(send(9).await), Some(ErrorCode::AccessDenied));
    assert_eq!(denials.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_connected_socket_sends_to_what_was_granted_only() {
    let (granted, other) = (peer(), peer());
    let network = network(&[&format!("connect udp://{}", granted.local_addr().unwrap())]);
    let socket = socket(&network);
    let unconnected = socket.send(b"x", SendOptions::default()).await;
    assert_eq!(
        code(unconnected),
        Some(ErrorCode::DestinationAddressRequired)
    );
    socket
        .connect(&at(granted.local_addr().unwrap()))
        .await
        .unwrap();
    let refused = socket.connect(&at(other.local_addr().unwrap())).await;
    assert_eq!(code(refused), Some(ErrorCode::AccessDenied));
    socket.send(b"still", SendOptions::default()).await.unwrap();
    assert_eq!(read(&granted), b"still");
}

#[tokio::test]
async fn truncation_is_told() {
    let visitor = peer();
    let network = network(&["listen udp://127.0.0.1:0"]);
    let socket = socket(&network);
    socket.bind(&any_port()).await.unwrap();
    for _ in 0..3 {
        visitor.send_to(b"0123456789", local(&socket)).unwrap();
    }
    let peek = ReceiveOptions {
        peek: true,
        ..ReceiveOptions::default()
    };
    let peeked = socket.receive_from(4, peek).await.unwrap();
    assert_eq!((peeked.data.as_slice(), peeked.length), (&b"0123"[..], 10));
    let taken = socket
        .receive_from(4, ReceiveOptions::default())
        .await
        .unwrap();
    assert_eq!((taken.data.as_slice(), taken.length), (&b"0123"[..], 10));
    let nothing = socket
        .receive_from(0, ReceiveOptions::default())
        .await
        .unwrap();
    assert_eq!((nothing.data.as_slice(), nothing.length), (&b""[..], 10));
    let many = ReceiveOptions::default();
    let rest = socket.receive_datagrams(8, 4, many).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(
        (rest[0].data.as_slice(), rest[0].length),
        (&b"0123"[..], 10)
    );
}

#[tokio::test]
async fn batches_are_judged_one_by_one() {
    let (granted, other) = (peer(), peer());
    let network = network(&[
        "listen udp://127.0.0.1:0 from 127.0.0.1",
        &format!("connect udp://{}", granted.local_addr().unwrap()),
    ]);
    let socket = socket(&network);
    socket.bind(&any_port()).await.unwrap();
    let (yes, no) = (
        at(granted.local_addr().unwrap()),
        at(other.local_addr().unwrap()),
    );
    let batch: Vec<(&[u8], Option<&Endpoint>)> = vec![
        (b"one", Some(&yes)),
        (b"two", Some(&yes)),
        (b"three", Some(&no)),
        (b"four", Some(&yes)),
    ];
    let sent = socket.send_datagrams(&batch, SendOptions::default()).await;
    assert_eq!(sent.unwrap(), 2);
    assert_eq!(read(&granted), b"one");
    assert_eq!(read(&granted), b"two");
    let sent = socket
        .send_datagrams(&batch[2..], SendOptions::default())
        .await;
    assert_eq!(code(sent), Some(ErrorCode::AccessDenied));

    let outside = UdpSocket::bind("127.0.0.2:0").unwrap();
    for number in 0..10_u8 {
        outside.send_to(&[number], local(&socket)).unwrap();
        other.send_to(&[number], local(&socket)).unwrap();
    }
    let mut heard = Vec::new();
    while heard.len() < 10 {
        let some = socket
            .receive_datagrams(4, 16, ReceiveOptions::default())
            .await
            .unwrap();
        heard.extend(some.into_iter().flat_map(|datagram| datagram.data));
    }
    assert_eq!(heard, (0..10).collect::<Vec<u8>>());
}

#[tokio::test]
async fn joining_a_group_and_broadcasting_take_grants() {
    let group = "224.0.0.251".parse().unwrap();
    let network_of = |grants: &[&str]| network(grants);
    let socket = socket(&network_of(&[
        "listen udp://0.0.0.0:0",
        "join udp://224.0.0.251:0",
    ]));
    socket.bind(&at(([0, 0, 0, 0], 0).into())).await.unwrap();
    socket.join_group(group, 1).unwrap();
    assert_eq!(
        code(socket.join_group(group, 1)),
        Some(ErrorCode::AddressInUse)
    );
    let other = "224.0.0.252".parse().unwrap();
    assert_eq!(
        code(socket.join_group(other, 1)),
        Some(ErrorCode::AccessDenied)
    );
    socket.leave_group(group, 1).unwrap();
    assert_eq!(
        code(socket.leave_group(group, 1)),
        Some(ErrorCode::AddressNotAvailable)
    );

    assert_eq!(
        code(socket.set_broadcast(true)),
        Some(ErrorCode::AccessDenied)
    );
    let granted = network_of(&["connect udp://255.255.255.255:9"]);
    let socket = granted.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    socket.set_broadcast(false).unwrap();
    assert!(!socket.broadcast().unwrap());
}
