//! The address of the metrics: what is answered there, when, and for how long.

use std::fs;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;
use std::time::{Duration, Instant};

use portcullis_tests::{component, visit};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use tempfile::TempDir;

use crate::figures::Figures;
use crate::http::{self, ask, get};
use crate::server::{Server, held, order, until};

const LISTEN: [&str; 4] = ["--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0"];

#[test]
fn three_pages_are_there_and_no_other() {
    let server = Server::start("handler-faults", &LISTEN);
    let at = server.metrics();
    let metrics = get(at, "/metrics");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(metrics.head.contains(kind), "{}", metrics.head);
    assert_eq!(get(at, "/healthz").body, "ok\n");
    assert_eq!(get(at, "/readyz?verbose").body, "ready\n");
    for path in ["/", "/metrics/", "/metrics2", "//metrics", "/debug", "*"] {
        assert_eq!(get(at, path).status, 404, "{path}");
    }
    for page in ["/metrics", "/healthz", "/readyz"] {
        let head = ask(at, "HEAD", page);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{page}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT2"] {
            let answer = ask(at, method, page);
            assert_eq!(answer.status, 405, "{method} {page}");
            assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
        }
    }
}

#[test]
fn what_is_not_a_request_is_not_answered_with_figures() {
    let server = Server::start("handler-faults", &LISTEN);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
    let headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5000));
    for request in [
        &long,
        &headers,
        "\r\n\r\n\r\n",
        "hello\n\n",
        "PRI * HTTP/2.0\r\n\r\n",
    ] {
        let mut connection = visit(server.metrics());
        // It may be closed before all is written.
        let _ = connection.write_all(request.as_bytes());
        let _ = connection.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    assert_eq!(get(server.metrics(), "/healthz").status, 200);
}

/// More visitors than there are places, who say nothing or hardly anything, and one
/// who asks.
#[test]
fn whoever_is_slow_keeps_nobody_from_the_metrics() {
    let server = Server::start("handler-faults", &LISTEN);
    let mut idle: Vec<_> = (0..100).map(|_| visit(server.metrics())).collect();
    for visitor in idle.iter_mut().step_by(2) {
        visitor.write_all(b"GET /metrics HT").unwrap();
    }
    let began = Instant::now();
    assert_eq!(get(server.metrics(), "/metrics").status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    let mut first = idle.remove(0);
    // It was ended rather than answered.
    let mut answer = Vec::new();
    let _ = first.read_to_end(&mut answer);
    assert_eq!(String::from_utf8(answer).unwrap(), "");
    assert!(began.elapsed() < Duration::from_secs(45));
}

/// The threads that serve are all busy.
#[test]
fn it_answers_while_guests_compute() {
    let workers = [&LISTEN[..], &["--workers", "1"]].concat();
    let server = Server::start("handler-faults", &workers);
    let busy: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = visit(server.address());
            connection.write_all(b"loop\n").unwrap();
            connection
        })
        .collect();
    server.figures_when(|now| now.of("portcullis_connections_active") == 20.0);
    let began = Instant::now();
    for page in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(get(server.metrics(), page).status, 200);
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    drop(busy);
}

#[test]
fn a_server_that_drains_is_healthy_and_not_ready() {
    let server = Server::start("handler-faults", &LISTEN);
    let at = server.metrics();
    let mut last = held(server.address());
    server.signal("-TERM");
    until(|| (get(at, "/readyz").status == 503).then_some(()));
    assert_eq!(get(at, "/readyz").body, "draining\n");
    assert_eq!(get(at, "/healthz").status, 200);
    let active = server.figures().of("portcullis_connections_active");
    assert_eq!(active, 1.0);
    last.shutdown(Shutdown::Write).unwrap();
    assert_eq!(last.read(&mut [0]).unwrap(), 0);
    drop(last);
    // It has ended of itself: the signal comes too late.
    let (status, _) = server.wait();
    assert!(status.success());
}

