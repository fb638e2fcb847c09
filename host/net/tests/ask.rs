//! Somebody is asked before a guest is denied what it was merely not granted.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_net::{
    Ask, Consent, Endpoint, Error, ErrorCode, Family, Network, SendOptions, Service, Socket,
    SocketAddress, SocketType, UnixAddress,
};
use portcullis_policy::{Denial, Policy, PolicyBuilder};
use tempfile::TempDir;

/// Answers always the same, and remembers for what.
#[derive(Clone)]
struct Oracle {
    answer: Consent,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Oracle {
    fn new(answer: Consent) -> Self {
        let asked = Arc::default();
        Self { answer, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn network(&self, policy: PolicyBuilder) -> Network {
        let policy = policy.build().unwrap().growing();
        Network::new(policy).with_ask(self.clone())
    }
}

impl Ask for Oracle {
    fn ask(&self, denial: &Denial) -> Consent {
        let grant = denial.grant().unwrap().to_string();
        self.asked.lock().unwrap().push(grant);
        self.answer
    }
}

fn open(network: &Network, kind: SocketType) -> Socket {
    let mut socket = network.open(Family::Inet, kind, 0).unwrap();
    socket.set_timeout(Some(Duration::from_secs(20)));
    socket
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address))
}

async fn connect(network: &Network, to: SocketAddr) -> Result<(), Error> {
    let socket = open(network, SocketType::Stream);
    socket.connect(&at(to)).await
}

#[track_caller]
fn assert_denied<T>(result: Result<T, Error>) {
    let code = result.err().map(|error| error.code());
    assert_eq!(code, Some(ErrorCode::AccessDenied));
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn what_is_granted_for_good_is_asked_once() {
    let (_listener, address) = listener();
    let oracle = Oracle::new(Consent::Always);
    let network = oracle.network(Policy::builder());
    let narrower = network.attenuate(&["connect tcp://loopback:*"]).unwrap();
    connect(&network, address).await.unwrap();
    connect(&network, address).await.unwrap();
    connect(&narrower, address).await.unwrap();
    assert_eq!(oracle.asked(), [format!("connect tcp://{address}")]);
}

#[tokio::test]
async fn what_is_granted_once_is_asked_again() {
    let (_listener, address) = listener();
    let oracle = Oracle::new(Consent::Once);
    let network = oracle.network(Policy::builder());
    connect(&network, address).await.unwrap();
    assert!(network.policy().check(request(address)).is_err());
    connect(&network, address).await.unwrap();
    assert_eq!(oracle.asked().len(), 2);
}

fn request(address: SocketAddr) -> portcullis_policy::Connect {
    portcullis_policy::Connect::new(portcullis_policy::Protocol::Tcp, address)
}

#[tokio::test]
async fn a_no_is_a_denial() {
    let (listener, address) = listener();
    let oracle = Oracle::new(Consent::Denied);
    assert_denied(connect(&oracle.network(Policy::builder()), address).await);
    assert_eq!(oracle.asked().len(), 1);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[tokio::test]
async fn nobody_is_asked_where_a_grant_would_not_do() {
    let (_listener, address) = listener();
    let oracle = Oracle::new(Consent::Always);
    let denied = oracle.network(Policy::builder().deny("connect tcp://loopback:*"));
    assert_denied(connect(&denied, address).await);
    let ceiling = "version = 1\nallow = [\"connect tcp://public:*\"]";
    let bounded = oracle.network(Policy::builder().ceiling("ceiling.toml", ceiling));
    assert_denied(connect(&bounded, address).await);
    let open = oracle.network(Policy::builder().allow("connect tcp://public:*"));
    let narrower = open.attenuate(&["connect tcp://public:*"]).unwrap();
    assert_denied(connect(&narrower, address).await);
    let fixed = Network::new(Policy::default()).with_ask(oracle.clone());
    assert_denied(connect(&fixed, address).await);
    assert_eq!(oracle.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn once_by_name_is_for_the_lookup_and_the_connection() {
    let (_listener, address) = listener();
    let oracle = Oracle::new(Consent::Once);
    let hosts = "version = 1\n[hosts]\n\"db.internal\" = [\"127.0.0.1\"]";
    let network = oracle.network(Policy::builder().file("policy.toml", hosts));
    let by_name = Endpoint::Name {
        host: "db.internal".into(),
        port: Service::Port(address.port()),
    };
    let by_name = async || open(&network, SocketType::Stream).connect(&by_name).await;
    by_name().await.unwrap();
    let grant = format!("connect tcp://db.internal:{}", address.port());
    // That a name leads to loopback is for another grant.
    assert_eq!(
        oracle.asked(),
        [grant.clone(), format!("{grant} in loopback")]
    );
    assert_denied(connect_as_denied(&network, &oracle, address).await);
}

/// Connects to the number, while nobody grants anything.
async fn connect_as_denied(
    network: &Network,
    oracle: &Oracle,
    address: SocketAddr,
) -> Result<(), Error> {
    let strict = Oracle {
        answer: Consent::Denied,
        ..oracle.clone()
    };
    connect(&network.clone().with_ask(strict), address).await
}

#[tokio::test]
async fn once_is_for_one_datagram() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let to = at(peer.local_addr().unwrap());
    let oracle = Oracle::new(Consent::Once);
    let network = oracle.network(Policy::builder());
    let socket = open(&network, SocketType::Datagram);
    for times in 1..=2 {
        let sent = socket.send_to(b"hello", SendOptions::default(), &to).await;
        assert_eq!(sent.unwrap(), 5);
        assert_eq!(peer.recv(&mut [0; 8]).unwrap(), 5);
        assert_eq!(oracle.asked().len(), times);
    }
}

#[tokio::test]
async fn a_server_that_is_granted_hears_who_comes() {
    let oracle = Oracle::new(Consent::Always);
    let network = oracle.network(Policy::builder());
    let local = at((IpAddr::from([127, 0, 0, 1]), 0).into());
    let datagrams = open(&network, SocketType::Datagram);
    datagrams.bind(&local).await.unwrap();
    let streams = open(&network, SocketType::Stream);
    streams.bind(&local).await.unwrap();
    streams.listen(None).unwrap();
    let address = |socket: &Socket| match socket.local_address().unwrap() {
        SocketAddress::Inet(address) => address,
        SocketAddress::Unix(_) => unreachable!(),
    };
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.send_to(b"hello", address(&datagrams)).unwrap();
    let received = datagrams.receive(8, Default::default()).await.unwrap();
    assert_eq!(received, b"hello");
    let _visitor = std::net::TcpStream::connect(address(&streams)).unwrap();
    streams.accept().await.unwrap();
    assert!(
        oracle
            .asked()
            .contains(&"listen udp://127.0.0.1:0".to_owned())
            && oracle
                .asked()
                .contains(&"listen tcp://127.0.0.1:0".to_owned()),
        "{:?}",
        oracle.asked()
    );
}

#[tokio::test]
async fn a_path_and_where_it_leads_are_asked_about_apart() {
    let folder = TempDir::new().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    std::fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(real.join("app.sock")).unwrap();
    let path = link.join("app.sock").display().to_string();
    let oracle = Oracle::new(Consent::Once);
    let network = oracle.network(Policy::builder());
    let mut socket = network.open(Family::Unix, SocketType::Stream, 0).unwrap();
    socket.set_timeout(Some(Duration::from_secs(20)));
    let path = UnixAddress::Path(path.clone().into_bytes());
    let endpoint = Endpoint::Address(SocketAddress::Unix(path));
    socket.connect(&endpoint).await.unwrap();
    let asked = oracle.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked.first().unwrap().ends_with("/link/app.sock"),
        "{asked:?}"
    );
    assert!(
        asked.last().unwrap().ends_with("/real/app.sock"),
        "{asked:?}"
    );
}
