//! What a hostile guest tries with sockets that it was rightly given. Each was
//! a way out once, or a way to hang the host.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::future::Future;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_net::{
    Endpoint, ErrorCode, Family, Network, Poller, Ready, ResolveHints, SendOptions, Socket,
    SocketAddress, SocketType, TableResolver, UnixAddress,
};
use portcullis_policy::{Name, Policy};

fn network(allow: &[&str], deny: &[&str]) -> Network {
    let mut policy = Policy::builder();
    for grant in allow {
        policy = policy.allow(grant);
    }
    for grant in deny {
        policy = policy.deny(grant);
    }
    Network::new(policy.build().unwrap())
}

fn stream(network: &Network, family: Family) -> Socket {
    network.open(family, SocketType::Stream, 0).unwrap()
}

fn at(address: &str) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address.parse().unwrap()))
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

/// Runs what a guest does on one thread, and checks that others get that thread
/// now and then: a timeout around it is kept, however it ends.
#[track_caller]
fn check_yields(guest: impl Future<Output = ()> + Send + 'static) {
    let (report, ended) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let _ = tokio::time::timeout(Duration::from_millis(500), guest).await;
        });
        report.send(()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_secs(20));
    assert!(ended.is_ok(), "the thread hangs");
}

async fn widen_by_a_failed_bind(family: Family, loopback: &str) {
    let network = network(&[&format!("listen tcp://{loopback}:*")], &[]);
    let any_port = at(&format!("{loopback}:0"));
    let taken = stream(&network, family);
    taken.bind(&any_port).await.unwrap();
    taken.listen(None).unwrap();

    // Shutting a listener down gives its port up, and a failed bind its address.
    let socket = stream(&network, family);
    socket.bind(&any_port).await.unwrap();
    socket.listen(None).unwrap();
    socket.shutdown(Shutdown::Read).unwrap();
    let second = socket.bind(&at(&local(&taken).to_string())).await;
    assert_eq!(code(second), Some(ErrorCode::InvalidArgument));
    let _ = socket.listen(None);
    assert!(local(&socket).ip().is_loopback(), "{}", local(&socket));
}

#[tokio::test]
async fn a_listener_stays_at_the_address_that_was_granted() {
    widen_by_a_failed_bind(Family::Inet, "127.0.0.1").await;
    widen_by_a_failed_bind(Family::Inet6, "[::1]").await;
}

#[tokio::test]
async fn a_failed_first_bind_grants_nothing() {
    let network = network(&["listen tcp://127.0.0.1:*"], &[]);
    let taken = stream(&network, Family::Inet);
    taken.bind(&at("127.0.0.1:0")).await.unwrap();
    taken.listen(None).unwrap();
    let socket = stream(&network, Family::Inet);
    let failed = socket.bind(&at(&local(&taken).to_string())).await;
    assert_eq!(code(failed), Some(ErrorCode::AddressInUse));
    assert_eq!(code(socket.listen(None)), Some(ErrorCode::AccessDenied));
}

#[tokio::test]
async fn a_port_that_the_os_chooses_is_not_a_denied_one() {
    for deny in ["listen tcp://*:1-65535", "listen tcp://127.0.0.1:1-65535"] {
        let network = network(&["listen tcp://127.0.0.1:*"], &[deny]);
        let socket = stream(&network, Family::Inet);
        let denied = match socket.bind(&at("127.0.0.1:0")).await {
            Ok(()) => socket.listen(None),
            Err(error) => Err(error),
        };
        assert_eq!(code(denied), Some(ErrorCode::AccessDenied), "{deny}");
    }
    let everywhere = network(&["listen tcp://*:*"], &["listen tcp://*:1-65535"]);
    let unbound = stream(&everywhere, Family::Inet6);
    assert_eq!(code(unbound.listen(None)), Some(ErrorCode::AccessDenied));
}