/// While the one process ends those whom it serves, the other one answers, and
/// nobody is told that the server is not ready.
#[test]
fn a_process_that_takes_over_answers_for_both() {
    let mut server = Server::start("handler-faults", &LISTEN);
    let (at, of_the_first) = (server.metrics(), held(server.address()));
    let before = server.figures();
    assert_eq!(before.of("portcullis_connections_active"), 1.0);
    server.hand_over();
    let of_the_second = [held(server.address()), held(server.address())];
    for _ in 0..100 {
        assert_eq!(get(at, "/readyz").body, "ready\n");
        let figures = server.figures();
        assert_eq!(figures.of("portcullis_connections_active"), 2.0);
    }
    assert!(!server.has_left(), "it still has one to serve");
    let connect = order(server.address(), &format!("connect {at}"));
    assert_eq!(connect, "ErrorCode::AccessDenied\n");
    drop((of_the_first, of_the_second));
    until(|| server.has_left().then_some(()));
    assert_eq!(get(at, "/healthz").status, 200);
    server.end();
}

#[test]
fn metrics_may_be_at_a_unix_socket() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("metrics.sock");
    let address = format!("unix:{}", path.display());
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", &address];
    for _ in 0..2 {
        // The second time it is there already, and nobody listens.
        let mut server = Server::start("handler-faults", &listen);
        server.hears(&format!("portcullis: metrics at {address}"), 1);
        let mut connection = UnixStream::connect(&path).unwrap();
        connection
            .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
            .unwrap();
        Figures::parse(&http::answer(&mut connection).body);
        // Another may not take it away.
        let twice = serve(&listen);
        assert!(twice.contains("Address already in use"), "{twice}");
        server.end();
    }
}

/// Whatever it is, it stays.
#[test]
fn what_is_in_the_way_of_the_metrics_stays() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "kept").unwrap();
    symlink("file", path("link")).unwrap();
    symlink("nowhere", path("dangling")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    let fifo = Command::new("mkfifo").arg(path("fifo")).status();
    assert!(fifo.unwrap().success());
    let (unix, stream) = (AddressFamily::UNIX, SocketType::STREAM);
    let bound = socket_with(unix, stream, SocketFlags::CLOEXEC, None).unwrap();
    let address = SocketAddrUnix::new(path("bound")).unwrap();
    bind(&bound, &address).unwrap();
    let _datagrams = UnixDatagram::bind(path("datagrams")).unwrap();
    let socket = "another process has the socket";
    let other = "is no socket, and stays";
    for (name, why) in [
        ("file", other),
        ("link", other),
        ("dangling", other),
        ("folder", other),
        ("fifo", other),
        ("bound", socket),
        ("datagrams", socket),
    ] {
        let about = fs::symlink_metadata(path(name)).unwrap();
        let address = format!("unix:{}", path(name).display());
        let error = serve(&["--listen", "tcp://127.0.0.1:0", "--metrics", &address]);
        let after = fs::symlink_metadata(path(name));
        assert_eq!(after.ok().map(|now| now.ino()), Some(about.ino()), "{name}");
        assert!(error.contains("Address already in use"), "{name}: {error}");
        assert!(error.contains(why), "{name}: {error}");
    }
    // Once it ends, nobody has it: nor what another test starts at this moment.
    drop(bound);
    let asked = || UnixDatagram::unbound().unwrap().connect(path("bound"));
    let refused = |error: Error| error.kind() == ErrorKind::ConnectionRefused;
    until(|| asked().is_err_and(refused).then_some(()));
    let address = format!("unix:{}", path("bound").display());
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", &address];
    let mut server = Server::start("handler-faults", &listen);
    server.hears(&format!("portcullis: metrics at {address}"), 1);
    server.end();
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_served() {
    for (address, why) in [
        ("9100", "give an address and a port"),
        ("localhost:9100", "give an address and a port"),
        (
            "unix:metrics.sock",
            "the path of the socket is to begin with `/`",
        ),
        ("unix:/nowhere/metrics.sock", "No such file or directory"),
        ("203.0.113.1:9100", "Cannot assign requested address"),
    ] {
        let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", address];
        let error = serve(&listen);
        assert!(error.contains(why), "{address}: {error}");
        assert!(!error.contains("listens at"), "{address}: {error}");
    }
}

/// What a server says that does not begin.
fn serve(arguments: &[&str]) -> String {
    let handler = component("handler-faults");
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["serve", "--no-pool"])
        .args(arguments)
        .arg(handler)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}
