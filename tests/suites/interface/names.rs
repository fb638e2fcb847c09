//! Chapters "Names" and "Addresses".

use std::net::{IpAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};

use portcullis::{Name, Policy, TableResolver};
use portcullis_tests::{Guest, read_to_end};
use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;

use crate::native::tcp_echo;
use crate::{BIND, LISTEN, connect, granted, guest, refused};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// `both.example` has an address of each family; `www.example` is an alias of
/// `db.example`.
fn resolver() -> TableResolver {
    let entries = [
        ("both.example", ["2001:db8::1", "192.0.2.1"]),
        ("db.example", ["2001:db8::7", "192.0.2.7"]),
    ];
    let entries = entries.map(|(host, addresses)| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        (name(host), addresses)
    });
    TableResolver::from_iter(entries).with_alias(name("www.example"), name("db.example"))
}

/// Runs a behaviour about a name that needs a grant, after its twin.
#[track_caller]
fn about(behaviour: &str, arguments: &[&str]) -> String {
    let client = || {
        let test = guest(behaviour).resolver(resolver());
        arguments.iter().fold(test, Guest::argument)
    };
    refused(client(), &format!("resolve {}", arguments[0]));
    client().allow("resolve *").succeed()
}

/// One that its policy calls something, and that listens under that name.
#[test]
fn row_gethostname() {
    for (host_name, hosts, ip) in [
        ("localhost", "", "127.0.0.1"),
        ("web-1", "", "127.0.0.1"),
        ("web-1", "[hosts]\n'web-1' = ['127.0.0.9']", "127.0.0.9"),
    ] {
        let server = |allow: &str| {
            let policy =
                format!("version = 1\nallow = [{allow}]\nhost-name = '{host_name}'\n{hosts}");
            let policy = Policy::builder().file("policy.toml", &policy);
            guest("names::gethostname")
                .argument(host_name)
                .policy(policy.build().unwrap())
        };
        let finished = server("").finish();
        assert!(!finished.denials.is_empty(), "{finished:?}");
        let running = server("'listen tcp://127.0.0.0/8:0'").start();
        let address = running.address();
        assert_eq!(address.ip().to_string(), ip);
        TcpStream::connect(address).unwrap();
        running.succeed();
    }
}

#[test]
fn row_getaddrinfo() {
    about("names::getaddrinfo", &["both.example"]);
}

#[test]
fn row_getaddrinfo_host() {
    guest("names::getaddrinfo_host").succeed();
}

#[test]
fn row_getaddrinfo_port() {
    guest("names::getaddrinfo_port").succeed();
}

#[test]
fn row_getaddrinfo_ai_passive() {
    guest("names::getaddrinfo_ai_passive").succeed();
}

#[test]
fn row_getaddrinfo_ai_numerichost() {
    guest("names::getaddrinfo_ai_numerichost")
        .argument("both.example")
        .resolver(resolver())
        .allow("resolve *")
        .succeed();
}

#[test]
fn row_getaddrinfo_ai_numericserv() {
    guest("names::getaddrinfo_ai_numericserv").succeed();
}

#[test]
fn row_getaddrinfo_ai_canonname() {
    about(
        "names::getaddrinfo_ai_canonname",
        &["www.example", "db.example"],
    );
}

/// A machine without an address of a family cannot make use of it.
#[test]
fn row_getaddrinfo_ai_addrconfig() {
    let output = about("names::getaddrinfo_ai_addrconfig", &["both.example"]);
    let has = |probe: &str, peer: &str| {
        std::net::UdpSocket::bind(probe).is_ok_and(|socket| socket.connect(peer).is_ok())
    };
    let mut expected = Vec::new();
    if has("[::]:0", "[2001:db8::1]:9") {
        expected.push("[2001:db8::1]:80");
    }
    if has("0.0.0.0:0", "192.0.2.1:9") {
        expected.push("192.0.2.1:80");
    }
    let found: Vec<&str> = output.split_whitespace().collect();
    // Loopback counts for nothing, and a route for as little as an address.
    assert!(expected.iter().all(|address| found.contains(address)));
    assert!(!found.is_empty());
}

#[test]
fn row_getaddrinfo_ai_v4mapped() {
    about("names::getaddrinfo_ai_v4mapped", &["both.example"]);
}

#[test]
fn row_getaddrinfo_ai_all() {
    about("names::getaddrinfo_ai_all", &["both.example"]);
}

#[test]
fn row_gethostbyname() {
    about("names::gethostbyname", &["both.example", "192.0.2.1"]);
}

