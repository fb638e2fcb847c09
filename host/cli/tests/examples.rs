//! The examples with the policies that they come with.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod example;
mod handlers;
mod learned;
mod protocols;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};

use crate::example::{Example, free_port};

fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[test]
fn the_greeting_pair_meets() {
    let port = free_port();
    let mut server = Example::named("greeting-server", "greeting/server.toml")
        .port(12345, port)
        .start();
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    let mut client = Example::named("greeting-client", "greeting/client.toml")
        .port(12345, port)
        .start();
    let said: Vec<String> = client.lines().collect();
    assert_eq!(said, ["Thank you for connecting"]);
    assert!(
        server_says
            .next()
            .unwrap()
            .starts_with("Got connection from 127.0.0.1:")
    );
    assert!(client.finish().status.success());
}

#[test]
fn the_echo_server_echoes_one_visitor_after_the_other() {
    let port = free_port();
    let mut server = Example::named("echo-server", "echo/server.toml")
        .port(12347, port)
        .start();
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
    let mut server = Example::named("echo-async-server", "echo-async/server.toml")
        .port(12349, port)
        .start();
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
    let mut typed = server.stdin();
    typed.write_all(b"go on\nq\n").unwrap();
    assert!(server.finish().status.success());
}

#[test]
fn the_udp_pair_exchanges_datagrams() {
    let port = free_udp_port();
    let mut server = Example::named("udp-server", "udp/server.toml")
        .port(12348, port)
        .start();
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    let mut client = Example::named("udp-client", "udp/client.toml")
        .port(12348, port)
        .start();
    let said: Vec<String> = client.lines().collect();
    assert_eq!(said, [format!("127.0.0.1:{port} says: HELLO")]);
    let heard = server_says.next().unwrap();
    assert!(heard.starts_with("127.0.0.1:"), "{heard}");
    assert!(heard.ends_with(" says: hello"), "{heard}");
    assert!(client.finish().status.success());
}

#[test]
fn the_names_program_knows_what_its_policy_says() {
    let output = Example::named("example-names", "names/policy.toml")
        .arguments(["www.internal"])
        .finish("");
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
    let mut server = Example::named("chat-server", "chat/server.toml")
        .port(12346, port)
        .start();
    let mut server_says = server.lines();
    assert_eq!(
        server_says.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    let mut client = Example::named("chat-client", "chat/client.toml")
        .port(12346, port)
        .start();
    let mut typed_at_server = server.stdin();
    let mut typed_at_client = client.stdin();

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
    assert!(client.finish().status.success());
    assert!(server.finish().status.success());
}
