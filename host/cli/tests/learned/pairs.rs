//! The examples that need no peer but each other.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::assert_learned;
use crate::example::{Example, Running, free_port};
use crate::free_udp_port;

/// Starts a server, and waits until it listens.
fn listening(server: Example) -> (Running, impl Iterator<Item = String>) {
    let mut server = server.start();
    let mut said = server.lines();
    let begin = said.next().unwrap();
    assert!(begin.starts_with("Listening on "), "{begin}");
    (server, said)
}

fn succeed(client: Example, input: &str) {
    let output = client.finish(input);
    assert!(output.status.success(), "{output:?}");
}

/// Learns both of a pair, each while the other runs with its own policy.
fn assert_pair_learned(server: impl Fn() -> Example, client: impl Fn() -> Example) {
    assert_learned(1, &server, |server| {
        let (server, _said) = listening(server);
        succeed(client(), "");
        server.interrupt();
    });
    let (_server, _said) = listening(server());
    assert_learned(1, client, |client| succeed(client, ""));
}

#[test]
fn the_greeting_pair_is_learned() {
    let port = free_port();
    assert_pair_learned(
        || Example::named("greeting-server", "greeting/server.toml").port(12345, port),
        || Example::named("greeting-client", "greeting/client.toml").port(12345, port),
    );
}

#[test]
fn the_udp_pair_is_learned() {
    let port = free_udp_port();
    assert_pair_learned(
        || Example::named("udp-server", "udp/server.toml").port(12348, port),
        || Example::named("udp-client", "udp/client.toml").port(12348, port),
    );
}

#[test]
fn the_chat_pair_is_learned() {
    let port = free_port();
    let server = || Example::named("chat-server", "chat/server.toml").port(12346, port);
    let client = || Example::named("chat-client", "chat/client.toml").port(12346, port);
    assert_learned(1, server, |example| {
        let (mut server, _said) = listening(example);
        server.stdin().write_all(b"hello yourself\n").unwrap();
        succeed(client(), "hello\nq\n");
        assert!(server.finish().status.success());
    });
    assert_learned(1, client, |example| {
        let (mut server, _said) = listening(server());
        server.stdin().write_all(b"hello yourself\n").unwrap();
        succeed(example, "hello\nq\n");
        assert!(server.finish().status.success());
    });
}

#[test]
fn the_echo_servers_are_learned() {
    for (name, policy, named) in [
        ("echo-server", "echo/server.toml", 12347),
        ("echo-async-server", "echo-async/server.toml", 12349),
    ] {
        let port = free_port();
        let server = || Example::named(name, policy).port(named, port);
        assert_learned(1, server, |example| {
            let (server, _said) = listening(example);
            let mut visitor = TcpStream::connect(("127.0.0.1", port)).unwrap();
            visitor.write_all(b"echo").unwrap();
            visitor.shutdown(Shutdown::Write).unwrap();
            let mut echoed = String::new();
            visitor.read_to_string(&mut echoed).unwrap();
            assert_eq!(echoed, "echo");
            server.interrupt();
        });
    }
}

#[test]
fn the_echo_server_on_every_address_is_learned() {
    let port = free_port();
    let (written, instead) = (":12347".to_owned(), format!(":{port}"));
    let server = || {
        Example::named("echo-server", "echo/server.toml")
            .policy_with(&written, &instead)
            .arguments([&*format!("[::]:{port}")])
    };
    assert_learned(1, server, |example| {
        let (server, _said) = listening(example);
        for address in ["127.0.0.1", "::1"] {
            let visitor = TcpStream::connect((address, port)).unwrap();
            visitor.shutdown(Shutdown::Write).unwrap();
            assert_eq!((&visitor).read(&mut [0]).unwrap(), 0);
        }
        server.interrupt();
    });
}

#[test]
fn the_names_program_is_learned() {
    let names = || Example::named("example-names", "names/policy.toml").arguments(["www.internal"]);
    assert_learned(1, names, |example| succeed(example, ""));
}
