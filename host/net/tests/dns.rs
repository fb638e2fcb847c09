//! The DNS resolver against a name server of our own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the name server is not a guest"
)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_net::{
    DnsResolver, Endpoint, ErrorCode, Family, Network, ResolveHints, Service, SocketType,
};
use portcullis_policy::Policy;

const A: u16 = 1;
const AAAA: u16 = 28;

/// A name server that knows `db.example` and remembers what it was asked.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
}

impl NameServer {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<(String, u16)>>>::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                let (name, kind, end) = question(&query[..length]);
                log.lock().unwrap().push((name.clone(), kind));
                socket
                    .send_to(&answer(&query[..end], &name, kind), client)
                    .unwrap();
            }
        });
        Self { address, asked }
    }

    fn network(&self) -> Network {
        let policy = Policy::builder().allow("resolve *").build().unwrap();
        Network::new(policy).with_resolver(DnsResolver::at(self.address))
    }

    fn asked_names(&self) -> Vec<String> {
        self.asked().map(|(name, _)| name).collect()
    }

    fn asked(&self) -> impl Iterator<Item = (String, u16)> + use<> {
        self.asked.lock().unwrap().clone().into_iter()
    }

    /// How often IPv4 addresses were asked for.
    fn asked_for_ipv4(&self) -> usize {
        self.asked().filter(|(_, kind)| *kind == A).count()
    }
}

/// The name asked for, the type, and where the question ends (RFC 1035, 4.1).
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (labels.join(".").to_lowercase(), kind, at + 5)
}

fn answer(question: &[u8], name: &str, kind: u16) -> Vec<u8> {
    let data: &[u8] = match (name, kind) {
        ("db.example" | "short.example", A) => &[192, 0, 2, 7],
        ("db.example", AAAA) => &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7],
        _ => &[],
    };
    let code = match name {
        "refused.example" => 5,
        "broken.example" => 2,
        "db.example" | "short.example" | "empty.example" => 0,
        _ => 3,
    };
    let time_to_live: u32 = if name == "short.example" { 1 } else { 300 };
    let mut reply = question.to_vec();
    reply[2..12].copy_from_slice(&[
        0x84,
        0x80 | code,
        0,
        1,
        0,
        u8::from(!data.is_empty()),
        0,
        0,
        0,
        0,
    ]);
    if !data.is_empty() {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(time_to_live.to_be_bytes());
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
    reply
}

async fn addresses(network: &Network, name: &str) -> Result<Vec<String>, ErrorCode> {
    let found = network
        .resolve(Some(name), None, ResolveHints::default())
        .await;
    let mut addresses: Vec<_> = found
        .map_err(|error| error.code())?
        .iter()
        .map(|info| info.address.ip().to_string())
        .collect();
    addresses.dedup();
    Ok(addresses)
}

#[tokio::test]
async fn a_name_has_its_addresses_of_both_families() {
    let server = NameServer::start();
    let mut found = addresses(&server.network(), "DB.example.").await.unwrap();
    found.sort();
    assert_eq!(found, ["192.0.2.7", "2001:db8::7"]);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let network = NameServer::start().network();
    for (name, code) in [
        ("nobody.example", ErrorCode::NameNotFound),
        ("empty.example", ErrorCode::NameNoData),
        ("refused.example", ErrorCode::NameLookupFailed),
        ("broken.example", ErrorCode::NameTemporaryFailure),
    ] {
        assert_eq!(addresses(&network, name).await, Err(code), "{name}");
    }
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_to_live_and_no_longer() {
    let server = NameServer::start();
    let network = server.network();
    addresses(&network, "short.example").await.unwrap();
    let asked = server.asked_for_ipv4();
    addresses(&network, "short.example").await.unwrap();
    assert_eq!(server.asked_for_ipv4(), asked, "it is remembered");
    let begin = Instant::now();
    while server.asked_for_ipv4() == asked {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "it is never asked again"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        addresses(&network, "short.example").await.unwrap();
    }
    assert!(
        begin.elapsed() >= Duration::from_millis(500),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn what_is_asked_is_what_was_checked() {
    let server = NameServer::start();
    // Without search domains, whatever this machine is set up with.
    let _ = addresses(&server.network(), "single").await;
    assert!(
        server.asked_names().iter().all(|name| name == "single"),
        "{:?}",
        server.asked_names()
    );
}

#[tokio::test]
async fn an_ungranted_name_and_localhost_are_never_asked_for() {
    let server = NameServer::start();
    let policy = Policy::builder()
        .allow("resolve other.example")
        .build()
        .unwrap();
    let network = server.network().with_policy(policy);
    assert_eq!(
        addresses(&network, "db.example").await,
        Err(ErrorCode::AccessDenied)
    );
    assert_eq!(
        addresses(&network, "deep.localhost").await.unwrap(),
        ["::1", "127.0.0.1"]
    );
    assert!(server.asked_names().is_empty());
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_is_a_failure_that_may_pass() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    drop(silent);
    let policy = Policy::builder().allow("resolve *").build().unwrap();
    let network = Network::new(policy).with_resolver(DnsResolver::at(address));
    assert_eq!(
        addresses(&network, "db.example").await,
        Err(ErrorCode::NameTemporaryFailure)
    );
}

#[tokio::test]
async fn a_timeout_covers_the_lookup() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let policy = Policy::builder()
        .allow("connect tcp://db.example:1")
        .build()
        .unwrap();
    let resolver = DnsResolver::at(silent.local_addr().unwrap());
    let network = Network::new(policy).with_resolver(resolver);
    let mut socket = network.open(Family::Inet, SocketType::Stream, 0).unwrap();
    socket.set_timeout(Some(Duration::from_millis(100)));
    let server = Endpoint::Name {
        host: "db.example".into(),
        port: Service::Port(1),
    };
    let begin = Instant::now();
    let error = socket.connect(&server).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TimedOut);
    assert!(begin.elapsed() < Duration::from_secs(2));
}