#[test]
fn row_gethostbyname_ex() {
    let expected = ["www.example", "db.example", "2001:db8::7", "192.0.2.7"];
    about("names::gethostbyname_ex", &expected);
}

/// Runs a behaviour about an address whose name needs a grant, after its twin.
#[track_caller]
fn about_address(behaviour: &str, arguments: &[&str]) {
    let client = || {
        let test = guest(behaviour).resolver(resolver());
        arguments.iter().fold(test, Guest::argument)
    };
    refused(client(), "resolve 7.2.0.192.in-addr.arpa");
    client().allow("resolve *.in-addr.arpa").succeed();
}

#[test]
fn row_gethostbyaddr() {
    let arguments = ["192.0.2.7", "db.example", "192.0.2.8"];
    about_address("names::gethostbyaddr", &arguments);
}

#[test]
fn row_getfqdn() {
    about("names::getfqdn", &["www.example", "db.example"]);
}

#[test]
fn row_getnameinfo() {
    let arguments = ["192.0.2.7:80", "db.example", "192.0.2.8:80"];
    about_address("names::getnameinfo", &arguments);
}

#[test]
fn row_getservbyname() {
    guest("names::getservbyname").succeed();
}

#[test]
fn row_getservbyport() {
    guest("names::getservbyport").succeed();
}

#[test]
fn row_getprotobyname() {
    guest("names::getprotobyname").succeed();
}

#[test]
fn row_inet_aton() {
    guest("names::inet_aton").succeed();
}

#[test]
fn row_inet_ntoa() {
    guest("names::inet_ntoa").succeed();
}

#[test]
fn row_inet_pton() {
    guest("names::inet_pton").succeed();
}

#[test]
fn row_inet_ntop() {
    guest("names::inet_ntop").succeed();
}

/// The port that the guest says is the one at which it is.
#[test]
fn row_htons() {
    refused(guest("names::htons"), BIND);
    let running = guest("names::htons").allow(LISTEN).start();
    let port: u16 = running.line(0).parse().unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    running.succeed();
}

#[test]
fn row_address_inet() {
    let peer = tcp_echo("127.0.0.1:0");
    let client = || guest("names::address_inet").argument(peer);
    refused(client(), &connect(peer));
    client().allow(&connect(peer)).succeed();
}

#[test]
fn row_address_inet6() {
    let peer = tcp_echo("[::1]:0");
    let client = || guest("names::address_inet6").argument(peer);
    refused(client(), &connect(peer));
    let link_local = format!("[fe80::1]:{}", peer.port());
    client()
        .policy(granted([connect(peer), connect(link_local)]))
        .succeed();
}

#[test]
fn row_address_unix_path() {
    let folder = TempDir::new().unwrap();
    let (there, here) = (folder.path().join("there"), folder.path().join("here"));
    let _peer = UnixListener::bind(&there).unwrap();
    let client = || {
        guest("names::address_unix_path")
            .argument(there.display())
            .argument(here.display())
    };
    let connect = format!("connect unix:{}", there.display());
    refused(client(), &connect);
    let bind = format!("bind unix:{}", here.display());
    refused(client().allow(&connect), &bind);
    let listen = format!("listen unix:{}", here.display());
    let running = client().policy(granted([connect, listen])).start();
    assert_eq!(running.line(0), here.display().to_string());
    assert_eq!(read_to_end(UnixStream::connect(&here).unwrap()), b"hello");
    running.succeed();
}

#[test]
fn row_address_unix_abstract() {
    let (there, here) = (
        format!("portcullis-there-{}", std::process::id()),
        format!("portcullis-here-{}", std::process::id()),
    );
    let address = |name: &str| SockAddr::unix(format!("\0{name}")).unwrap();
    let open = || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let peer = open();
    peer.bind(&address(&there)).unwrap();
    peer.listen(1).unwrap();
    let client = || {
        guest("names::address_unix_abstract")
            .argument(&there)
            .argument(&here)
    };
    let connect = format!("connect unix:@{there}");
    refused(client(), &connect);
    refused(client().allow(&connect), &format!("bind unix:@{here}"));
    let listen = format!("listen unix:@{here}");
    let running = client().policy(granted([connect, listen])).start();
    assert_eq!(running.line(0), format!("@{here}"));
    let visitor = open();
    visitor.connect(&address(&here)).unwrap();
    assert_eq!(read_to_end(visitor), b"hello");
    running.succeed();
}

#[test]
fn row_address_unix_unnamed() {
    let grants = ["listen unixgram:@*", "connect unixgram:@*"];
    refused(guest("names::address_unix_unnamed"), "listen unixgram:@*");
    guest("names::address_unix_unnamed")
        .policy(granted(grants))
        .succeed();
}
