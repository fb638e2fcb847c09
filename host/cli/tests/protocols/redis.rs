//! Redis against redis-server.

use std::io::Write;
use std::process::Stdio;

use super::assert_success;
use super::peer::{Server, debian};
use super::tap::Tap;
use crate::example::Example;
use crate::learned::assert_learned;

fn server() -> Server {
    Server::start(|port| {
        let mut redis = debian("usr/bin/redis-server");
        redis.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        // Nothing is written to a disk.
        redis.args(["--save", "", "--appendonly", "no", "--dir", "/"]);
        redis
    })
}

fn client(port: u16) -> Example {
    Example::named("redis-client", "redis/client.toml").port(6379, port)
}

#[test]
fn the_redis_client_sends_its_commands_at_once() {
    let server = server();
    let tap = Tap::before(server.port);
    let output = client(tap.port).finish(
        "SET greeting hello\nGET greeting\nGET nothing\nINCR visits\nINCR visits\n\
         INCR greeting\nLRANGE list 0 -1\nMGET greeting visits nothing\n",
    );
    assert_success(&output);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "OK\n\"hello\"\n(nil)\n(integer) 1\n(integer) 2\n\
         (error) ERR value is not an integer or out of range\n[]\n[\"hello\", \"2\", (nil)]\n"
    );
    let dialogue = tap.dialogue();
    dialogue.assert_begins(&[
        "C connects",
        "C: *3",
        "C: $3",
        "C: SET",
        "C: $8",
        "C: greeting",
        "C: $5",
        "C: hello",
        "C: *2",
        "C: $3",
        "C: GET",
        // All of it was sent before the first answer came.
    ]);
    dialogue.of_server().assert(&[
        "S: +OK",
        "S: $5",
        "S: hello",
        "S: $-1",
        "S: :1",
        "S: :2",
        "S: -ERR value is not an integer or out of range",
        "S: *0",
        "S: *3",
        "S: $5",
        "S: hello",
        "S: $1",
        "S: 2",
        "S: $-1",
    ]);
}

#[test]
fn the_redis_client_hears_what_others_publish() {
    let server = server();
    let mut subscriber = client(server.port).arguments(["news"]).start();
    let mut heard = subscriber.lines();
    assert_eq!(
        heard.next().unwrap(),
        "[\"subscribe\", \"news\", (integer) 1]"
    );
    // Redis' own client is the publisher.
    let mut publisher = debian("usr/bin/redis-cli");
    let mut publisher = publisher
        .args(["-h", "127.0.0.1", "-p", &server.port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut typed = publisher.stdin.take().unwrap();
    typed
        .write_all(b"PUBLISH other no\nPUBLISH news \"it rains\"\nPUBLISH news again\n")
        .unwrap();
    drop(typed);
    assert!(publisher.wait().unwrap().success());
    assert_eq!(
        heard.next().unwrap(),
        "[\"message\", \"news\", \"it rains\"]"
    );
    assert_eq!(heard.next().unwrap(), "[\"message\", \"news\", \"again\"]");
}

#[test]
fn what_the_redis_client_needs_is_learned() {
    let server = server();
    assert_learned(
        1,
        || client(server.port),
        |client| assert_success(&client.finish("INCR visits\n")),
    );
}
