//! Sockets that others have opened, and what a service manager is told.

use std::collections::HashMap;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Instant;

use portcullis_tests::PATIENCE;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::launch::with_sockets;
use crate::server::{
    Server, answer, echoing, guest, is_let_in, obeyed, order, orders, serve, shown, write_policy,
};

#[test]
fn sockets_are_found_by_their_names() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let unix = format!("unix:{}=app", shown(&path));
    let mut server = Server::start(with_sockets(
        &["tcp=web", &unix, "tcp6=six"],
        "handler-faults",
        &[
            "--listen",
            "systemd:six",
            "--listen",
            "systemd:app",
            "--listen",
            "systemd:web from 127.0.0.3",
        ],
    ));
    let six = server.address();
    assert!(six.is_ipv6());
    let name = server.says("listens at ");
    assert_eq!(name, format!("unix:{}", shown(&path)));
    let web = server.address();
    assert_eq!(obeyed(six, "state"), "1");
    let visitor = UnixStream::connect(&path).unwrap();
    order(&visitor, "state");
    assert_eq!(answer(visitor), "1");
    assert!(is_let_in([127, 0, 0, 3], web));
    assert!(!is_let_in([127, 0, 0, 1], web));
    server.finish();
    assert!(path.exists(), "it is whose who made it");
}

#[test]
fn all_sockets_are_taken_that_were_passed() {
    let mut server = Server::start(with_sockets(
        &["tcp=web", "dual=web", "tcp=other"],
        "handler-faults",
        &["--listen", "systemd"],
    ));
    let addresses = [server.address(), server.address(), server.address()];
    let dual: SocketAddr = ([127, 0, 0, 1], addresses[1].port()).into();
    for address in [addresses[0], dual, addresses[2]] {
        assert_eq!(obeyed(address, "state"), "1");
    }
    server.finish();
}

#[test]
fn datagrams_come_to_a_socket_that_was_passed() {
    let mut server = Server::start(with_sockets(
        &["udp=dns"],
        "datagram-faults",
        &["--listen", "systemd:dns from loopback"],
    ));
    let address = server.address();
    let visitor = UdpSocket::bind("127.0.0.1:0").unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor.send_to(b"echo hello", address).unwrap();
    let mut data = [0; 16];
    let length = visitor.recv(&mut data).unwrap();
    assert_eq!(&data[..length], b"hello");
    server.finish();
}

#[test]
fn a_socket_is_found_by_its_number() {
    let mut command = with_sockets(
        &["tcp=", "tcp="],
        "handler-faults",
        &["--listen", "fd:4 from loopback"],
    );
    command.env("PASS", "number");
    let mut server = Server::start(command);
    let address = server.address();
    assert_eq!(obeyed(address, "state"), "1");
    server.finish();
}

/// Checks that a server does not begin, and says why.
#[track_caller]
fn check_refused(sockets: &[&str], pass: &str, arguments: &[&str], why: &str) {
    let mut command = with_sockets(sockets, "handler-faults", arguments);
    command.env("PASS", pass);
    let mut server = Server::start(command);
    let status = server.end();
    let said = server.said();
    assert_eq!(status.code(), Some(2), "{sockets:?}: {said}");
    assert!(said.contains(why), "{sockets:?}: {said}");
}

#[test]
fn what_is_no_socket_to_serve_at_is_refused() {
    for (kind, why) in [
        ("connected", "it is connected"),
        ("connected-udp", "it is connected"),
        ("pair", "it is connected"),
        ("not-listening", "it does not listen"),
        ("unbound-udp", "it has no port"),
        ("packets", "it is neither TCP, UDP nor a unix socket"),
        ("netlink", "it is neither an internet nor a unix socket"),
        ("pipe", "it is no socket"),
        ("file", "it is no socket"),
    ] {
        let socket = format!("{kind}=one");
        check_refused(&[&socket], "", &["--listen", "systemd:one"], why);
        check_refused(&[&socket], "number", &["--listen", "fd:3"], why);
    }
}

#[test]
fn a_raw_socket_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let why = "it is neither TCP, UDP nor a unix socket";
    check_refused(&["raw=one"], "", &["--listen", "systemd"], why);
}

#[test]
fn sockets_that_are_not_there_are_refused() {
    let all = ["--listen", "systemd"];
    let app = ["--listen", "systemd:app"];
    let names = "no socket was passed as `app` (LISTEN_FDNAMES), but as `web`, `db`";
    check_refused(&["tcp=web", "tcp=db"], "", &app, names);
    let nameless = "the sockets that were passed have no names (LISTEN_FDNAMES)";
    check_refused(&["tcp=web"], "nameless", &app, nameless);
    check_refused(&["tcp="], "", &app, nameless);
    check_refused(&[], "", &all, "nothing was passed: LISTEN_FDS is 0");
    let nothing = "nothing was passed: LISTEN_FDS is not set";
    check_refused(&[], "number", &all, nothing);
    // As a shell that does not `exec` it.
    let stranger = "is for the process 1 (LISTEN_PID), and this one is";
    check_refused(&["tcp=web"], "stranger", &all, stranger);
    let count = "LISTEN_FDS says how many were passed, and `x` is no number";
    check_refused(&["tcp=web"], "count", &all, count);
    let twice = ["--listen", "systemd:web", "--listen", "systemd:web"];
    let taken = "an earlier --listen takes what was passed as `web`";
    check_refused(&["tcp=web"], "", &twice, taken);
    let twice = ["--listen", "systemd", "--listen", "systemd"];
    let taken = "earlier ones take all that was passed: `web`";
    check_refused(&["tcp=web"], "", &twice, taken);
    let number = |number| ["--listen", number];
    let open = "it is not open; open are 3";
    check_refused(&["tcp="], "number", &number("fd:4"), open);
    let named = "it was passed as `web`: `--listen systemd:web` takes it";
    check_refused(&["tcp=web"], "", &number("fd:3"), named);
    let nameless = "it was passed (LISTEN_FDS): `--listen systemd` takes it";
    check_refused(&["tcp="], "", &number("fd:3"), nameless);
    check_refused(&["tcp="], "number", &number("fd:0"), "it is no socket");
    check_refused(&["tcp="], "number", &number("fd:2"), "standard error");
    check_refused(&["tcp="], "number", &number("fd:x"), "as in `fd:3`");
    check_refused(&["tcp="], "number", &number("fd:-1"), "no such numbers");
}

