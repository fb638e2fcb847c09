//! The counters say what happened, and exactly that.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};

use portcullis_tests::{PATIENCE, visit};
use tempfile::TempDir;

use crate::figures::Figures;
use crate::http;
use crate::server::{Server, held, order, until};

const DOCUMENTATION: &str = include_str!("../../../../docs/metrics.md");

/// How many of the connections of all listeners have ended.
fn ended(figures: &Figures) -> f64 {
    figures.all("portcullis_connections_total").values().sum()
}

fn is_idle(figures: &Figures) -> bool {
    figures.of("portcullis_connections_active") == 0.0
}

#[test]
fn the_counters_say_what_happened() {
    let open = "tcp://127.0.0.1:0 from 127.0.0.1";
    let closed = "tcp://127.0.0.2:0 from 10.0.0.0/8";
    let limit = ["--max-connections-per-peer", "2"];
    let server = Server::start(
        "handler-faults",
        &[
            "--listen",
            open,
            "--listen",
            closed,
            "--metrics",
            "127.0.0.1:0",
            limit[0],
            limit[1],
        ],
    );
    let at = server.addresses();
    let of = |listener: &str, ending: &str| {
        format!("portcullis_connections_total{{listener=\"{listener}\",ending=\"{ending}\"}}")
    };
    let before = server.figures();
    assert_eq!(ended(&before), 0.0);
    assert_eq!(before.of(&of(closed, "out-of-memory")), 0.0);

    for _ in 0..5 {
        let mut connection = held(at[0]);
        connection.write_all(b"12345678").unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "12345678");
        // Whoever comes next is not to be one too many.
        server.figures_when(is_idle);
    }
    assert_eq!(order(at[0], "trap"), "");
    assert_eq!(order(at[1], "echo"), "", "they are not within the range");
    server.figures_when(is_idle);
    let both = [held(at[0]), held(at[0])];
    let during = server.figures();
    assert_eq!(during.of("portcullis_connections_active"), 2.0);
    assert_eq!(order(at[0], "echo"), "", "there are two already");
    drop(both);

    let after = server.figures_when(|now| is_idle(now) && ended(now) == 8.0);
    let mut expected = before.all("portcullis_connections_total");
    let (finished, trapped) = (of(open, "finished"), of(open, "trapped"));
    expected.insert(&finished, 7.0);
    expected.insert(&trapped, 1.0);
    assert_eq!(after.all("portcullis_connections_total"), expected);
    for (reason, count) in [("policy", 1.0), ("peer", 1.0), ("full", 0.0)] {
        let refused = format!("portcullis_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(after.of(&refused), count, "{reason}");
    }
    let bytes = |direction| {
        after.of(&format!(
            "portcullis_bytes_total{{direction=\"{direction}\"}}"
        ))
    };
    // The orders and what was to be sent back: 5 × 14, 5, and 2 × 6.
    assert_eq!((bytes("received"), bytes("sent")), (87.0, 47.0));
    assert_eq!(
        after.of("portcullis_connection_duration_seconds_count"),
        8.0
    );
    assert_eq!(after.of("portcullis_instantiation_seconds_count"), 8.0);
    let cpu_time = after.of("portcullis_cpu_seconds_total");
    assert!(cpu_time > 0.0 && cpu_time < after.of("process_cpu_seconds_total") + 1.0);
    assert_eq!(after.of("portcullis_connections_limit"), 1024.0);
    assert_eq!(
        after
            .all("portcullis_listener_failures_total")
            .values()
            .sum::<f64>(),
        0.0
    );
}

/// A server that serves one and has three more turned away, and its figures then.
fn crowded(arguments: &[&str]) -> (Server, TcpStream, Figures) {
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let server = Server::start("handler-faults", &[&listen, arguments].concat());
    let one = held(server.address());
    for _ in 0..3 {
        assert_eq!(order(server.address(), "echo"), "");
    }
    let figures = server.figures();
    assert_eq!(figures.of("portcullis_connections_active"), 1.0);
    (server, one, figures)
}

#[test]
fn what_a_full_server_turns_away_is_counted() {
    let (server, one, figures) = crowded(&["--max-connections", "1", "--when-full", "refuse"]);
    assert_eq!(figures.of("portcullis_refused_total{reason=\"full\"}"), 3.0);
    assert_eq!(figures.of("portcullis_connections_limit"), 1.0);
    // It serves as many as it may, and is ready all the same.
    assert_eq!(http::get(server.metrics(), "/readyz").status, 200);
    drop(one);
}

