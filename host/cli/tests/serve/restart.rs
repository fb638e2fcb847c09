//! SIGUSR2: another process takes over, and nobody who comes meanwhile notices.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use portcullis_tests::PATIENCE;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::launch::with_sockets;
use crate::server::{
    Server, answer, echoes, echoing, guest, obeyed, order, orders, send, serve, shown, visitor,
    write_policy,
};

#[test]
fn whoever_comes_all_the_time_sees_no_error() {
    let (mut server, address) = orders(&[]);
    let (stop, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let visitors = [(); 4].map(|()| {
        let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(obeyed(address, "state"), "1");
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let wait_for_more = || {
        let enough = served.load(Ordering::Relaxed) + 50;
        while served.load(Ordering::Relaxed) < enough {
            assert!(visitors.iter().all(|visitor| !visitor.is_finished()));
            thread::yield_now();
        }
    };
    wait_for_more();
    let mut process = server.id();
    for _ in 0..3 {
        let next = match process == server.id() {
            true => {
                let next = server.hand_over();
                assert!(server.end().success(), "{}", server.said());
                next
            }
            // The one that took over can be taken over from as well.
            false => {
                send(process, Signal::USR2);
                server.expect_successor()
            }
        };
        assert_ne!(process, next);
        process = next;
        wait_for_more();
    }
    stop.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.join().unwrap();
    }
    send(process, Signal::TERM);
}

#[test]
fn whoever_is_served_is_served_to_the_end_by_the_old_one() {
    let (mut server, address) = orders(&[]);
    let early = echoing(address);
    let successor = server.hand_over();
    assert!(echoes(&early));
    assert_eq!(obeyed(address, "state"), "1");
    assert!(echoes(&early));
    drop(early);
    assert!(server.end().success());
    assert_eq!(obeyed(address, "state"), "1");
    send(successor, Signal::TERM);
}

#[test]
fn every_kind_of_listener_is_handed_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let passed = folder.path().join("passed.sock");
    let socket = format!("unix:{}=app", shown(&passed));
    let mut server = Server::start(with_sockets(
        &["tcp=web", &socket, "tcp=more"],
        "handler-faults",
        &[
            "--listen",
            "tcp://127.0.0.1:0",
            "--listen",
            "systemd:more from loopback",
            "--listen",
            &format!("unix:{}", shown(&path)),
            "--listen",
            "systemd",
            "--listen",
            "tcp://*:0",
        ],
    ));
    let own = server.address();
    let more = server.address();
    server.says("app.sock");
    let web = server.address();
    server.says("passed.sock");
    let any = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let successor = server.hand_over();
    assert!(server.end().success());
    for address in [own, more, web, any] {
        assert_eq!(obeyed(address, "state"), "1");
    }
    for path in [&path, &passed] {
        let visitor = UnixStream::connect(path).unwrap();
        order(&visitor, "state");
        assert_eq!(answer(visitor), "1");
    }
    send(successor, Signal::TERM);
    let _ = server.said();
    assert!(!path.exists(), "whoever took over clears up");
    assert!(passed.exists(), "but not what others have made");
}

#[test]
fn a_unix_socket_stays_where_the_successor_cannot_begin() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let log = folder.path().join("audit.jsonl");
    let mut command = serve(["--listen", &format!("unix:{}", shown(&path))]);
    command
        .args(["--listen", "tcp://127.0.0.1:0", "--audit", shown(&log)])
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    server.says("listens at ");
    server.address();
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    server.signal(Signal::USR2);
    server.says("exit status: 125");
    let visitor = UnixStream::connect(&path).unwrap();
    order(&visitor, "state");
    assert_eq!(answer(visitor), "1");
    server.finish();
    assert!(!path.exists());
}

/// Another was put there before the hand-over, and stays after both have ended.
#[test]
fn a_path_that_others_took_stays_theirs_through_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let mut command = serve(["--listen", &format!("unix:{}", shown(&path))]);
    command
        .args(["--listen", "tcp://127.0.0.1:0"])
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    server.says("listens at ");
    let address = server.address();
    fs::remove_file(&path).unwrap();
    let theirs = UnixListener::bind(&path).unwrap();
    let successor = server.hand_over();
    assert!(server.end().success());
    assert_eq!(obeyed(address, "state"), "1");
    send(successor, Signal::TERM);
    let _ = server.said();
    assert!(path.exists(), "it is whose who made it");
    UnixStream::connect(&path).unwrap();
    theirs.accept().unwrap();
}

