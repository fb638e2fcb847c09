//! What the process takes of the machine.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::PATIENCE;
use tempfile::TempDir;

use crate::server::{Server, guest, obeyed, order, orders, serve, shown, visitor};

/// A server that is started with limits on descriptors, the soft and the hard one.
fn within(soft: u32, hard: u32, arguments: &[&str]) -> (Server, std::net::SocketAddr) {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -Sn $1; ulimit -Hn $2; shift 2; exec \"$@\"",
            "sh",
        ])
        .args([soft.to_string(), hard.to_string()])
        .args([env!("CARGO_BIN_EXE_portcullis"), "serve"])
        .args(["--listen", "tcp://127.0.0.1:0", "--max-connections", "400"])
        .args(arguments)
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let address = server.address();
    (server, address)
}

fn limits(server: &Server) -> (u32, u32) {
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let mut numbers = line.unwrap().split_whitespace().flat_map(str::parse);
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn an_instance_opens_no_more_sockets_than_it_may() {
    for (arguments, most) in [(&[][..], 64), (&["--max-sockets", "3"], 3)] {
        let (_server, address) = orders(arguments);
        assert_eq!(
            obeyed(address, "open 100000"),
            format!("{most} sockets, then ErrorCode::LimitExceeded")
        );
    }
}

#[test]
fn instances_are_not_given_what_the_server_reads_and_starts_anew() {
    let folder = TempDir::new().unwrap();
    let (handler, command) = (
        folder.path().join("handler.wasm"),
        folder.path().join("portcullis"),
    );
    fs::copy(guest("handler-faults"), &handler).unwrap();
    symlink(env!("CARGO_BIN_EXE_portcullis"), &command).unwrap();
    let dir = format!("{}::/data", folder.path().display());
    let end = |command: &Path, handler: &Path| {
        let mut command = Command::new(command);
        command.args(["serve", "--listen", "tcp://127.0.0.1:0", "--dir", &dir]);
        let mut server = Server::start({
            command.arg(handler);
            command
        });
        assert_eq!(server.end().code(), Some(2));
        server.said()
    };
    let said = end(Path::new(env!("CARGO_BIN_EXE_portcullis")), &handler);
    assert!(said.contains("handler.wasm, by which it is run"), "{said}");
    let said = end(&command, &guest("handler-faults"));
    assert!(said.contains("portcullis, by which it is run"), "{said}");
}

#[test]
fn an_instance_does_not_take_all_descriptors_by_opening_files() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let dir = format!("{}::/folder", shown(folder.path()));
    let (mut server, address) = within(256, 256, &["--max-sockets", "8", "--dir", &dir]);
    let greedy = visitor(address);
    order(&greedy, "files /folder/file");
    server.says("trapped: resource table has no free keys");
    assert_eq!(obeyed(address, "state"), "1");
}

#[test]
fn instances_do_not_read_what_the_server_is_given_to_read() {
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command.arg(guest("handler-faults"));
    let input = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let mut server = Server::start_with(command, input.into());
    let address = server.address();
    assert_eq!(obeyed(address, "read"), "0 bytes");
}

#[test]
fn it_has_as_many_descriptors_as_it_may_have() {
    let (mut server, address) = within(128, 1024, &[]);
    assert_eq!(limits(&server), (1024, 1024));
    assert_eq!(obeyed(address, "state"), "1");
    server.signal(rustix::process::Signal::TERM);
    assert!(server.end().success());
    assert!(!server.said().contains("warning"), "{}", server.said());
}

#[test]
fn where_there_are_too_few_descriptors_it_says_so() {
    let (mut server, address) = within(128, 256, &[]);
    assert_eq!(limits(&server), (256, 256));
    assert_eq!(obeyed(address, "state"), "1");
    server.signal(rustix::process::Signal::TERM);
    assert!(server.end().success());
    let said = server.said();
    assert!(
        said.contains("warning: there are descriptors for some 128 connections, and not for --max-connections 400"),
        "{said}"
    );
}

/// The threads that serve, and those that they have started for other work and that
/// are called the same.
fn threads(server: &Server) -> usize {
    let threads = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let names = threads.map(|thread| {
        let name = thread.unwrap().path().join("comm");
        // It may have ended.
        fs::read_to_string(name).unwrap_or_default()
    });
    names
        .filter(|name| name.starts_with("tokio-rt-worker"))
        .count()
}

#[test]
fn as_many_threads_serve_as_it_is_said() {
    for (workers, at_least, below) in [("1", 1, 11), ("11", 11, 21)] {
        let (server, address) = orders(&["--workers", workers]);
        assert_eq!(obeyed(address, "state"), "1");
        // Those that have only just been started have no names yet.
        let end = Instant::now() + PATIENCE;
        while !(at_least..below).contains(&threads(&server)) {
            assert!(Instant::now() < end, "{}", threads(&server));
            thread::sleep(Duration::from_millis(10));
        }
        server.finish();
    }
}

/// What a process has in memory, in bytes.
fn memory(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.strip_suffix("kB")).unwrap();
    kibibytes.trim().parse::<usize>().unwrap() * 1024
}

#[test]
fn what_an_instance_has_the_host_keep_is_within_its_memory() {
    const GUESTS: usize = 10;
    const MEMORY: usize = 4 << 20;
    let (mut server, address) = orders(&["--memory", "4 MiB"]);
    // The first has what is made once.
    assert_eq!(obeyed(address, "state"), "1");
    let empty = memory(&server);
    let greedy: Vec<_> = (0..GUESTS).map(|_| visitor(address)).collect();
    // One after the other: what they say would be mixed.
    for visitor in &greedy {
        order(visitor, "narrow");
        let refusal = server.says("networks, then ");
        assert!(refusal.contains("memory = 4194304"), "{refusal}");
    }
    let grown = memory(&server).saturating_sub(empty);
    portcullis_tests::measure::say(&format!(
        "{GUESTS} guests of 4 MiB have the host keep what it may: {} MiB more",
        grown >> 20
    ));
    // Beside it are stacks, and what the allocator leaves.
    assert!(grown < 2 * GUESTS * MEMORY, "{grown} bytes more");
    assert_eq!(obeyed(address, "state"), "1");
}
