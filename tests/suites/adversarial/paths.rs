//! Each path that reaches the network, for a guest that is granted nothing: what
//! it hears is its own request and no more, and nothing happens.

use std::net::{IpAddr, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use portcullis::TableResolver;
use portcullis_policy::Name;
use portcullis_tests::{Guest, Script};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{Server, guest, hears_nothing, listener, policy};

/// Names of loopback and of an address that is not this machine's.
fn names() -> TableResolver {
    let table = [("db.example", "127.0.0.1"), ("far.example", "192.0.2.7")];
    TableResolver::from_iter(table.map(|(name, address)| {
        let addresses: Vec<IpAddr> = vec![address.parse().unwrap()];
        (Name::parse(name).unwrap(), addresses)
    }))
}

fn named_guest(allow: &[&str]) -> Script {
    let guest = Guest::script().policy(policy(allow, &[]));
    guest.resolver(names()).begin()
}

/// Checks that `order`, after orders that need no grant, is denied to who is
/// granted nothing, with the request as the only word about it, and works for who
/// is granted `grant` alone.
#[track_caller]
fn check(before: &[&str], order: &str, request: &str, grant: &str) {
    let mut attacker = named_guest(&[]);
    for order in before {
        attacker.does(order);
    }
    attacker.is_denied(order, request);
    let reports = attacker.end().denials;
    assert_eq!(reports.len(), 1, "{reports:?}");
    let mut twin = named_guest(&[grant]);
    for order in before {
        twin.does(order);
    }
    twin.does(order);
    let reports = twin.end().denials;
    assert!(reports.is_empty(), "{reports:?}");
}

/// The same where the request is spelled as the grant is.
#[track_caller]
fn check_plain(before: &[&str], order: &str, grant: &str) {
    check(before, order, grant, grant);
}

const STREAM: &[&str] = &["open s inet stream"];
const DATAGRAM: &[&str] = &["open s inet datagram"];

#[test]
fn bind() {
    check_plain(STREAM, "bind s 127.0.0.1:0", "bind tcp://127.0.0.1:0");
    check_plain(STREAM, "bind s 0.0.0.0:0", "bind tcp://0.0.0.0:0");
    check_plain(STREAM, "bind s name::0", "bind tcp://0.0.0.0:0");
    check_plain(STREAM, "bind s name:localhost:0", "bind tcp://localhost:0");
    let six = &["open s inet6 stream"];
    check_plain(six, "bind s [::1]:0", "bind tcp://[::1]:0");
    check_plain(DATAGRAM, "bind s 127.0.0.1:0", "listen udp://127.0.0.1:0");
}

#[test]
fn bind_by_a_name_that_is_looked_up() {
    let grant = "bind tcp://db.example:0 in loopback";
    check(
        STREAM,
        "bind s name:db.example:0",
        "bind tcp://db.example:0",
        grant,
    );
}

#[test]
fn listen() {
    check_plain(STREAM, "listen s", "listen tcp://0.0.0.0:0");
    let six = &["open s inet6 stream"];
    check(six, "listen s", "listen tcp://[::]:0", "listen tcp://*:0");
}

/// Who cannot listen has nobody to accept.
#[test]
fn accept() {
    let mut attacker = guest(&["bind tcp://127.0.0.1:0"], &[]);
    attacker.does("open s inet stream");
    attacker.does("bind s 127.0.0.1:0");
    attacker.is_denied("listen s", "listen tcp://127.0.0.1:0");
    attacker.fails("accept c s", "InvalidArgument");
    let address = attacker.does("local s");
    assert!(std::net::TcpStream::connect(&address).is_err());
    let mut twin = guest(&["listen tcp://127.0.0.1:0"], &[]);
    twin.does("open s inet stream");
    twin.does("bind s 127.0.0.1:0");
    twin.does("listen s");
    let visitor = std::net::TcpStream::connect(twin.does("local s")).unwrap();
    let peer = visitor.local_addr().unwrap().to_string();
    assert_eq!(twin.does("accept c s"), peer);
}

#[test]
fn connect() {
    let server = Server::new();
    let (address, port) = (server.address, server.port());
    let grant = format!("connect tcp://{address}");
    check_plain(STREAM, &format!("connect s {address}"), &grant);
    check_plain(STREAM, &format!("connect s name:{address}"), &grant);
    let six = &["open s inet6 stream"];
    check_plain(six, &format!("connect s [::ffff:127.0.0.1]:{port}"), &grant);
    let grant = format!("connect tcp://localhost:{port}");
    check_plain(STREAM, &format!("connect s name:localhost:{port}"), &grant);
    // The twins came, and nobody else.
    assert_eq!(server.visitors(), 4);
}

#[test]
fn connect_to_a_name_that_is_looked_up() {
    let server = Server::new();
    let to = format!("db.example:{}", server.port());
    check(
        STREAM,
        &format!("connect s name:{to}"),
        &format!("connect tcp://{to}"),
        &format!("connect tcp://{to} in loopback"),
    );
    assert_eq!(server.visitors(), 1);
}

#[test]
fn connect_a_datagram_socket() {
    let peer = listener();
    let to = peer.local_addr().unwrap();
    let grant = format!("connect udp://{to}");
    check_plain(DATAGRAM, &format!("connect s {to}"), &grant);
    hears_nothing(&peer);
}

/// Checks that nothing comes of the attack, and one datagram of the twin.
#[track_caller]
fn check_sending(peer: &UdpSocket, order: &str, request: &str, grant: &str) {
    check(DATAGRAM, order, request, grant);
    assert_eq!(crate::heard(peer).0, "word");
    hears_nothing(peer);
}

#[test]
fn send_to() {
    let peer = listener();
    let to = peer.local_addr().unwrap();
    let grant = format!("connect udp://{to}");
    check_sending(&peer, &format!("send-to s word {to}"), &grant, &grant);
    let named = format!("db.example:{}", to.port());
    check_sending(
        &peer,
        &format!("send-to s word name:{named}"),
        &format!("connect udp://{named}"),
        &format!("connect udp://{named} in loopback"),
    );
}

#[test]
fn send_in_a_batch() {
    let peer = listener();
    let to = peer.local_addr().unwrap();
    let grant = format!("connect udp://{to}");
    check_sending(&peer, &format!("send-many s word {to}"), &grant, &grant);
    let named = format!("db.example:{}", to.port());
    check_sending(
        &peer,
        &format!("send-many s word name:{named}"),
        &format!("connect udp://{named}"),
        &format!("connect udp://{named} in loopback"),
    );
}

/// Who has not connected has nobody to send to.
#[test]
fn send() {
    let server = Server::new();
    let peer = listener();
    let (stream, datagram) = (server.address, peer.local_addr().unwrap());
    let mut attacker = guest(&[], &[]);
    attacker.does("open s inet stream");
    attacker.is_denied(
        &format!("connect s {stream}"),
        &format!("connect tcp://{stream}"),
    );
    assert_ne!(attacker.tell("send s word").outcome, "done");
    attacker.does("open d inet datagram");
    attacker.is_denied(
        &format!("connect d {datagram}"),
        &format!("connect udp://{datagram}"),
    );
    attacker.fails("send d word", "DestinationAddressRequired");
    assert_eq!(server.visitors(), 0);
    hears_nothing(&peer);
    let grants = [
        &format!("connect tcp://{stream}"),
        &format!("connect udp://{datagram}"),
    ];
    let mut twin = guest(&grants.map(String::as_str), &[]);
    twin.does("open s inet stream");
    twin.does(&format!("connect s {stream}"));
    twin.does("send s word");
    twin.does("open d inet datagram");
    twin.does(&format!("connect d {datagram}"));
    twin.does("send d word");
    assert_eq!(crate::heard(&peer).0, "word");
}

/// A socket that has an address for another reason hears nobody, by any of the
/// ways to receive.
#[test]
fn receive_from() {
    let stranger = listener();
    for (order, expected) in [
        (
            "receive-from s",
            format!("word from {}", stranger.local_addr().unwrap()),
        ),
        ("receive s", "word".to_owned()),
        ("receive-many s", "word".to_owned()),
    ] {
        let mut attacker = guest(&["bind udp://127.0.0.1:0"], &[]);
        let mut twin = guest(&["listen udp://127.0.0.1:0"], &[]);
        for guest in [&mut attacker, &mut twin] {
            guest.does("open s inet datagram");
            guest.does("bind s 127.0.0.1:0");
            let address = guest.does("local s");
            stranger.send_to(b"word", address).unwrap();
            guest.does("timeout s 100");
        }
        assert_eq!(attacker.does("ready s"), "false");
        attacker.fails(order, "TimedOut");
        assert_eq!(twin.does("ready s"), "true");
        assert_eq!(twin.does(order), expected);
    }
}

/// Joins a group; a machine without a network has no interface for it.
#[test]
fn join() {
    for (family, group) in [("inet", "239.7.7.7"), ("inet6", "ff05::7:7")] {
        let open = format!("open s {family} datagram");
        let shown = match family {
            "inet" => group.to_owned(),
            _ => format!("[{group}]"),
        };
        let request = format!("join udp://{shown}:0");
        let mut attacker = guest(&["connect udp://any:*", "listen udp://*:*"], &[]);
        attacker.does(&open);
        attacker.is_denied(&format!("join s {group}"), &request);
        let mut twin = guest(&[&request], &[]);
        twin.does(&open);
        let joined = twin.tell(&format!("join s {group}"));
        assert!(
            ["done", "NoSuchDevice"].contains(&&*joined.outcome),
            "{joined:?}"
        );
    }
}

#[test]
fn broadcast() {
    let mut attacker = guest(&[], &[]);
    attacker.does("open s inet datagram");
    let denied = attacker.tell("broadcast s");
    assert!(denied.is_denied(), "{denied:?}");
    assert!(denied.told.ends_with(" is not granted"), "{denied:?}");
    let mut twin = guest(&["connect udp://255.255.255.255:9"], &[]);
    twin.does("open s inet datagram");
    twin.does("broadcast s");
}

#[test]
fn resolve() {
    let network = &["network n"];
    check_plain(network, "resolve n db.example", "resolve db.example");
}

#[test]
fn reverse() {
    check(
        &["network n"],
        "reverse n 192.0.2.7:80",
        "resolve 7.2.0.192.in-addr.arpa",
        "connect tcp://192.0.2.7:80",
    );
}

/// A folder of unix sockets that are there, as `s` for streams, `d` for datagrams
/// and `q` for sequences.
struct Folder {
    folder: tempfile::TempDir,
    datagrams: UnixDatagram,
    _streams: (UnixListener, Socket),
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let sequences = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
        sequences.bind(&SockAddr::unix(at("q")).unwrap()).unwrap();
        sequences.listen(8).unwrap();
        Self {
            datagrams: UnixDatagram::bind(at("d")).unwrap(),
            _streams: (UnixListener::bind(at("s")).unwrap(), sequences),
            folder,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn bind_a_unix_socket() {
    let folder = Folder::new();
    let here = folder.path().display();
    for (number, kind) in ["stream", "seqpacket"].into_iter().enumerate() {
        let open = format!("open s unix {kind}");
        let order = format!("bind s path:{here}/new{number}");
        check_plain(&[&open], &order, &format!("bind unix:{here}/new{number}"));
    }
    let open = &["open s unix datagram"];
    let order = format!("bind s path:{here}/new");
    check_plain(open, &order, &format!("listen unixgram:{here}/new"));
    let name = format!("portcullis-{}", std::process::id());
    let open = &["open s unix stream"];
    check_plain(
        open,
        &format!("bind s abstract:{name}"),
        &format!("bind unix:@{name}"),
    );
    check_plain(open, "bind s unnamed", "bind unix:@*");
}

#[test]
fn listen_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s").display().to_string();
    let mut attacker = guest(&[&format!("bind unix:{path}")], &[]);
    attacker.does("open s unix stream");
    attacker.does(&format!("bind s path:{path}"));
    attacker.is_denied("listen s", &format!("listen unix:{path}"));
    attacker.fails("accept c s", "InvalidArgument");
    attacker.end();
    std::fs::remove_file(&path).unwrap();
    let mut twin = guest(&[&format!("listen unix:{path}")], &[]);
    twin.does("open s unix stream");
    twin.does(&format!("bind s path:{path}"));
    twin.does("listen s");
    let _visitor = std::os::unix::net::UnixStream::connect(&path).unwrap();
    twin.does("accept c s");
}

#[test]
fn connect_a_unix_socket() {
    let folder = Folder::new();
    let here = folder.path().display();
    for (kind, name, scheme) in [
        ("stream", "s", "unix"),
        ("seqpacket", "q", "unix"),
        ("datagram", "d", "unixgram"),
    ] {
        let open = format!("open s unix {kind}");
        let order = format!("connect s path:{here}/{name}");
        check_plain(&[&open], &order, &format!("connect {scheme}:{here}/{name}"));
    }
}

#[test]
fn send_to_a_unix_socket() {
    let folder = Folder::new();
    let path = folder.path().join("d").display().to_string();
    let open = &["open s unix datagram"];
    let grant = format!("connect unixgram:{path}");
    for order in ["send-to", "send-many"] {
        check_plain(open, &format!("{order} s word path:{path}"), &grant);
        let mut buffer = [0; 8];
        assert_eq!(folder.datagrams.recv(&mut buffer).unwrap(), 4, "the twin's");
        folder.datagrams.set_nonblocking(true).unwrap();
        assert!(folder.datagrams.recv(&mut buffer).is_err(), "nobody else's");
        folder.datagrams.set_nonblocking(false).unwrap();
    }
}

/// A pair takes no grant and reaches nobody but its other end.
#[test]
fn pair() {
    let folder = Folder::new();
    let path = folder.path().join("d").display().to_string();
    let request = format!("connect unixgram:{path}");
    let mut attacker = guest(&[], &[]);
    let mut twin = guest(&[&request], &[]);
    for guest in [&mut attacker, &mut twin] {
        guest.does("pair one other unix datagram");
        guest.does("send one word");
        assert_eq!(guest.does("receive other"), "word");
    }
    attacker.is_denied(&format!("send-to one word path:{path}"), &request);
    attacker.is_denied(&format!("send-many one word path:{path}"), &request);
    attacker.is_denied(&format!("connect one path:{path}"), &request);
    let sent = twin.tell(&format!("send-to one word path:{path}"));
    assert!(!sent.is_denied(), "{sent:?}");
}

/// What the host opens for a guest is no way to anything else.
#[test]
fn preopened_sockets() {
    let (server, other) = (Server::new(), Server::new());
    let grant = format!("connect tcp://{}", server.address);
    let guest = Guest::script().socket("db", &grant);
    let mut guest = guest.socket("web", "tcp://127.0.0.1:0").begin();
    guest.does("preopened db db");
    assert_eq!(guest.does("receive db"), "hello");
    guest.does("preopened web web");
    let to = other.address;
    guest.does("open s inet stream");
    guest.is_denied(&format!("connect s {to}"), &format!("connect tcp://{to}"));
    for opened in ["db", "web"] {
        let connected = guest.tell(&format!("connect {opened} {to}"));
        assert_ne!(connected.outcome, "done");
        let bound = guest.tell(&format!("bind {opened} 127.0.0.1:0"));
        assert_ne!(bound.outcome, "done");
    }
    assert_eq!(other.visitors(), 0);
    let visitor = std::net::TcpStream::connect(guest.does("local web")).unwrap();
    assert_eq!(
        guest.does("accept c web"),
        visitor.local_addr().unwrap().to_string()
    );
}
