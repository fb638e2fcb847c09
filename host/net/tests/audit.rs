//! What the audit hears of sockets: each event, in order, and nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portcullis_net::{
    Audit, Endpoint, ErrorCode, Event, Family, Network, Poller, Ready, ReceiveOptions,
    ResolveHints, ReverseOptions, SendOptions, Service, Socket, SocketAddress, SocketType,
    TableResolver, UnixAddress,
};
use portcullis_policy::{Name, Policy};

/// An audit that writes each event down on a line, and fails when told to.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// How many more lines there is room for.
    room: Option<usize>,
}

impl Audit for Journal {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        match &mut state.room {
            None => {}
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(room) => *room -= 1,
        }
        state.lines.push(line(event));
        Ok(())
    }
}

impl Journal {
    /// What was heard since, with `{0}`, `{1}` for addresses that differ each time.
    fn take(&self, addresses: &[SocketAddr]) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.0.lock().unwrap().lines);
        for line in &mut lines {
            for (number, address) in addresses.iter().enumerate() {
                *line = line.replace(&address.to_string(), &format!("{{{number}}}"));
            }
        }
        lines
    }

    fn has_room_for(&self, lines: usize) {
        self.0.lock().unwrap().room = Some(lines);
    }
}

fn line(event: Event<'_>) -> String {
    let on = |socket: Option<u64>| socket.map_or(String::new(), |socket| format!("#{socket} "));
    match event {
        Event::Accepted(event) => format!(
            "#{} accepted at #{} {} from {}",
            event.socket,
            event.listener,
            place(event.local),
            place(Some(event.remote))
        ),
        Event::Allowed(event) => match (event.shadowed, event.grant) {
            (Some(denial), _) => format!("{}shadow {}", on(event.socket), denial),
            (None, None) => format!("{}allow {}", on(event.socket), event.request),
            (None, Some(grant)) => {
                format!("{}allow {} by {grant}", on(event.socket), event.request)
            }
        },
        Event::Closed(event) => format!(
            "#{} closed {} {} bytes {}/{} datagrams {}/{}",
            event.socket,
            place(event.local),
            place(event.remote),
            event.bytes_sent,
            event.bytes_received,
            event.datagrams_sent,
            event.datagrams_received,
        ),
        Event::Connected(event) => format!(
            "#{} connected {} to {}",
            event.socket,
            place(event.local),
            place(Some(event.remote))
        ),
        Event::Denied(event) => format!("{}deny {}", on(event.socket), event.denial),
        Event::LookedUp(event) => match event.outcome {
            Ok(answer) => format!(
                "{}{} is {:?} through {:?}",
                on(event.socket),
                event.name,
                answer.addresses,
                answer.chain.iter().map(Name::as_str).collect::<Vec<_>>()
            ),
            Err(error) => format!("{}{} is not known: {error}", on(event.socket), event.name),
        },
        Event::Opened(event) => {
            format!(
                "#{} opened {:?} {:?}",
                event.socket, event.family, event.kind
            )
        }
        Event::Refused(event) => format!("#{} refuse {}", event.socket, event.denial),
        Event::ReverseLookedUp(event) => match event.outcome {
            Ok(names) => format!("{} is {}", event.address, names.first().unwrap().as_str()),
            Err(error) => format!("{} has no name: {error}", event.address),
        },
        other @ (Event::Limited(_) | _) => panic!("{other:?}"),
    }
}

fn place(address: Option<&SocketAddress>) -> String {
    match address {
        None => "nowhere".to_owned(),
        Some(SocketAddress::Inet(address)) => address.to_string(),
        Some(SocketAddress::Unix(UnixAddress::Unnamed)) => "unnamed".to_owned(),
        Some(SocketAddress::Unix(UnixAddress::Path(path))) => {
            format!("unix:{}", String::from_utf8_lossy(path))
        }
        Some(SocketAddress::Unix(UnixAddress::Abstract(name))) => {
            format!("unix:@{}", String::from_utf8_lossy(name))
        }
    }
}

fn rules(allow: &[&str], deny: &[&str]) -> Policy {
    let policy = Policy::builder();
    let policy = allow.iter().fold(policy, |policy, rule| policy.allow(rule));
    let policy = deny.iter().fold(policy, |policy, rule| policy.deny(rule));
    policy.build().unwrap()
}

