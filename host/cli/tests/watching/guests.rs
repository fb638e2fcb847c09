//! No guest reaches the metrics, whatever it is granted and however it tries.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use portcullis_tests::component;
use tempfile::TempDir;

use crate::http;
use crate::server::{Server, order};

/// All that there is to grant.
const EVERYTHING: [&str; 16] = [
    "--allow",
    "connect tcp://any:*",
    "--allow",
    "connect tcp://*:*",
    "--allow",
    "connect tcp://localhost:*",
    "--allow",
    "connect tcp://loopback:*",
    "--allow",
    "listen tcp://*:*",
    "--allow",
    "bind tcp://*:*",
    "--allow",
    "connect unix:/**",
    "--allow",
    "listen unix:/**",
];

/// The addresses at which this machine may be reached from itself.
fn ways_to(port: u16) -> Vec<String> {
    let hosts = [
        "127.0.0.1",
        "127.0.0.2",
        "127.255.255.254",
        "localhost",
        "metrics.localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:0.0.0.0]",
    ];
    hosts.iter().map(|host| format!("{host}:{port}")).collect()
}

/// A guest reaches `other`, and neither reaches nor takes the metrics.
#[track_caller]
fn check(server: &Server, metrics: SocketAddr, other: SocketAddr) {
    for address in ways_to(metrics.port()) {
        let answer = order(server.address(), &format!("connect {address}"));
        assert_eq!(answer, "ErrorCode::AccessDenied\n", "connect {address}");
    }
    for host in ["127.0.0.1", "0.0.0.0", "127.0.0.2", "[::1]", "[::]"] {
        let address = format!("{host}:{}", metrics.port());
        let answer = order(server.address(), &format!("listen {address}"));
        assert_eq!(answer, "ErrorCode::AccessDenied\n", "listen {address}");
    }
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let address = format!("{host}:{}", other.port());
        let answer = order(server.address(), &format!("connect {address}"));
        assert_eq!(answer, "ok\n", "connect {address}");
    }
    assert_eq!(order(server.address(), "listen 127.0.0.1:0"), "ok\n");
    assert_eq!(http::get(metrics, "/healthz").status, 200);
}

#[test]
fn no_grant_leads_to_the_metrics_nor_does_a_reload() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = other.local_addr().unwrap();
    for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
        let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", address];
        let arguments = [&listen[..], &EVERYTHING].concat();
        let mut server = Server::start("handler-faults", &arguments);
        let port = server.metrics().port();
        let mut metrics: SocketAddr = address.parse().unwrap();
        metrics.set_port(port);
        check(&server, metrics, other);
        server.signal("-HUP");
        server.hears("portcullis: serves with what it read anew", 1);
        check(&server, metrics, other);
    }
}

/// An address that may have others in front of it, which this machine does not know.
#[test]
fn a_port_that_is_open_to_others_is_denied_wherever_it_is() {
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", "0.0.0.0:0"];
    let server = Server::start("handler-faults", &[&listen[..], &EVERYTHING].concat());
    let port = server.metrics().port();
    for host in [
        "203.0.113.1",
        "10.0.0.1",
        "[2001:db8::1]",
        "[64:ff9b::7f00:1]",
    ] {
        let connect = format!("connect {host}:{port}");
        assert_eq!(
            order(server.address(), &connect),
            "ErrorCode::AccessDenied\n",
            "{connect}"
        );
    }
}

#[test]
fn a_listener_cannot_be_at_the_port_of_the_metrics() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let listen = format!("tcp://127.0.0.2:{port}");
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["serve", "--no-pool", "--listen", &listen])
        .args(["--metrics", &format!("127.0.0.1:{port}")])
        .arg(component("handler-faults"))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("error: --listen "), "{error}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn no_path_leads_to_a_unix_socket_of_metrics() {
    let folder = TempDir::new().unwrap();
    let folder = fs::canonicalize(folder.path()).unwrap();
    let (real, link) = (folder.join("real"), folder.join("link"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let other = real.join("other.sock");
    let _other = UnixListener::bind(&other).unwrap();
    symlink(real.join("metrics.sock"), folder.join("beside.sock")).unwrap();
    // The operator goes through a link as well.
    let at = link.join("metrics.sock");
    let address = format!("unix:{}", at.display());
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", &address];
    let mut server = Server::start("handler-faults", &[&listen[..], &EVERYTHING].concat());
    let ways = [
        at,
        real.join("metrics.sock"),
        link.join(".").join("metrics.sock"),
        folder.join("beside.sock"),
    ];
    let ask = |server: &Server, verb: &str, path: &Path| {
        order(server.address(), &format!("{verb} unix:{}", path.display()))
    };
    for _ in 0..2 {
        for way in &ways {
            let answer = ask(&server, "connect", way);
            assert_eq!(answer, "ErrorCode::AccessDenied\n", "{}", way.display());
        }
        assert_eq!(
            ask(&server, "listen", &real.join("metrics.sock")),
            "ErrorCode::AccessDenied\n"
        );
        assert_eq!(ask(&server, "connect", &other), "ok\n");
        assert_eq!(ask(&server, "connect", &link.join("other.sock")), "ok\n");
        server.signal("-HUP");
        server.hears("portcullis: serves with what it read anew", 1);
    }
}

/// In which it could give the socket, or the log, another name.
#[test]
fn no_folder_is_handed_out_that_holds_what_watches() {
    let folder = TempDir::new().unwrap();
    let own = TempDir::new().unwrap();
    let inside = |name: &str| folder.path().join(name).display().to_string();
    let metrics = format!("unix:{}", inside("metrics.sock"));
    let log = inside("access.jsonl");
    for option in [["--metrics", &metrics], ["--access-log", &log]] {
        let serve = |folder: &Path| {
            Command::new(env!("CARGO_BIN_EXE_portcullis"))
                .args(["serve", "--no-pool", "--listen", "tcp://203.0.113.1:9"])
                .args(option)
                .arg("--dir")
                .arg(folder)
                .arg(component("handler-faults"))
                .output()
                .unwrap()
        };
        let error = |folder: &Path| String::from_utf8(serve(folder).stderr).unwrap();
        let refused = error(folder.path());
        assert!(
            refused.contains("by which it is run, held or watched"),
            "{refused}"
        );
        let other = error(own.path());
        assert!(
            other.contains("error: --listen tcp://203.0.113.1:9"),
            "{other}"
        );
    }
}