#[test]
fn a_stream_is_tcp_and_nothing_else() {
    let network = network(&["connect tcp://any:*"], &[]);
    for protocol in [0, 6] {
        let socket = network
            .open(Family::Inet, SocketType::Stream, protocol)
            .unwrap();
        assert_eq!(socket.protocol_number().unwrap(), 6);
    }
    for protocol in [1, 17, 33, 132, 136, 255, 256, 262, u16::MAX] {
        for family in [Family::Inet, Family::Inet6] {
            let other = network.open(family, SocketType::Stream, protocol);
            assert_eq!(
                code(other),
                Some(ErrorCode::ProtocolNotSupported),
                "{protocol}"
            );
        }
    }
    let raw = network.open(Family::Inet, SocketType::Raw, 1);
    assert_eq!(code(raw), Some(ErrorCode::PermissionRequired));
}

#[test]
fn waiting_for_urgent_data_after_the_last_word_ends() {
    check_yields(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let network = network(&[&format!("connect tcp://{address}")], &[]);
        let socket = stream(&network, Family::Inet);
        socket.connect(&at(&address)).await.unwrap();
        let (peer, _) = listener.accept().unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        socket
            .ready(Ready {
                urgent: true,
                ..Ready::default()
            })
            .await;
    });
}

/// A listener that has waited, was shut down, and has seen that.
async fn relistened() -> Socket {
    let network = network(&["listen tcp://127.0.0.1:*"], &[]);
    let mut socket = stream(&network, Family::Inet);
    socket.bind(&at("127.0.0.1:0")).await.unwrap();
    socket.listen(None).unwrap();
    socket.set_timeout(Some(Duration::from_millis(20)));
    let _ = socket.accept().await;
    socket.shutdown(Shutdown::Read).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let _ = socket.accept().await;
    socket.listen(None).unwrap();
    socket
}

#[test]
fn accepting_on_a_listener_that_was_shut_down_in_between_times_out() {
    check_yields(async {
        let timed_out = relistened().await.accept().await;
        assert_eq!(code(timed_out), Some(ErrorCode::TimedOut));
    });
}

#[test]
fn waiting_on_a_listener_that_was_shut_down_in_between_lets_others_go_on() {
    check_yields(async { relistened().await.ready(Ready::READABLE).await });
}

#[tokio::test]
async fn a_listener_that_was_shut_down_in_between_accepts() {
    let socket = relistened().await;
    let address = local(&socket);
    let visitor = thread::spawn(move || TcpStream::connect(address).unwrap());
    let mut patient = socket.duplicate();
    patient.set_timeout(Some(Duration::from_secs(10)));
    patient.accept().await.unwrap();
    visitor.join().unwrap();
}

#[test]
fn a_wait_that_began_before_a_connect_sees_its_end() {
    check_yields(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let network = network(&[&format!("connect tcp://{address}")], &[]);
        let socket = stream(&network, Family::Inet);
        let twin = socket.duplicate();
        let waits = async { twin.ready(Ready::WRITABLE).await };
        let connects = async { socket.connect(&at(&address)).await.unwrap() };
        tokio::join!(waits, connects);
    });
}

#[tokio::test]
async fn a_crowd_of_refused_peers_does_not_outlast_a_timeout() {
    let network = network(&["listen tcp://127.0.0.1:0 from 127.9.9.9"], &[]);
    let mut socket = stream(&network, Family::Inet);
    socket.bind(&at("127.0.0.1:0")).await.unwrap();
    socket.listen(None).unwrap();
    let address = local(&socket);
    let crowd = thread::spawn(move || {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(4) {
            let _ = TcpStream::connect(address);
        }
    });
    socket.set_timeout(Some(Duration::from_millis(100)));
    let begin = Instant::now();
    assert_eq!(code(socket.accept().await), Some(ErrorCode::TimedOut));
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    // Else the crowd would wait for room in its queue.
    drop(socket);
    crowd.join().unwrap();
}

