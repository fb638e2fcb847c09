//! FTP against pyftpdlib.

use std::fs;

use tempfile::TempDir;

use super::peer::{Server, python};
use super::tap::Tap;
use super::{assert_success, succeed};
use crate::example::Example;
use crate::learned::assert_learned;

fn server(folder: &TempDir) -> Server {
    fs::write(folder.path().join("readme"), b"read\r\nme\0\xff").unwrap();
    Server::start(|port| {
        let mut pyftpdlib = python(["-W", "ignore", "-m", "pyftpdlib", "--interface"]);
        pyftpdlib.args(["127.0.0.1", "--port", &port.to_string(), "--write"]);
        // The guest's policy names the ports for data; these are of them.
        pyftpdlib.args(["--range", "49152-65535", "--directory"]);
        pyftpdlib.arg(folder.path());
        pyftpdlib
    })
}

fn passive(port: u16) -> Example {
    Example::named("ftp-client", "ftp/passive.toml").port(2121, port)
}

fn active(port: u16) -> Example {
    Example::named("ftp-client", "ftp/active.toml").port(2121, port)
}

#[test]
fn the_ftp_client_gets_a_file_from_where_the_server_listens() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder);
    let tap = Tap::before(server.port);
    let output = passive(tap.port)
        .arguments(["passive", "get", "readme"])
        .finish("");
    assert_success(&output);
    assert_eq!(output.stdout, b"read\r\nme\0\xff");
    tap.dialogue().assert(&[
        "C connects",
        "S: 220 pyftpdlib 2.2.0 ready.",
        "C: USER anonymous",
        "S: 331 Username ok, send password.",
        "C: PASS anonymous@",
        "S: 230 Login successful.",
        "C: TYPE I",
        "S: 200 Type set to: Binary.",
        "C: EPSV",
        "S: 229 Entering extended passive mode (|||*|).",
        "C: RETR readme",
        // Whether it has our connection already is a race.
        "S: 1*",
        "S: 226 Transfer complete.",
        "C: QUIT",
        "S: 221 Goodbye.",
    ]);
}

#[test]
fn the_ftp_client_lets_the_server_connect_back() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder);
    let tap = Tap::before(server.port);
    let output = active(tap.port)
        .arguments(["active", "put", "upload"])
        .finish("from the sandbox\n");
    assert_success(&output);
    assert_eq!(
        fs::read_to_string(folder.path().join("upload")).unwrap(),
        "from the sandbox\n"
    );
    tap.dialogue().assert(&[
        "C connects",
        "S: 220 pyftpdlib 2.2.0 ready.",
        "C: USER anonymous",
        "S: 331 Username ok, send password.",
        "C: PASS anonymous@",
        "S: 230 Login successful.",
        "C: TYPE I",
        "S: 200 Type set to: Binary.",
        "C: EPRT |1|127.0.0.1|*|",
        "S: 200 Active data connection established.",
        "C: STOR upload",
        "S: 125 Data connection already open. Transfer starting.",
        "S: 226 Transfer complete.",
        "C: QUIT",
        "S: 221 Goodbye.",
    ]);
    let listing = succeed(active(server.port).arguments(["active", "list"]));
    assert!(listing.contains(" readme\r\n") && listing.contains(" upload\r\n"));
}

#[test]
fn each_mode_of_ftp_needs_its_own_grant() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder);
    let listens = active(server.port).arguments(["passive", "list"]);
    listens.assert_denied("connect tcp://127.0.0.1:");
    let connects = passive(server.port).arguments(["active", "list"]);
    connects.assert_denied("bind tcp://127.0.0.1:0");
}

#[test]
fn the_ftp_client_does_not_let_strangers_connect_back() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder);
    // As the example has it, but the server is not whom it is to come from.
    let mut guest = active(server.port)
        .policy_with("from 127.0.0.1", "from 127.0.0.2")
        .arguments(["active", "list"])
        .start();
    // It waits for the one who may come, until it is dropped.
    assert_eq!(
        guest.complaints().next().unwrap(),
        "portcullis: denied  accept tcp://127.0.0.1:0 from 127.0.0.1"
    );
}

#[test]
fn what_the_ftp_client_needs_is_learned() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder);
    // The server opens another port for data each time: three tell that it is any.
    assert_learned(
        3,
        || passive(server.port).arguments(["passive", "list"]),
        |client| drop(succeed(client)),
    );
    assert_learned(
        1,
        || active(server.port).arguments(["active", "list"]),
        |client| drop(succeed(client)),
    );
}
