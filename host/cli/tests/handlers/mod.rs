//! The handlers among the examples under `portcullis serve`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_tests::PATIENCE;
use tempfile::TempDir;

use crate::example::Example;
use crate::protocols::peer::{debian, output, python};

const ANY_PORT: &str = "tcp://127.0.0.1:0";

#[test]
fn the_greeting_handler_thanks_each_visitor_and_closes() {
    let (mut server, addresses) = Example::handler("greeting-handler", [ANY_PORT]).serve();
    let mut said = server.lines();
    for number in 1..=2 {
        let mut visitor = TcpStream::connect(&addresses[0]).unwrap();
        let mut heard = String::new();
        visitor.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "Thank you for connecting\n");
        let from = visitor.local_addr().unwrap();
        assert_eq!(
            said.next().unwrap(),
            format!("[{number}] Got connection from {from}")
        );
    }
}

#[test]
fn the_echo_handler_echoes_hundreds_of_visitors_at_once() {
    const VISITORS: usize = 300;
    let (_server, addresses) = Example::handler("echo-handler", [ANY_PORT]).serve();
    let visitors: Vec<TcpStream> = (0..VISITORS)
        .map(|_| TcpStream::connect(&addresses[0]).unwrap())
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
}

#[test]
fn the_echo_handler_echoes_all_that_is_sent_over_tcp_and_unix_sockets() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("echo.sock");
    let unix = format!("unix:{}", path.display());
    let (_server, addresses) = Example::handler("echo-handler", [ANY_PORT, &unix]).serve();
    let stream = TcpStream::connect(&addresses[0]).unwrap();
    check_echo(stream.try_clone().unwrap(), &stream, |stream| {
        stream.shutdown(Shutdown::Write).unwrap();
    });
    let stream = UnixStream::connect(&path).unwrap();
    check_echo(stream.try_clone().unwrap(), &stream, |stream| {
        stream.shutdown(Shutdown::Write).unwrap();
    });
}

/// Sends more than any buffer holds, and receives it meanwhile.
#[track_caller]
fn check_echo<S: Write + Send>(mut writer: S, mut reader: impl Read, end: fn(&S)) {
    let sent: Vec<u8> = (0..4_000_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let mut echoed = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&sent).unwrap();
            end(&writer);
        });
        reader.read_to_end(&mut echoed).unwrap();
    });
    assert!(echoed == sent, "{} of {} bytes", echoed.len(), sent.len());
}

#[test]
fn the_echo_handler_serves_python() {
    let (_server, addresses) = Example::handler("echo-handler", [ANY_PORT]).serve();
    let script = r#"
import socket, sys
host, port = sys.argv[1].split(":")
with socket.create_connection((host, int(port)), timeout=30) as connection:
    connection.sendall(b"Hello, world")
    connection.shutdown(socket.SHUT_WR)
    print(connection.makefile("rb").read())
"#;
    let mut client = python(["-c", script]);
    client.arg(&addresses[0]);
    assert_eq!(output(client), "b'Hello, world'\n");
}

#[test]
fn the_handlers_serve_netcat() {
    let (_server, addresses) = Example::handler("greeting-handler", [ANY_PORT]).serve();
    assert_eq!(
        netcat(&addresses[0], "exec \"$0\" -N \"$@\" </dev/null"),
        "Thank you for connecting\n"
    );
    let (_server, addresses) = Example::handler("echo-handler", [ANY_PORT]).serve();
    let said = netcat(&addresses[0], "echo Hello, world | \"$0\" -N \"$@\"");
    assert_eq!(said, "Hello, world\n");
    let (_server, addresses) = Example::handler("udp-handler", ["udp://127.0.0.1:0"]).serve();
    let said = netcat(&addresses[0], "echo hello | \"$0\" -u -W 1 \"$@\"");
    assert_eq!(said, "HELLO\n");
}

/// What a line of shell prints whose `$0` is netcat, and whose arguments are where
/// to go.
fn netcat(server: &str, line: &str) -> String {
    let netcat = debian("bin/nc.openbsd");
    let (host, port) = server.split_once(':').unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .arg(netcat.get_program())
        .args([host, port]);
    for (name, value) in netcat.get_envs() {
        shell.env(name, value.unwrap());
    }
    output(shell)
}

#[test]
fn the_datagram_handler_answers_each_client_what_it_asked() {
    let listen = ["udp://127.0.0.1:0"];
    let (mut server, addresses) = Example::handler("udp-handler", listen).serve();
    let clients: Vec<UdpSocket> = (0..10).map(|_| client(&addresses[0])).collect();
    for (number, client) in clients.iter().enumerate() {
        client.send(format!("hello {number}").as_bytes()).unwrap();
    }
    let mut answer = [0; 64];
    for (number, client) in clients.iter().enumerate() {
        let length = client.recv(&mut answer).unwrap();
        let answer = str::from_utf8(&answer[..length]).unwrap();
        assert_eq!(answer, format!("HELLO {number}"));
    }
    let unnumbered = |line: String| line.split_once("] ").unwrap().1.to_owned();
    let heard = server.lines().take(clients.len());
    let mut heard: Vec<String> = heard.map(unnumbered).collect();
    let mut expected: Vec<String> = clients
        .iter()
        .enumerate()
        .map(|(number, client)| format!("{} says: hello {number}", client.local_addr().unwrap()))
        .collect();
    // Each had an instance of its own, and they did not wait for each other.
    heard.sort();
    expected.sort();
    assert_eq!(heard, expected);
}

fn client(server: &str) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[test]
fn the_time_handler_tells_the_time_over_tcp_and_udp() {
    let listen = [ANY_PORT, "udp://127.0.0.1:0"];
    let (_server, addresses) = Example::handler("time-handler", listen).serve();
    let mut over_tcp = Vec::new();
    let mut stream = TcpStream::connect(&addresses[0]).unwrap();
    stream.read_to_end(&mut over_tcp).unwrap();
    check_time(&over_tcp);
    let socket = client(&addresses[1]);
    socket.send(b"").unwrap();
    let mut over_udp = [0; 64];
    let length = socket.recv(&mut over_udp).unwrap();
    check_time(&over_udp[..length]);
}

/// RFC 868: "The time 2,208,988,800 corresponds to 00:00  1 Jan 1970 GMT".
#[track_caller]
fn check_time(answer: &[u8]) {
    let told = u64::from(u32::from_be_bytes(answer.try_into().unwrap()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs() + 2_208_988_800;
    // Of which the answer is the lower four bytes.
    let ago = now.wrapping_sub(told) % (1 << 32);
    assert!(ago <= PATIENCE.as_secs(), "{told} is not {now}");
}

#[test]
fn a_handler_is_not_served_where_it_has_nothing_to_say() {
    for (name, endpoint) in [
        ("udp-handler", ANY_PORT),
        ("echo-handler", "udp://127.0.0.1:0"),
    ] {
        let mut refused = Example::handler(name, [endpoint]).start();
        let why: Vec<String> = refused.complaints().collect();
        assert!(why[0].starts_with("error: "), "{why:?}");
        assert!(why.concat().contains(endpoint), "{why:?}");
        assert_eq!(refused.finish().status.code(), Some(2), "{why:?}");
    }
}