#[tokio::test]
async fn a_chosen_port_is_denied_by_a_ceiling_and_by_the_host() {
    let ceiling =
        "version = 1\nallow = [\"listen tcp://*:*\"]\ndeny = [\"listen tcp://*:1-65535\"]";
    // The inner layer has no grant for the port that comes, and no deny.
    let granted = Policy::builder().allow("listen tcp://127.0.0.1:0");
    let kept = granted.clone().build().unwrap();
    for policy in [
        granted.ceiling("ceiling", ceiling).build().unwrap(),
        kept.denying(&["listen tcp://*:1-65535"]).unwrap(),
    ] {
        let network = Network::new(policy);
        let socket = stream(&network, Family::Inet);
        socket.bind(&at("127.0.0.1:0")).await.unwrap();
        assert_eq!(code(socket.listen(None)), Some(ErrorCode::AccessDenied));
        let opened = network.preopen("tcp://127.0.0.1:0").await;
        assert!(opened.is_err());
    }
}

#[tokio::test]
async fn a_socket_that_is_opened_for_a_guest_stays_below_the_ceiling() {
    let ceiling = "version = 1\nallow = [\"listen tcp://127.0.0.1:0\"]";
    let policy = Policy::builder().ceiling("ceiling", ceiling).build();
    let network = Network::new(policy.unwrap());
    assert!(network.preopen("tcp://127.0.0.1:0").await.is_ok());
    assert!(network.preopen("tcp://127.0.0.2:0").await.is_err());
}

#[test]
fn a_mistake_in_attenuating_is_told_on_one_line_and_names_the_grant() {
    let network = network(&["connect tcp://any:*"], &[]);
    let error = network.attenuate(&["connect tcp://a\n:1"]).unwrap_err();
    assert_eq!(
        error.message(),
        "grant 'connect tcp://a\\n:1': '\\n' does not belong in a name"
    );
}