#[test]
fn datagrams_are_answered_by_whoever_took_over() {
    let mut command = serve(["--listen", "udp://127.0.0.1:0"]);
    command.arg(guest("datagram-faults"));
    let mut server = Server::start(command);
    let address = server.address();
    let successor = server.hand_over();
    assert!(server.end().success());
    let visitor = UdpSocket::bind("127.0.0.1:0").unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor.send_to(b"echo hello", address).unwrap();
    let mut data = [0; 16];
    let length = visitor.recv(&mut data).unwrap();
    assert_eq!(&data[..length], b"hello");
    send(successor, Signal::TERM);
}

/// What a process has open, beside the standard streams.
fn open(process: u32) -> Vec<String> {
    let listed = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let listed = listed.filter_map(|entry| {
        let entry = entry.unwrap();
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let what = fs::read_link(entry.path()).ok()?;
        (number > 2).then(|| what.display().to_string())
    });
    let mut open: Vec<String> = listed.collect();
    open.sort();
    open
}

#[test]
fn whoever_takes_over_has_the_listeners_and_nothing_else_of_the_old_one() {
    // What it was started with is not handed on either.
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "").unwrap();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "exec 9<\"$1\"; shift; exec \"$@\"",
        "sh",
        shown(&secret),
        env!("CARGO_BIN_EXE_portcullis"),
        "serve",
        "--listen",
        "tcp://127.0.0.1:0",
        shown(&guest("handler-faults")),
    ]);
    let mut server = Server::start(command);
    let address = server.address();
    let visitors: Vec<_> = (0..5).map(|_| echoing(address)).collect();
    let before = open(server.id());
    assert!(before.iter().any(|what| what.ends_with("secret")));
    let successor = server.hand_over();
    let after = open(successor);
    assert!(
        !after.iter().any(|what| what.ends_with("secret")),
        "{after:?}"
    );
    let sockets = |open: &[String]| -> Vec<String> {
        let sockets = open.iter().filter(|what| what.starts_with("socket:"));
        sockets.cloned().collect()
    };
    let shared: Vec<_> = sockets(&before)
        .into_iter()
        .filter(|socket| sockets(&after).contains(socket))
        .collect();
    assert_eq!(shared.len(), 1, "the listener: {before:?} {after:?}");
    drop(visitors);
    assert!(server.end().success());
    send(successor, Signal::TERM);
}

/// Makes a file that is to be started. In a process of its own: whatever another test
/// starts meanwhile would keep the file open for writing for a moment, and nobody can
/// start a file that is written to.
fn copy(from: &str, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

fn script(to: &Path, text: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "printf '%s' \"$1\" > \"$2\"", "sh", text]);
    assert!(command.arg(to).status().unwrap().success());
}

/// A server whose command can be replaced.
struct Installed {
    folder: TempDir,
    server: Server,
    address: SocketAddr,
}