fn audited(policy: Policy) -> (Network, Journal) {
    let journal = Journal::default();
    let network = Network::new(policy).with_audit(journal.clone());
    (network, journal)
}

fn names() -> TableResolver {
    let name = |text| Name::parse(text).unwrap();
    let here = vec!["127.0.0.1".parse().unwrap()];
    TableResolver::from_iter([(name("db.internal"), here)])
        .with_alias(name("db"), name("db.internal"))
}

fn open(network: &Network, family: Family, kind: SocketType) -> Socket {
    let mut socket = network.open(family, kind, 0).unwrap();
    socket.set_timeout(Some(Duration::from_secs(20)));
    socket
}

fn stream(network: &Network) -> Socket {
    open(network, Family::Inet, SocketType::Stream)
}

fn datagram(network: &Network) -> Socket {
    open(network, Family::Inet, SocketType::Datagram)
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address))
}

fn any_port() -> Endpoint {
    at(([127, 0, 0, 1], 0).into())
}

fn by_name(host: &str, port: u16) -> Endpoint {
    Endpoint::Name {
        host: host.into(),
        port: Service::Port(port),
    }
}

fn unix(path: &Path) -> Endpoint {
    use std::os::unix::ffi::OsStrExt;
    let path = path.as_os_str().as_bytes().to_vec();
    Endpoint::Address(SocketAddress::Unix(UnixAddress::Path(path)))
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

async fn exchange(socket: &Socket, sent: &[u8], received: usize) {
    socket.send_all(sent).await.unwrap();
    let options = ReceiveOptions {
        wait_all: true,
        ..ReceiveOptions::default()
    };
    assert_eq!(
        socket.receive(received, options).await.unwrap().len(),
        received
    );
}

#[track_caller]
fn ended_by_the_audit<T: Debug>(result: Result<T, portcullis_net::Error>) {
    let error = result.unwrap_err();
    let failure = error.audit_failure().unwrap();
    assert_eq!(failure.reason().kind(), io::ErrorKind::StorageFull);
    assert_eq!(error.to_string(), "audit: no storage space");
}

#[tokio::test]
async fn a_client_by_name_is_heard_from_open_to_close() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let served = thread::spawn(move || {
        let mut connection = server.accept().unwrap().0;
        let mut question = [0; 4];
        connection.read_exact(&mut question).unwrap();
        connection.write_all(b"answer").unwrap();
    });
    let grant = format!("connect tcp://db:{} in loopback", address.port());
    let (network, journal) = audited(rules(&[&grant], &[]));
    let network = network.with_resolver(names());
    let socket = stream(&network);
    socket
        .connect(&by_name("db", address.port()))
        .await
        .unwrap();
    exchange(&socket, b"ping", 6).await;
    let here = local(&socket);
    let other = socket.duplicate();
    drop(socket);
    drop(other);
    served.join().unwrap();
    let port = address.port();
    assert_eq!(
        journal.take(&[address, here]),
        [
            "#1 opened Inet Stream".to_owned(),
            format!("#1 allow connect tcp://db:{port} by {grant}"),
            "#1 db is [127.0.0.1] through [\"db.internal\"]".to_owned(),
            format!("#1 allow connect tcp://db:{port} by {grant}"),
            "#1 connected {1} to {0}".to_owned(),
            "#1 closed {1} {0} bytes 4/6 datagrams 0/0".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_server_is_heard_with_each_of_its_connections() {
    let (network, journal) = audited(rules(&["listen tcp://127.0.0.1:0 from loopback"], &[]));
    let listener = stream(&network);
    listener.bind(&any_port()).await.unwrap();
    listener.listen(None).unwrap();
    let address = local(&listener);
    let mut client = TcpStream::connect(address).unwrap();
    let remote = client.local_addr().unwrap();
    // Who only looks whether somebody is there lets them in, once.
    listener.ready(Ready::READABLE).await;
    let (connection, _) = listener.accept().await.unwrap();
    client.write_all(b"hello").unwrap();
    assert_eq!(
        connection
            .receive(5, ReceiveOptions::default())
            .await
            .unwrap(),
        b"hello"
    );
    drop(connection);
    drop(listener);
    let listen = "listen tcp://127.0.0.1:0 from loopback";
    assert_eq!(
        journal.take(&[address, remote]),
        [
            "#1 opened Inet Stream".to_owned(),
            format!("#1 allow bind tcp://127.0.0.1:0 by {listen}"),
            format!("#1 allow listen tcp://127.0.0.1:0 by {listen}"),
            format!("#1 allow accept tcp://127.0.0.1:0 from 127.0.0.1 by {listen}"),
            "#2 accepted at #1 {0} from {1}".to_owned(),
            "#2 closed {0} {1} bytes 0/5 datagrams 0/0".to_owned(),
            "#1 closed {0} nowhere bytes 0/0 datagrams 0/0".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_connection_that_nobody_waited_for_is_heard_of_when_it_shows() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let grant = format!("connect tcp://{address}");
    let (network, journal) = audited(rules(&[&grant], &[]));
    let mut socket = stream(&network);
    socket.set_timeout(Some(Duration::ZERO));
    let begun = socket.connect(&at(address)).await;
    assert_eq!(begun.unwrap_err().code(), ErrorCode::InProgress);
    socket.ready(Ready::WRITABLE).await;
    assert!(socket.take_error().unwrap().is_none());
    let here = local(&socket);
    socket.send(b"x", SendOptions::default()).await.unwrap();
    assert_eq!(
        journal.take(&[address, here]),
        [
            "#1 opened Inet Stream",
            "#1 allow connect tcp://{0} by connect tcp://{0}",
            "#1 connected {1} to {0}",
        ]
    );
}

#[tokio::test]
async fn what_is_denied_and_who_is_refused_is_heard() {
    let (network, journal) = audited(rules(&["listen tcp://127.0.0.1:0 from 127.0.0.2"], &[]));
    let listener = stream(&network);
    listener.bind(&any_port()).await.unwrap();
    listener.listen(None).unwrap();
    let address = local(&listener);
    journal.take(&[]);
    let stranger = TcpStream::connect(address).unwrap();
    let mut impatient = listener.duplicate();
    impatient.set_timeout(Some(Duration::from_millis(50)));
    let alone = impatient.accept().await.unwrap_err();
    assert_eq!(alone.code(), ErrorCode::TimedOut);
    let denied = stream(&network).connect(&at(address)).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::AccessDenied);
    assert!(denied.audit_failure().is_none());
    drop(stranger);
    let denied = network.resolve(Some("db"), None, ResolveHints::default());
    assert_eq!(denied.await.unwrap_err().code(), ErrorCode::AccessDenied);
    let nearest = "nearest: listen tcp://127.0.0.1:0 from 127.0.0.2";
    assert_eq!(
        journal.take(&[address]),
        [
            "#1 refuse accept tcp://127.0.0.1:0 from 127.0.0.1: the peer 127.0.0.1 is \
             outside of: listen tcp://127.0.0.1:0 from 127.0.0.2"
                .to_owned(),
            "#2 opened Inet Stream".to_owned(),
            format!(
                "#2 deny connect tcp://{{0}}: no grant covers it; {nearest} (verb and port differ)"
            ),
            "#2 closed nowhere nowhere bytes 0/0 datagrams 0/0".to_owned(),
            "deny resolve db: no grant covers it".to_owned(),
        ]
    );
}

#[tokio::test]
async fn lookups_are_heard_with_what_they_led_to() {
    let (network, journal) = audited(rules(&["resolve *"], &["resolve denied.internal"]));
    let name = |text| Name::parse(text).unwrap();
    let network = network.with_resolver(
        names()
            .with_alias(name("bad"), name("denied.internal"))
            .with_alias(name("denied.internal"), name("db.internal")),
    );
    let hints = ResolveHints::default();
    for host in ["localhost", "db", "nobody", "bad"] {
        let _ = network.resolve(Some(host), None, hints).await;
    }
    let loopback = SocketAddress::Inet("127.0.0.1:0".parse().unwrap());
    let there = SocketAddress::Inet("10.0.0.5:0".parse().unwrap());
    let options = ReverseOptions::default();
    network.reverse(&loopback, options).await.unwrap();
    let _ = network.reverse(&there, options).await;
    assert_eq!(
        journal.take(&[]),
        [
            "allow resolve localhost by resolve *",
            "localhost is [::1, 127.0.0.1] through []",
            "allow resolve db by resolve *",
            "db is [127.0.0.1] through [\"db.internal\"]",
            "allow resolve nobody by resolve *",
            "nobody is not known: nobody: no such name",
            "allow resolve bad by resolve *",
            "bad is [127.0.0.1] through [\"denied.internal\", \"db.internal\"]",
            "deny resolve denied.internal: denied by: resolve denied.internal",
            "allow resolve 5.0.0.10.in-addr.arpa by resolve *",
            "10.0.0.5 has no name: 5.0.0.10.in-addr.arpa: no such name",
        ]
    );
}

#[tokio::test]
async fn datagrams_are_heard_once_for_each_correspondent_in_a_row() {
    let (one, other) = (peer(), peer());
    let addresses = [one.local_addr().unwrap(), other.local_addr().unwrap()];
    let (network, journal) = audited(rules(
        &["listen udp://127.0.0.1:0", "connect udp://127.0.0.1:*"],
        &[],
    ));
    let socket = datagram(&network);
    socket.bind(&any_port()).await.unwrap();
    let here = local(&socket);
    for to in [0, 0, 1, 0] {
        let to = at(addresses[to]);
        let sent = socket.send_to(b"ab", SendOptions::default(), &to).await;
        assert_eq!(sent.unwrap(), 2);
    }
    for stranger in [peer(), peer()] {
        for _ in 0..2 {
            stranger.send_to(b"abc", here).unwrap();
            let received = socket.receive_datagrams(1, 2, ReceiveOptions::default());
            assert_eq!(received.await.unwrap()[0].length, 3);
        }
    }
    drop(socket);
    let (listen, connect) = ("listen udp://127.0.0.1:0", "connect udp://127.0.0.1:*");
    let accept = format!("#1 allow accept udp://127.0.0.1:0 from 127.0.0.1 by {listen}");
    assert_eq!(
        journal.take(&[addresses[0], addresses[1], here]),
        [
            "#1 opened Inet Datagram".to_owned(),
            format!("#1 allow bind udp://127.0.0.1:0 by {listen}"),
            format!("#1 allow connect udp://{{0}} by {connect}"),
            format!("#1 allow connect udp://{{1}} by {connect}"),
            format!("#1 allow connect udp://{{0}} by {connect}"),
            accept.clone(),
            accept,
            "#1 closed {2} nowhere bytes 8/12 datagrams 4/4".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_unix_socket_is_heard_by_the_name_asked_for_and_the_real_one() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let real = folder.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let tree = format!("{}/**", folder.path().display());
    let (network, journal) = audited(rules(
        &[
            &format!("listen unix:{tree}"),
            &format!("connect unix:{tree}"),
        ],
        &[],
    ));
    let listener = open(&network, Family::Unix, SocketType::Stream);
    listener.bind(&unix(&real.join("app.sock"))).await.unwrap();
    listener.listen(None).unwrap();
    let client = open(&network, Family::Unix, SocketType::Stream);
    client.connect(&unix(&link.join("app.sock"))).await.unwrap();
    let (connection, _) = listener.accept().await.unwrap();
    drop((client, connection, listener));
    let root = folder.path().display().to_string();
    let lines = journal.take(&[]).into_iter();
    let lines: Vec<_> = lines.map(|line| line.replace(&root, "")).collect();
    assert_eq!(
        lines,
        [
            "#1 opened Unix Stream",
            "#1 allow bind unix:/real/app.sock by listen unix:/**",
            "#1 allow listen unix:/real/app.sock by listen unix:/**",
            "#2 opened Unix Stream",
            "#2 allow connect unix:/link/app.sock by connect unix:/**",
            "#2 allow connect unix:/real/app.sock by connect unix:/**",
            "#2 connected nowhere to unix:/real/app.sock",
            "#1 allow listen unix:/real/app.sock by listen unix:/**",
            "#3 accepted at #1 unix:/real/app.sock from unnamed",
            "#2 closed nowhere unix:/real/app.sock bytes 0/0 datagrams 0/0",
            "#3 closed unix:/real/app.sock unnamed bytes 0/0 datagrams 0/0",
            "#1 closed unix:/real/app.sock nowhere bytes 0/0 datagrams 0/0",
        ]
    );
}

#[tokio::test]
async fn to_whom_a_unix_datagram_socket_answers_is_told() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let hear = format!("listen unixgram:{}", here.display());
    let answer = format!("connect unixgram:{}", there.display());
    let (network, journal) = audited(rules(&[&hear, &answer], &[]));
    let socket = open(&network, Family::Unix, SocketType::Datagram);
    socket.bind(&unix(&here)).await.unwrap();
    let peer = std::os::unix::net::UnixDatagram::bind(&there).unwrap();
    peer.send_to(b"question", &here).unwrap();
    let options = ReceiveOptions::default();
    socket.receive_from(100, options).await.unwrap();
    let options = SendOptions::default();
    let there = unix(&there);
    for _ in 0..2 {
        socket.send_to(b"answer", options, &there).await.unwrap();
    }
    drop(socket);
    let root = folder.path().display().to_string();
    let lines = journal.take(&[]).into_iter();
    let lines: Vec<_> = lines.map(|line| line.replace(&root, "")).collect();
    assert_eq!(
        lines,
        [
            "#1 opened Unix Datagram",
            "#1 allow bind unixgram:/here by listen unixgram:/here",
            "#1 allow listen unixgram:/here by listen unixgram:/here",
            "#1 allow connect unixgram:/there by connect unixgram:/there",
            "#1 closed unix:/here nowhere bytes 12/8 datagrams 2/1",
        ]
    );
}

#[tokio::test]
async fn a_denied_bind_is_told_as_what_it_is() {
    let (network, journal) = audited(rules(&[], &["bind udp://127.0.0.1:0"]));
    let socket = datagram(&network);
    let denied = socket.bind(&any_port()).await.unwrap_err();
    assert_eq!(denied.message(), "bind udp://127.0.0.1:0 is not granted");
    assert_eq!(
        journal.take(&[]).last().unwrap(),
        "#1 deny bind udp://127.0.0.1:0: denied by: bind udp://127.0.0.1:0"
    );
}

/// What a policy learns from: each of these is a grant that was missing.
#[track_caller]
fn shadows(journal: &Journal, addresses: &[SocketAddr]) -> Vec<String> {
    let lines = journal.take(addresses);
    let shadow = |line: &String| line.contains("shadow ");
    lines.into_iter().filter(shadow).collect()
}

fn shadowed(allow: &[&str], deny: &[&str]) -> (Network, Journal) {
    audited(rules(allow, deny).shadowed())
}

#[tokio::test]
async fn a_shadowed_server_lacks_bind_then_listen_then_its_peers() {
    let (network, journal) = shadowed(&[], &[]);
    let listener = stream(&network);
    listener.bind(&any_port()).await.unwrap();
    listener.listen(None).unwrap();
    let client = TcpStream::connect(local(&listener)).unwrap();
    listener.accept().await.unwrap();
    drop(client);
    assert_eq!(
        shadows(&journal, &[]),
        [
            "#1 shadow bind tcp://127.0.0.1:0: no grant covers it",
            "#1 shadow listen tcp://127.0.0.1:0: no grant covers it",
            "#1 shadow accept tcp://127.0.0.1:0 from 127.0.0.1: no grant covers it",
        ]
    );
}

#[tokio::test]
async fn a_shadowed_client_lacks_what_it_did_under_the_name_it_used() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let port = address.port();
    let deny = format!("connect tcp://127.0.0.1:{port}");
    let (network, journal) = shadowed(&[], &[&deny]);
    let network = network.with_resolver(names());
    let hints = ResolveHints::default();
    network.resolve(Some("db"), None, hints).await.unwrap();
    stream(&network).connect(&at(address)).await.unwrap();
    assert_eq!(
        shadows(&journal, &[]),
        [
            "shadow resolve db: no grant covers it".to_owned(),
            format!("#1 shadow connect tcp://db:{port}: denied by: {deny}"),
        ]
    );
    let (network, journal) = shadowed(&[], &[]);
    let network = network.with_resolver(names());
    network.resolve(Some("db"), None, hints).await.unwrap();
    let socket = stream(&network);
    socket.connect(&at(address)).await.unwrap();
    assert_eq!(
        shadows(&journal, &[]),
        [
            "shadow resolve db: no grant covers it".to_owned(),
            format!("#1 shadow connect tcp://db:{port}: no grant covers it"),
        ]
    );
}

#[tokio::test]
async fn a_shadowed_datagram_socket_listens_only_if_a_stranger_writes() {
    let friend = peer();
    let address = friend.local_addr().unwrap();
    let (network, journal) = shadowed(&[], &[]);
    let socket = datagram(&network);
    socket.bind(&any_port()).await.unwrap();
    let here = local(&socket);
    let options = SendOptions::default();
    socket.send_to(b"?", options, &at(address)).await.unwrap();
    friend.send_to(b"!", here).unwrap();
    let received = socket.receive_from(1, ReceiveOptions::default()).await;
    assert_eq!(received.unwrap().data, b"!");
    assert_eq!(
        shadows(&journal, &[address]),
        [
            "#1 shadow bind udp://127.0.0.1:0: no grant covers it",
            "#1 shadow connect udp://{0}: no grant covers it",
        ]
    );
    let stranger = peer();
    for _ in 0..2 {
        stranger.send_to(b"?", here).unwrap();
        socket.ready(Ready::READABLE).await;
        let asked = socket
            .receive_from(1, ReceiveOptions::default())
            .await
            .unwrap();
        let to = Endpoint::Address(asked.source);
        socket.send_to(b"!", options, &to).await.unwrap();
    }
    let accept = "#1 shadow accept udp://127.0.0.1:0 from 127.0.0.1: no grant covers it";
    assert_eq!(shadows(&journal, &[]), [accept, accept], "in, and back");
}

#[tokio::test]
async fn of_a_shadowed_policy_what_is_granted_goes_before() {
    let granted = peer();
    let address = granted.local_addr().unwrap();
    let connect = format!("connect udp://{address}");
    let (network, journal) = shadowed(&["bind udp://127.0.0.1:0", &connect], &[]);
    let socket = datagram(&network);
    socket.bind(&any_port()).await.unwrap();
    granted.send_to(b"?", local(&socket)).unwrap();
    let received = socket.receive_from(1, ReceiveOptions::default()).await;
    assert_eq!(received.unwrap().data, b"?");
    let options = SendOptions::default();
    socket.send_to(b"!", options, &at(address)).await.unwrap();
    drop(socket);
    let line = format!("#1 allow {connect} by {connect}");
    let lines = journal.take(&[]);
    assert_eq!(
        lines[1],
        "#1 allow bind udp://127.0.0.1:0 by bind udp://127.0.0.1:0"
    );
    assert_eq!(lines[2..4], [line.clone(), line]);
}

#[tokio::test]
async fn a_shadowed_unix_datagram_socket_listens_only_if_a_stranger_writes() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let path = |name: &str| folder.path().join(name);
    let friend = std::os::unix::net::UnixDatagram::bind(path("friend")).unwrap();
    let stranger = std::os::unix::net::UnixDatagram::bind(path("stranger")).unwrap();
    let (network, journal) = shadowed(&[], &[]);
    let socket = open(&network, Family::Unix, SocketType::Datagram);
    socket.bind(&unix(&path("here"))).await.unwrap();
    let options = SendOptions::default();
    socket
        .send_to(b"?", options, &unix(&path("friend")))
        .await
        .unwrap();
    friend.send_to(b"!", path("here")).unwrap();
    let received = || socket.receive_from(1, ReceiveOptions::default());
    assert_eq!(received().await.unwrap().data, b"!");
    let root = folder.path().display().to_string();
    let lacks = || -> Vec<_> {
        let lines = shadows(&journal, &[]).into_iter();
        lines.map(|line| line.replace(&root, "")).collect()
    };
    assert_eq!(
        lacks(),
        [
            "#1 shadow bind unixgram:/here: no grant covers it",
            "#1 shadow connect unixgram:/friend: no grant covers it",
        ]
    );
    for _ in 0..2 {
        stranger.send_to(b"?", path("here")).unwrap();
        assert_eq!(received().await.unwrap().data, b"?");
    }
    assert_eq!(
        lacks(),
        ["#1 shadow listen unixgram:/here: no grant covers it"]
    );
}

#[tokio::test]
async fn what_a_narrower_network_denies_no_shadow_lets_pass() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (network, journal) = shadowed(&[], &[]);
    let narrow = network.attenuate(&["connect tcp://127.0.0.2:*"]).unwrap();
    let address = server.local_addr().unwrap();
    let denied = stream(&narrow).connect(&at(address)).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::AccessDenied);
    let lines = journal.take(&[address]);
    assert!(
        lines[1].starts_with("#1 deny connect tcp://{0}"),
        "{lines:?}"
    );
}

/// Whatever there is no room to record is not done.
#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = server.local_addr().unwrap();
    let (network, journal) = audited(rules(&["connect tcp://127.0.0.1:*"], &[]));
    let socket = stream(&network);
    journal.has_room_for(0);
    ended_by_the_audit(socket.connect(&at(address)).await);
    let came = server.accept().unwrap_err();
    assert_eq!(came.kind(), io::ErrorKind::WouldBlock);
    assert!(network.audit_failure().is_some());

    let (network, journal) = audited(rules(&["listen udp://127.0.0.1:0", "resolve *"], &[]));
    let network = network.with_resolver(names());
    journal.has_room_for(1);
    let socket = datagram(&network);
    ended_by_the_audit(socket.bind(&any_port()).await);
    assert_eq!(local(&socket).port(), 0);
    // It is over for good, though there be room again.
    journal.has_room_for(100);
    ended_by_the_audit(network.open(Family::Inet, SocketType::Stream, 0));
    ended_by_the_audit(network.pair(Family::Unix, SocketType::Stream, 0));
    let found = network.resolve(Some("db"), None, ResolveHints::default());
    ended_by_the_audit(found.await);
    ended_by_the_audit(socket.receive(1, ReceiveOptions::default()).await);
    ended_by_the_audit(Poller::new(&network).unwrap().wait(None, 1).await);
    socket.ready(Ready::READABLE).await;
    assert_eq!(journal.take(&[]), ["#1 opened Inet Datagram"]);
    // Another guest of the same network begins anew.
    datagram(&network.for_another_guest());
}

