//! Programs that others wrote, for the examples to talk to.

use std::env;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::PATIENCE;

use crate::example::free_port;

/// A file or program below the folder of peers.
fn path(below: &str) -> PathBuf {
    let folder = match env::var_os("PORTCULLIS_PEERS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers")),
    };
    let path = folder.join(below);
    assert!(
        path.exists(),
        "{} is not there; `cargo xtask peers` fetches it",
        path.display()
    );
    path
}

/// Python with the packages of `requirements.txt`.
pub(crate) fn python<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(path("python/bin/python"));
    // What it says comes at once.
    command.arg("-u").args(arguments);
    command
}

/// A program of Debian's, with the libraries that were unpacked beside it.
pub(crate) fn debian(program: &str) -> Command {
    let mut command = Command::new(path(&format!("debian/{program}")));
    command.env("LD_LIBRARY_PATH", env::join_paths(libraries()).unwrap());
    command
}

/// A program of Debian's, copied with its libraries to where any user can run it.
pub(crate) fn debian_for_anyone(program: &str, folder: &Path) -> Command {
    let copy = |file: &Path| {
        let copied = folder.join(file.file_name().unwrap());
        fs::copy(file, &copied).unwrap();
        copied
    };
    // A folder is missing when its libraries are all on this machine.
    for libraries in libraries()
        .iter()
        .filter_map(|folder| folder.read_dir().ok())
    {
        for library in libraries.map(|library| library.unwrap().path()) {
            if library.is_file() {
                copy(&library);
            }
        }
    }
    let mut command = Command::new(copy(&path(&format!("debian/{program}"))));
    command.env("LD_LIBRARY_PATH", folder);
    command
}

fn libraries() -> [PathBuf; 2] {
    let architecture = format!("{}-linux-gnu", env::consts::ARCH);
    ["usr/lib", "lib"].map(|folder| path("debian").join(folder).join(&architecture))
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    /// Starts a server at the port that `command` is told of, and waits until it
    /// listens there.
    pub(crate) fn start(command: impl FnOnce(u16) -> Command) -> Self {
        let port = free_port();
        let child = command(port)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { port, child };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(server.child.try_wait().unwrap().is_none(), "it has ended");
            assert!(started.elapsed() < PATIENCE, "it does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves each connection with a process of its own whose standard input and
/// output it is, as inetd does. Returns the port.
pub(crate) fn inetd(command: impl Fn() -> Command + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let connection = OwnedFd::from(connection.unwrap());
            command()
                .stdin(connection.try_clone().unwrap())
                .stdout(connection)
                .stderr(Stdio::null())
                .status()
                .unwrap();
        }
    });
    port
}

/// What a program prints, which has to end well.
#[track_caller]
pub(crate) fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    super::assert_success(&output);
    String::from_utf8(output.stdout).unwrap()
}
