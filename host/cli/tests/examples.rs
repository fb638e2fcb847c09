//! The examples with the policies that they come with.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use portcullis_tests::component;

/// The policies name fixed ports, so one example at a time.
static PORTS: Mutex<()> = Mutex::new(());

fn ports() -> MutexGuard<'static, ()> {
    PORTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An example that runs, killed when it is dropped.
struct Example(Child);

impl Example {
    fn start(name: &str, policy: &str) -> Self {
        let policy = format!("{}/../../examples/{policy}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command
            .args(["run", "--policy", &policy])
            .arg(component(name));
        Self(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.0.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_greeting_pair_meets() {
    let _ports = ports();
    let mut server = Example::start("greeting-server", "greeting/server.toml");
    let mut server_says = server.lines();
    assert_eq!(server_says.next().unwrap(), "Listening on 127.0.0.1:12345");
    let mut client = Example::start("greeting-client", "greeting/client.toml");
    let said: Vec<String> = client.lines().collect();
    assert_eq!(said, ["Thank you for connecting"]);
    assert!(
        server_says
            .next()
            .unwrap()
            .starts_with("Got connection from 127.0.0.1:")
    );
    assert!(client.0.wait().unwrap().success());
}

#[test]
fn the_echo_server_echoes_one_visitor_after_the_other() {
    let _ports = ports();
    let mut server = Example::start("echo-server", "echo/server.toml");
    let mut server_says = server.lines();
    assert_eq!(server_says.next().unwrap(), "Listening on 127.0.0.1:12347");
    for text in ["first", "second visitor"] {
        let mut visitor = TcpStream::connect("127.0.0.1:12347").unwrap();
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
fn the_names_program_knows_what_its_policy_says() {
    let mut names = Example::start("example-names", "names/policy.toml");
    let said: Vec<String> = names.lines().collect();
    assert_eq!(
        said,
        [
            "this machine is called sandbox",
            "localhost serves the web at [::1]:80",
            "localhost serves the web at 127.0.0.1:80",
        ]
    );
}

#[test]
fn the_chat_pair_converses_until_q() {
    let _ports = ports();
    let mut server = Example::start("chat-server", "chat/server.toml");
    let mut server_says = server.lines();
    assert_eq!(server_says.next().unwrap(), "Listening on 127.0.0.1:12346");
    let mut client = Example::start("chat-client", "chat/client.toml");
    let mut typed_at_server = server.0.stdin.take().unwrap();
    let mut typed_at_client = client.0.stdin.take().unwrap();

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
    assert!(client.0.wait().unwrap().success());
    assert!(server.0.wait().unwrap().success());
}