#[tokio::test]
async fn a_peer_who_cannot_be_recorded_is_not_let_in() {
    let (network, journal) = audited(rules(&["listen tcp://127.0.0.1:0"], &[]));
    let listener = stream(&network);
    listener.bind(&any_port()).await.unwrap();
    listener.listen(None).unwrap();
    let mut client = TcpStream::connect(local(&listener)).unwrap();
    journal.has_room_for(0);
    ended_by_the_audit(listener.accept().await);
    let reset = client.read(&mut [0]).unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_close_that_cannot_be_recorded_ends_what_follows() {
    let (network, journal) = audited(rules(&[], &[]));
    let (one, other) = network.pair(Family::Unix, SocketType::Stream, 0).unwrap();
    journal.has_room_for(0);
    drop(other);
    ended_by_the_audit(one.send(b"x", SendOptions::default()).await);
}

#[tokio::test]
async fn both_of_two_audits_hear() {
    let (first, second) = (Journal::default(), Journal::default());
    let both = (first.clone(), Some(second.clone()));
    let network = Network::new(Policy::default()).with_audit((both, None::<Journal>));
    drop(stream(&network));
    let lines = first.take(&[]);
    assert_eq!(lines.len(), 2);
    assert_eq!(second.take(&[]), lines);
    second.has_room_for(0);
    ended_by_the_audit(network.open(Family::Inet, SocketType::Stream, 0));
}

/// The grants that a shadowed run asks for are those that the same run passes with.
#[tokio::test]
async fn what_is_missing_is_enough() {
    async fn run(policy: Policy) -> Journal {
        let (network, journal) = audited(policy);
        let network = network.with_resolver(names());
        let server = datagram(&network);
        server.bind(&by_name("db", 0)).await.unwrap();
        let client = peer();
        client.send_to(b"x", local(&server)).unwrap();
        let got = server
            .receive_from(1, ReceiveOptions::default())
            .await
            .unwrap();
        let to = Endpoint::Address(got.source);
        let options = SendOptions::default();
        server.send_to(b"y", options, &to).await.unwrap();
        let abstract_name = std::os::unix::net::SocketAddr::from_abstract_name("pc-audit").unwrap();
        let listener = UnixListener::bind_addr(&abstract_name).unwrap();
        let socket = open(&network, Family::Unix, SocketType::Stream);
        let there = UnixAddress::Abstract(b"pc-audit".to_vec());
        let there = Endpoint::Address(SocketAddress::Unix(there));
        socket.connect(&there).await.unwrap();
        drop(listener);
        journal
    }
    let lacking = run(rules(&[], &[]).shadowed()).await;
    let lines = shadows(&lacking, &[]);
    let grants = lines.iter().map(|line| {
        let (_, request) = line.split_once("shadow ").unwrap();
        let (request, _) = request.split_once(": ").unwrap();
        let grant = request.replace("accept", "listen");
        match grant.contains("://db:") {
            true => grant + " in loopback",
            false => grant,
        }
    });
    let grants: Vec<String> = grants.collect();
    let policy = grants
        .iter()
        .fold(Policy::builder(), |policy, grant| policy.allow(grant));
    let again = run(policy.build().unwrap().shadowed()).await;
    assert_eq!(shadows(&again, &[]), [""; 0], "{grants:#?}");
}
