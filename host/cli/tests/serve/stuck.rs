//! Threads that something keeps: an audit log on a pipe that is not read stands for a disk
//! that stalls, and for each fault of the host that nobody knows yet. The server says that
//! it is not ready, its watchdog bites, and SIGTERM ends it all the same.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_tests::PATIENCE;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::server::{Server, answer, guest, order, serve, shown, visitor};

/// A pipe with a name, open, with room for a page more (pipe(7): it has 16).
fn pipe(path: &Path) -> File {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let pipe = OpenOptions::new().read(true).write(true).open(path);
    let mut pipe = pipe.unwrap();
    pipe.write_all(&[b'x'; 15 * 4096]).unwrap();
    pipe
}

/// A server with two threads, and what is open for it.
struct Stuck {
    server: Server,
    metrics: SocketAddr,
    _pipe: File,
    _visitors: Vec<TcpStream>,
}

/// A server that serves until its audit log takes no more, which all of its threads then
/// wait for.
fn stuck(folder: &Path, manager: &Path) -> Stuck {
    let log = folder.join("audit");
    let pipe = pipe(&log);
    let mut command = serve(["--listen", "tcp://127.0.0.1:0", "--workers", "2"]);
    command
        .args(["--metrics", "127.0.0.1:0", "--drain-timeout", "2s"])
        .args(["--audit", shown(&log)])
        .env("NOTIFY_SOCKET", manager)
        .env("WATCHDOG_USEC", "1000000")
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let metrics = server.says("metrics at ").parse().unwrap();
    let address = server.address();
    until(|| ready(metrics) == "ready");
    let visitors: Vec<_> = (0..64).map(|_| visitor(address)).collect();
    for visitor in &visitors {
        order(visitor, "state");
    }
    Stuck {
        server,
        metrics,
        _pipe: pipe,
        _visitors: visitors,
    }
}

fn ready(metrics: SocketAddr) -> String {
    let visitor = visitor(metrics);
    order(&visitor, "GET /readyz HTTP/1.0\r\n\r");
    let answer = answer(visitor);
    answer.lines().last().unwrap_or_default().to_owned()
}

#[track_caller]
fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "it never is");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn manager(folder: &Path) -> (UnixDatagram, std::path::PathBuf) {
    let path = folder.join("notify");
    (UnixDatagram::bind(&path).unwrap(), path)
}

#[test]
fn a_server_whose_threads_are_kept_is_not_ready_and_ends_all_the_same() {
    let folder = TempDir::new().unwrap();
    let (manager, path) = manager(folder.path());
    let mut stuck = stuck(folder.path(), &path);
    until(|| ready(stuck.metrics).starts_with("stuck: "));
    // What the watchdog was fed before is taken; no more comes.
    manager.set_nonblocking(true).unwrap();
    while manager.recv(&mut [0; 256]).is_ok() {}
    manager.set_nonblocking(false).unwrap();
    let silence = Duration::from_secs(2);
    manager.set_read_timeout(Some(silence)).unwrap();
    assert!(manager.recv(&mut [0; 256]).is_err(), "the watchdog is fed");
    let begin = Instant::now();
    stuck.server.signal(Signal::TERM);
    assert_eq!(stuck.server.end().code(), Some(1));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    let said = stuck.server.said();
    assert!(said.contains("is ended by force: "), "{said}");
}

#[test]
fn a_second_signal_ends_a_server_whose_threads_are_kept_at_once() {
    let folder = TempDir::new().unwrap();
    let (_manager, path) = manager(folder.path());
    let mut stuck = stuck(folder.path(), &path);
    stuck.server.signal(Signal::TERM);
    // The first has to be heard apart from the second.
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    stuck.server.signal(Signal::INT);
    assert_eq!(stuck.server.end().code(), Some(1));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}