/// As with `StandardInput=socket`.
#[test]
fn a_socket_is_taken_that_is_standard_input() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = serve(["--listen", "fd:0 from loopback"]);
    command.arg(guest("handler-faults"));
    let mut server = Server::start_with(command, OwnedFd::from(listener).into());
    assert_eq!(server.address(), address);
    assert_eq!(obeyed(address, "state"), "1");
    assert_eq!(obeyed(address, "read"), "0 bytes");
    let successor = server.hand_over();
    assert!(server.end().success());
    let early = echoing(address);
    crate::server::send(successor, Signal::TERM);
    // It is open nowhere else.
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < end, "it is still listened at");
    }
    drop(early);
    let _ = server.said();
}

#[test]
fn a_socket_that_is_standard_input_is_told_of() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = serve(["--listen", "systemd"]);
    command.arg(guest("handler-faults"));
    let mut server = Server::start_with(command, OwnedFd::from(listener).into());
    assert_eq!(server.end().code(), Some(2));
    let said = server.said();
    assert!(
        said.contains("which is taken with `--listen fd:0`"),
        "{said}"
    );
}

#[test]
fn denies_and_ceilings_hold_for_sockets_of_others() {
    let denied = "denied by: listen tcp://127.0.0.1:*";
    let arguments = ["--listen", "systemd", "--deny", "listen tcp://127.0.0.1:*"];
    check_refused(&["tcp=web"], "", &arguments, denied);
    let folder = TempDir::new().unwrap();
    let ceiling = folder.path().join("ceiling.toml");
    write_policy(&ceiling, "allow = [\"listen unix:/run/**\"]\n");
    let arguments = ["--listen", "systemd", "--ceiling", shown(&ceiling)];
    check_refused(&["tcp=web"], "", &arguments, "ceiling");
    check_refused(
        &["udp=dns"],
        "",
        &["--listen", "systemd"],
        "serves no datagrams",
    );
    let from = ["--listen", "systemd from nowhere"];
    check_refused(&["tcp=web"], "", &from, "nowhere");
}

#[test]
fn a_unix_socket_is_judged_without_links() {
    let folder = TempDir::new().unwrap();
    let real = folder.path().join("real");
    fs::create_dir(&real).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let socket = format!("unix:{}=app", shown(&link.join("app.sock")));
    let deny = format!("listen unix:{}/*", shown(&real));
    let arguments = ["--listen", "systemd", "--deny", &deny];
    check_refused(&[&socket], "", &arguments, "denied by");
}

#[test]
fn a_socket_that_nothing_is_for_is_told_of_and_closed() {
    let mut server = Server::start(with_sockets(
        &["tcp=web", "tcp=other"],
        "handler-faults",
        &["--listen", "systemd:web"],
    ));
    server.address();
    server.says("the socket `other` was passed, but no --listen is for it");
    server.finish();
}

/// Somebody who is told how a service does.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    /// What it is told next.
    #[track_caller]
    fn hears(&self) -> HashMap<String, String> {
        let mut data = [0; 4096];
        let length = self.socket.recv(&mut data).unwrap();
        let text = String::from_utf8(data[..length].to_vec()).unwrap();
        let assignments = text.lines().map(|line| line.split_once('=').unwrap());
        assignments
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

#[test]
fn a_service_manager_is_told_from_the_beginning_to_the_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::new(&path);
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command
        .env("NOTIFY_SOCKET", &path)
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let address = server.address();
    let ready = manager.hears();
    assert_eq!(ready["READY"], "1");
    assert_eq!(ready["STATUS"], format!("serves at tcp://{address}"));
    server.reload();
    let reloading = manager.hears();
    assert_eq!(reloading["RELOADING"], "1");
    assert!(reloading["MONOTONIC_USEC"].parse::<u64>().unwrap() > 0);
    assert_eq!(manager.hears()["READY"], "1");
    let process = server.hand_over();
    assert!(manager.hears().contains_key("STATUS"));
    let handed = manager.hears();
    assert_eq!(handed["MAINPID"], process.to_string());
    assert!(server.end().success());
    let early = echoing(address);
    crate::server::send(process, Signal::TERM);
    assert_eq!(manager.hears()["STOPPING"], "1");
    drop(early);
}

#[test]
fn a_watchdog_is_fed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let manager = Manager::new(&path);
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .arg(guest("handler-faults"));
    let server = Server::start(command);
    assert_eq!(manager.hears()["READY"], "1");
    for _ in 0..3 {
        assert_eq!(manager.hears()["WATCHDOG"], "1");
    }
    server.finish();
}

#[test]
fn without_a_service_manager_nobody_is_told() {
    let (server, _) = orders(&[]);
    server.finish();
}
