//! `--socket`: each instance has a connection of its own.

use std::net::TcpListener;

use portcullis_tests::Nobody;

use crate::server::{Server, guest, obeyed, orders, serve, visitor};

#[test]
fn each_instance_has_a_connection_of_its_own() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = format!("db=connect tcp://{}", peer.local_addr().unwrap());
    let (server, address) = orders(&["--socket", &socket]);
    for _ in 0..3 {
        assert_eq!(obeyed(address, "preopens"), "db");
        peer.accept().unwrap();
    }
    server.finish();
}

#[test]
fn an_instance_that_cannot_have_its_connection_does_not_begin() {
    let nobody = Nobody::new();
    let socket = format!("db=connect tcp://{}", nobody.address());
    let (mut server, address) = orders(&["--socket", &socket]);
    drop(visitor(address));
    server.says("not-begun");
    server.finish();
}

#[test]
fn a_socket_that_a_ceiling_is_against_is_none() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = format!("connect tcp://{}", peer.local_addr().unwrap());
    let socket = format!("db={connect}");
    let (mut server, address) = orders(&["--socket", &socket, "--deny", &connect]);
    drop(visitor(address));
    let why = server.says("not-begun");
    assert!(
        why.contains("denied") || why.contains("not granted"),
        "{why}"
    );
    server.finish();
}

#[test]
fn a_socket_that_listens_is_not_for_each_instance() {
    for (socket, why) in [
        ("web=tcp://127.0.0.1:0", "serve` listens with --listen"),
        ("db=connect tcp://*:5432", "one endpoint"),
        ("tcp://127.0.0.1:1", "give a name"),
    ] {
        let mut command = serve(["--listen", "tcp://127.0.0.1:0", "--socket", socket]);
        command.arg(guest("handler-faults"));
        let mut server = Server::start(command);
        assert_eq!(server.end().code(), Some(2));
        let said = server.said();
        assert!(said.contains(why), "{socket}: {said}");
    }
}

#[test]
fn a_name_of_a_socket_is_used_once() {
    let socket = "db=connect tcp://127.0.0.1:9";
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command.args(["--socket", socket, "--socket", socket]);
    command.arg(guest("handler-faults"));
    let mut server = Server::start(command);
    assert_eq!(server.end().code(), Some(2));
    assert!(server.said().contains("there is a socket `db` already"));
}