impl Installed {
    fn new(arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let command = folder.path().join("portcullis");
        copy(env!("CARGO_BIN_EXE_portcullis"), &command);
        let policy = folder.path().join("policy.toml");
        write_policy(&policy, "");
        let mut command = Command::new(command);
        command
            .args(["serve", "--listen", "tcp://127.0.0.1:0", "--policy"])
            .arg(policy)
            .args(arguments)
            .arg(guest("handler-faults"));
        let mut server = Server::start(command);
        let address = server.address();
        Self {
            folder,
            server,
            address,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another command in its place, as an installer does.
    fn install(&self, write: impl FnOnce(&Path)) {
        let new = self.file("new");
        write(&new);
        fs::set_permissions(&new, Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, self.file("portcullis")).unwrap();
    }

    #[track_caller]
    fn fail_to_hand_over(&mut self, why: &str) {
        let early = echoing(self.address);
        self.server.signal(Signal::USR2);
        self.server
            .says("cannot be taken over, and goes on as before");
        let error = self.server.says("error: ");
        assert!(error.contains(why), "{why}: {error}");
        assert!(echoes(&early), "{why}");
        assert_eq!(obeyed(self.address, "state"), "1", "{why}");
    }
}

#[test]
fn a_command_or_a_policy_that_does_not_work_leaves_the_old_one_serving() {
    let mut installed = Installed::new(&["--restart-timeout", "2s"]);
    installed.install(|new| script(new, "no program"));
    installed.fail_to_hand_over("cannot start");
    installed.install(|new| script(new, "#!/bin/sh\nexit 7\n"));
    installed.fail_to_hand_over("ended before it served: exit status: 7");
    installed.install(|new| script(new, "#!/bin/sh\nexec sleep 1000\n"));
    installed.fail_to_hand_over("does not serve after 2s");
    fs::remove_file(installed.file("portcullis")).unwrap();
    installed.fail_to_hand_over("cannot start");
    installed.install(|new| copy(env!("CARGO_BIN_EXE_portcullis"), new));
    write_policy(&installed.file("policy.toml"), "nonsense\n");
    installed.fail_to_hand_over("ended before it served: exit status: 2");
    write_policy(
        &installed.file("policy.toml"),
        "deny = [\"listen tcp://127.0.0.1:*\"]\n",
    );
    installed.fail_to_hand_over("ended before it served: exit status: 2");
    // And what works takes over.
    write_policy(&installed.file("policy.toml"), "");
    let successor = installed.server.hand_over();
    let path = fs::read_link(format!("/proc/{successor}/exe")).unwrap();
    assert_eq!(path, installed.file("portcullis"));
    assert!(installed.server.end().success());
    assert_eq!(obeyed(installed.address, "state"), "1");
    send(successor, Signal::TERM);
}

#[test]
fn a_successor_that_cannot_begin_lets_nobody_in() {
    let mut installed = Installed::new(&["--listen", "tcp://127.0.0.1:0"]);
    let (address, other) = (installed.address, installed.server.address());
    // What comes first it can open.
    let deny = format!("deny = [\"listen tcp://{other}\"]\n");
    write_policy(&installed.file("policy.toml"), &deny);
    let stop = Arc::<AtomicBool>::default();
    let visitors = [(); 3].map(|()| {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(obeyed(address, "state"), "1");
            }
        })
    });
    for _ in 0..5 {
        installed.server.signal(Signal::USR2);
        installed.server.says("cannot be taken over");
    }
    stop.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.join().unwrap();
    }
}

#[test]
fn a_server_that_is_to_end_does_not_wait_for_whoever_takes_over() {
    let mut installed = Installed::new(&["--restart-timeout", "1h"]);
    let started = installed.file("started");
    let text = format!(
        "#!/bin/sh\necho $$ > {}\nexec sleep 1000\n",
        shown(&started)
    );
    installed.install(|new| script(new, &text));
    installed.server.signal(Signal::USR2);
    let process: u32 = loop {
        let number = fs::read_to_string(&started).unwrap_or_default();
        if let Ok(number) = number.trim().parse() {
            break number;
        }
        thread::yield_now();
    };
    installed.server.signal(Signal::TERM);
    assert!(installed.server.end().success());
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn a_new_handler_and_policy_come_with_the_new_process() {
    let mut installed = Installed::new(&[]);
    let connect = format!("connect {}", installed.address);
    assert_eq!(
        obeyed(installed.address, &connect),
        "ErrorCode::AccessDenied"
    );
    write_policy(
        &installed.file("policy.toml"),
        &format!("allow = [\"connect tcp://{}\"]\n", installed.address),
    );
    let successor = installed.server.hand_over();
    assert!(installed.server.end().success());
    assert_eq!(obeyed(installed.address, &connect), "ok");
    drop(visitor(installed.address));
    send(successor, Signal::TERM);
}

#[test]
fn the_metrics_are_answered_by_whoever_took_over() {
    let mut command = serve(["--listen", "tcp://127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
    command.arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let metrics: SocketAddr = server.says("metrics at ").parse().unwrap();
    server.address();
    let successor = server.hand_over();
    assert!(server.end().success());
    let visitor = visitor(metrics);
    order(&visitor, "GET /readyz HTTP/1.0\r\n\r");
    let page = answer(visitor);
    assert!(page.starts_with("HTTP/1.0 200"), "{page}");
    send(successor, Signal::TERM);
}