#[test]
fn attenuation_is_bounded() {
    let network = network(&["connect tcp://any:*"], &[]);
    let many = vec!["connect tcp://10.0.0.1:1"; 257];
    assert_eq!(
        code(network.attenuate(&many)),
        Some(ErrorCode::InvalidArgument)
    );
    let long = ["x".repeat(17 * 1024)];
    assert_eq!(
        code(network.attenuate(&long)),
        Some(ErrorCode::InvalidArgument)
    );
    // All in a row count together: each may be looked at.
    let half = vec!["connect tcp://10.0.0.1:1"; 129];
    let outer = network.attenuate(&half).unwrap();
    assert_eq!(
        code(outer.attenuate(&half)),
        Some(ErrorCode::InvalidArgument)
    );
    let mut narrower = network;
    let deepest = (0..1000).find_map(|_| match narrower.attenuate(&["connect tcp://any:*"]) {
        Ok(next) => {
            narrower = next;
            None
        }
        Err(error) => Some(error),
    });
    assert_eq!(deepest.unwrap().code(), ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn a_denied_name_is_denied_by_the_numbers_that_it_led_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let deny = format!("connect tcp://evil.example:{}", address.port());
    let here: Vec<IpAddr> = vec![address.ip()];
    let resolver = TableResolver::from_iter([(Name::parse("evil.example").unwrap(), here)]);
    let network = network(&["connect tcp://any:*", "resolve *"], &[&deny]).with_resolver(resolver);
    let hints = ResolveHints::default();
    network
        .resolve(Some("evil.example"), None, hints)
        .await
        .unwrap();
    let denied = stream(&network, Family::Inet)
        .connect(&at(&address.to_string()))
        .await;
    assert_eq!(code(denied), Some(ErrorCode::AccessDenied));
}

#[tokio::test]
async fn many_names_of_one_address_do_not_make_a_connect_slow() {
    let network = network(&["resolve *"], &[]);
    for number in 0..5000 {
        let name = format!("n{number}.localhost");
        network
            .resolve(Some(&name), None, ResolveHints::default())
            .await
            .unwrap();
    }
    let begin = Instant::now();
    let denied = stream(&network, Family::Inet)
        .connect(&at("127.0.0.1:9"))
        .await;
    assert_eq!(code(denied), Some(ErrorCode::AccessDenied));
    assert!(
        begin.elapsed() < Duration::from_millis(500),
        "{:?}",
        begin.elapsed()
    );
}

/// A datagram socket without a grant whose receiving side is shut down.
fn ended(network: &Network, family: Family) -> Socket {
    let socket = match family {
        Family::Unix => network.pair(family, SocketType::Datagram, 0).unwrap().0,
        Family::Inet | Family::Inet6 => network.open(family, SocketType::Datagram, 0).unwrap(),
    };
    // Linux does it, and says that an unconnected one cannot be shut down.
    let _ = socket.shutdown(Shutdown::Read);
    socket
}

/// The kernel calls it readable for ever, and has nothing to read.
#[tokio::test]
async fn waiting_for_datagrams_after_the_end_ends() {
    for family in [Family::Inet, Family::Inet6, Family::Unix] {
        let network = network(&[], &[]);
        let socket = ended(&network, family);
        within_a_second(socket.ready(Ready::READABLE)).await;
        let poller = Poller::new(&network).unwrap();
        poller.add(&socket, 1, Ready::READABLE).unwrap();
        let events = within_a_second(poller.wait(None, 4)).await.unwrap();
        assert!(events[0].ready.readable, "{events:?}");
    }
}

#[tokio::test]
async fn waiting_on_a_unix_listener_after_the_end_ends() {
    let name = format!("portcullis-ended-{}", std::process::id());
    let network = network(&[&format!("listen unix:@{name}")], &[]);
    let socket = stream(&network, Family::Unix);
    let name = UnixAddress::Abstract(name.into_bytes());
    let endpoint = Endpoint::Address(SocketAddress::Unix(name));
    socket.bind(&endpoint).await.unwrap();
    socket.listen(None).unwrap();
    socket.shutdown(Shutdown::Read).unwrap();
    within_a_second(socket.ready(Ready::READABLE)).await;
    let accepted = within_a_second(socket.accept()).await;
    assert_eq!(code(accepted), Some(ErrorCode::InvalidArgument));
}

async fn within_a_second<T>(operation: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(Duration::from_secs(1), operation).await;
    ended.expect("it spins")
}

/// Refused datagrams that come faster than they are dropped.
#[tokio::test]
async fn a_crowd_of_refused_datagrams_does_not_outlast_a_poll() {
    let network = network(&["listen udp://127.0.0.1:0 from 127.9.9.9"], &[]);
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    socket.bind(&at("127.0.0.1:0")).await.unwrap();
    let address = local(&socket);
    let over = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..2)
        .map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
                while !over.load(Ordering::Relaxed) {
                    let _ = stranger.send_to(b"x", address);
                }
            })
        })
        .collect();
    let poller = Poller::new(&network).unwrap();
    poller.add(&socket, 1, Ready::READABLE).unwrap();
    let begin = Instant::now();
    for _ in 0..5 {
        let wait = poller.wait(Some(Duration::from_millis(20)), 4);
        assert_eq!(within_a_second(wait).await.unwrap(), []);
    }
    let elapsed = begin.elapsed();
    over.store(true, Ordering::Relaxed);
    for stranger in crowd {
        stranger.join().unwrap();
    }
    assert!(elapsed < Duration::from_millis(500), "{elapsed:?}");
}

#[tokio::test]
async fn a_million_datagrams_do_not_keep_the_thread() {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = sink.local_addr().unwrap().to_string();
    let network = network(&[&format!("connect udp://{address}")], &[]);
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    let to = at(&address);
    let datagrams: Vec<(&[u8], Option<&Endpoint>)> = vec![(b"", Some(&to)); 1_000_000];
    let begin = Instant::now();
    let sends = socket.send_datagrams(&datagrams, SendOptions::default());
    let _ = tokio::time::timeout(Duration::from_millis(50), sends).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
}
