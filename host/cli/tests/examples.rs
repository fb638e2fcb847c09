//! The examples with the policies that they come with.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

use portcullis_tests::component;
use tempfile::TempDir;

/// An example that runs, killed when it is dropped.
struct Example {
    child: Child,
    _policy: TempDir,
}

impl Example {
    /// Runs an example under its own policy. The port that the policy names may
    /// be taken on this machine, so both are told of `port` in its place.
    fn start(name: &str, policy: &str, named: &str, port: u16) -> Self {
        let path = format!("{}/../../examples/{policy}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(named), "{policy} does not name {named}");
        let folder = TempDir::new().unwrap();
        let moved = folder.path().join("policy.toml");
        fs::write(&moved, text.replace(named, &port.to_string())).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(["run", "--policy"]).arg(moved);
        command
            .arg(component(name))
            .arg(format!("127.0.0.1:{port}"));
        Self {
            child: spawn(command),
            _policy: folder,
        }
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(mut command: Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[test]
fn the_greeting_pair_meets() {
    let port = free_port();
    let mut server = Example::start("greeting-server", "greeting/server.toml", "12345", port);
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    let mut client = Example::start("greeting-client", "greeting/client.toml", "12345", port);
    let said: Vec<String> = client.lines().collect();
    assert_eq!(said, ["Thank you for connecting"]);
    assert!(
        server_says
            .next()
            .unwrap()
            .starts_with("Got connection from 127.0.0.1:")
    );
    assert!(client.child.wait().unwrap().success());
}

#[test]
fn the_echo_server_echoes_one_visitor_after_the_other() {
    let port = free_port();
    let mut server = Example::start("echo-server", "echo/server.toml", "12347", port);
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    for text in ["first", "second visitor"] {
        let mut visitor = TcpStream::connect(("127.0.0.1", port)).unwrap();
        visitor.write_all(text.as_bytes()).unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        let mut echoed = String::new();
        visitor.read_to_string(&mut echoed).unwrap();
        assert_eq!(echoed, text);
        assert_eq!(
            server_says.next().unwrap(),
            format!("echoed {} bytes", text.len())
        );
    }
}

#[test]
fn the_async_echo_server_echoes_hundreds_of_visitors_at_once_until_q() {
    const VISITORS: usize = 300;
    let port = free_port();
    let mut server = Example::start("echo-async-server", "echo-async/server.toml", "12349", port);
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    let visitors: Vec<TcpStream> = (0..VISITORS)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    // The last who came is the first who speaks, and nobody leaves before all
    // have been answered.
    for (number, mut visitor) in visitors.iter().enumerate().rev() {
        write!(visitor, "{number:04}").unwrap();
    }
    for (number, mut visitor) in visitors.iter().enumerate() {
        let mut echoed = [0; 4];
        visitor.read_exact(&mut echoed).unwrap();
        assert_eq!(str::from_utf8(&echoed).unwrap(), format!("{number:04}"));
    }
    drop(visitors);
    for said in server_says.by_ref().take(VISITORS) {
        assert!(said.starts_with("echoed 4 bytes to 127.0.0.1:"), "{said}");
    }
    let mut typed = server.child.stdin.take().unwrap();
    typed.write_all(b"go on\nq\n").unwrap();
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn the_udp_pair_exchanges_datagrams() {
    let port = free_udp_port();
    let mut server = Example::start("udp-server", "udp/server.toml", "12348", port);
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    let mut client = Example::start("udp-client", "udp/client.toml", "12348", port);
    let said: Vec<String> = client.lines().collect();
    assert_eq!(said, [format!("127.0.0.1:{port} says: HELLO")]);
    let heard = server_says.next().unwrap();
    assert!(heard.starts_with("127.0.0.1:"), "{heard}");
    assert!(heard.ends_with(" says: hello"), "{heard}");
    assert!(client.child.wait().unwrap().success());
}

#[test]
fn the_names_program_knows_what_its_policy_says() {
    let policy = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/names/policy.toml"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["run", "--policy", policy]);
    command.arg(component("example-names")).arg("www.internal");
    let output = command.output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "this machine is called sandbox\n\
         www.internal serves the web at 10.0.0.80:80\n\
         www.internal serves the web at [fd00::80]:80\n"
    );
}

#[test]
fn the_chat_pair_converses_until_q() {
    let port = free_port();
    let mut server = Example::start("chat-server", "chat/server.toml", "12346", port);
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    let mut client = Example::start("chat-client", "chat/client.toml", "12346", port);
    let mut typed_at_server = server.child.stdin.take().unwrap();
    let mut typed_at_client = client.child.stdin.take().unwrap();

    typed_at_client.write_all(b"hello\n").unwrap();
    assert!(
        server_says
            .next()
            .unwrap()
            .starts_with("Connection from 127.0.0.1:")
    );
    assert_eq!(server_says.next().unwrap(), "from connected user: hello");
    typed_at_server.write_all(b"hello yourself\n").unwrap();
    let mut client_says = client.lines();
    assert_eq!(
        client_says.next().unwrap(),
        " -> Received from server: hello yourself"
    );
    typed_at_client.write_all(b"q\n").unwrap();
    assert!(client.child.wait().unwrap().success());
    assert!(server.child.wait().unwrap().success());
}