#[test]
fn what_a_limit_of_the_policy_turns_away_is_counted_and_told() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "version = 1\n[limits]\nconnections = 1\n").unwrap();
    let (server, one, figures) = crowded(&["--policy", policy.to_str().unwrap()]);
    for (reason, count) in [("limit", 3.0), ("descriptors", 0.0), ("full", 0.0)] {
        let refused = format!("portcullis_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(figures.of(&refused), count, "{reason}");
    }
    drop(one);
    let (_, said) = server.end();
    let told = "portcullis: reset a peer: limit reached: connections = 1";
    let told: Vec<_> = said
        .iter()
        .filter_map(|line| line.strip_prefix(told))
        .collect();
    assert_eq!(told, ["", " (3 times in all)"]);
}

#[test]
fn datagrams_are_counted_with_their_bytes() {
    let listen = ["--listen", "udp://127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let server = Server::start("datagram-faults", &listen);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.connect(server.address()).unwrap();
    for _ in 0..3 {
        peer.send(b"echo 1234").unwrap();
        let mut answer = [0; 16];
        assert_eq!(peer.recv(&mut answer).unwrap(), 4);
    }
    let figures = server.figures_when(|now| is_idle(now) && ended(now) == 3.0);
    let of = |sample: &str| figures.of(&format!("portcullis_{sample}"));
    let finished = "{listener=\"udp://127.0.0.1:0\",ending=\"finished\"}";
    assert_eq!(of(&format!("connections_total{finished}")), 3.0);
    assert_eq!(of("bytes_total{direction=\"received\"}"), 27.0);
    assert_eq!(of("bytes_total{direction=\"sent\"}"), 12.0);
}

#[test]
fn decisions_and_reloads_are_counted() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    let write = |text: &str| fs::write(&policy, text).unwrap();
    write("version = 1");
    let path = policy.to_str().unwrap();
    let mut server = Server::start(
        "handler-faults",
        &[
            "--listen",
            "tcp://127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
            "--policy",
            path,
        ],
    );
    let denied =
        |figures: &Figures| figures.of("portcullis_policy_decisions_total{verdict=\"deny\"}");
    assert_eq!(denied(&server.figures()), 0.0);
    for count in [1.0, 2.0] {
        assert_eq!(
            order(server.address(), "connect 127.0.0.1:9"),
            "ErrorCode::AccessDenied\n"
        );
        assert_eq!(denied(&server.figures()), count);
    }
    let allow = "portcullis_policy_decisions_total{verdict=\"allow\"}";
    assert!(
        server.figures().of(allow) >= 4.0,
        "to bind, to listen and to accept twice"
    );

    server.signal("-HUP");
    server.hears("portcullis: serves with what it read anew", 1);
    write("version = 2");
    server.signal("-HUP");
    server.hears("portcullis: cannot serve with what it read anew", 1);
    let figures =
        server.figures_when(|now| now.of("portcullis_reloads_total{result=\"bad\"}") == 1.0);
    assert_eq!(figures.of("portcullis_reloads_total{result=\"good\"}"), 1.0);
}

#[test]
fn the_documentation_lists_what_is_measured() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("access");
    let log = log.to_str().unwrap();
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let server = Server::start(
        "handler-faults",
        &[&listen[..], &["--access-log", log]].concat(),
    );
    let figures = server.figures();
    let rows = DOCUMENTATION
        .lines()
        .filter_map(|line| line.strip_prefix("| `p"));
    let names = rows.map(|row| {
        let name = row.split(['`', '{']).next().unwrap();
        let (_, kind) = row.split_once("` | ").unwrap();
        (format!("p{name}"), kind.split(' ').next().unwrap())
    });
    let mut documented: Vec<(String, &str)> = names.collect();
    documented.sort();
    let measured = figures.families().iter().map(|(name, kind)| {
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        (format!("{name}{suffix}"), kind.as_str())
    });
    let mut measured: Vec<(String, &str)> = measured.collect();
    measured.sort();
    assert_eq!(documented, measured);
}

#[test]
fn what_the_process_takes_is_told_as_it_is() {
    let listen = ["--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let server = Server::start("handler-faults", &listen);
    let before = server.figures();
    let held: Vec<_> = (0..20).map(|_| held(server.address())).collect();
    let during = server.figures();
    let opened = during.of("process_open_fds") - before.of("process_open_fds");
    assert!((20.0..40.0).contains(&opened), "{opened}");
    drop(held);
    assert!(during.of("process_max_fds") >= 64.0);
    assert!(during.of("process_threads") >= 2.0);
    let resident = during.of("process_resident_memory_bytes");
    assert!(resident > 1e6 && resident < during.of("process_virtual_memory_bytes"));
    let began = during.of("process_start_time_seconds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    assert!((now.unwrap().as_secs_f64() - began) < 120.0);
    let version = format!(
        "portcullis_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(during.of(&version), 1.0);
    let used = || server.figures().of("process_cpu_seconds_total");
    let before = used();
    let _loop = {
        let mut connection = visit(server.address());
        connection.write_all(b"loop\n").unwrap();
        connection
    };
    until(|| (used() > before + 0.1).then_some(()));
}
