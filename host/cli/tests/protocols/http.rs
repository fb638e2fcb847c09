//! HTTP: the server against curl and Python's `http.client`, the client against
//! Python's `http.server`.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::peer::{Server, output, python};
use super::succeed;
use super::tap::Tap;
use crate::example::{Example, Running, free_port};
use crate::learned::assert_learned;

/// The server with what it prints after it has begun to listen.
fn serve() -> (Running, impl Iterator<Item = String>, u16) {
    let port = free_port();
    let mut server = Example::named("http-server", "http/server.toml")
        .port(8080, port)
        .start();
    let mut said = server.lines();
    assert_eq!(
        said.next().unwrap(),
        format!("Listening on 127.0.0.1:{port}")
    );
    (server, said, port)
}

/// The same as a handler.
fn serve_handler() -> (Running, impl Iterator<Item = String>, u16) {
    let (mut server, addresses) = Example::handler("http-handler", ["tcp://127.0.0.1:0"]).serve();
    let address: SocketAddr = addresses[0].parse().unwrap();
    // Behind the numbers of the connections.
    let said = server.lines().map(|line| {
        let (_, said) = line.split_once("] ").unwrap();
        said.to_owned()
    });
    (server, said, address.port())
}

#[test]
fn the_http_server_serves_curl() {
    let (_server, said, port) = serve();
    check_with_curl(said, port);
}

#[test]
fn the_http_handler_serves_curl() {
    let (_server, said, port) = serve_handler();
    check_with_curl(said, port);
}

fn check_with_curl(mut said: impl Iterator<Item = String>, port: u16) {
    let curl = |arguments: &[&str], path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "30"])
            .args(["--write-out", " %{response_code} %{num_connects}\n"])
            .args(arguments)
            .arg(format!("http://127.0.0.1:{port}{path}"));
        output(curl)
    };
    assert_eq!(curl(&[], "/"), "Hello from the sandbox\n 200 1\n");
    assert_eq!(said.next().unwrap(), "GET / 200 OK");
    // Over one connection: a bracket stands for several targets.
    assert_eq!(
        curl(&[], "/{a,b}"),
        "Nothing here\n 404 1\nNothing here\n 404 0\n"
    );
    assert_eq!(said.next().unwrap(), "GET /a 404 Not Found");
    assert_eq!(said.next().unwrap(), "GET /b 404 Not Found");
    assert!(curl(&["--head"], "/").contains("Content-Length: 23\r\n\r\n 200 1\n"));
    assert_eq!(said.next().unwrap(), "HEAD / 200 OK");
    assert_eq!(curl(&["--data", "twice"], "/echo"), "twice 200 1\n");
    assert_eq!(said.next().unwrap(), "POST /echo 200 OK");
    let chunked = ["--header", "Transfer-Encoding: chunked", "--data", "chunks"];
    assert_eq!(curl(&chunked, "/echo"), "chunks 200 1\n");
    assert_eq!(said.next().unwrap(), "POST /echo 200 OK");
    let waits = ["--header", "Expect: 100-continue", "--data", "patience"];
    assert_eq!(curl(&waits, "/echo"), "patience 200 1\n");
    assert_eq!(said.next().unwrap(), "POST /echo 200 OK");
    assert_eq!(
        curl(&["--request", "DELETE"], "/"),
        "Not like this\n 405 1\n"
    );
    assert_eq!(said.next().unwrap(), "DELETE / 405 Method Not Allowed");
    assert!(curl(&["--http1.0"], "/").ends_with(" 200 1\n"));
}

#[test]
fn the_http_server_serves_python() {
    let (_server, said, port) = serve();
    check_with_python(said, port);
}

#[test]
fn the_http_handler_serves_python() {
    let (_server, said, port) = serve_handler();
    check_with_python(said, port);
}

fn check_with_python(mut said: impl Iterator<Item = String>, port: u16) {
    let script = r#"
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
def ask(method, target, body=None, **more):
    connection.request(method, target, body, **more)
    answer = connection.getresponse()
    print(answer.status, answer.reason, answer.getheader("Connection"), len(answer.read()))
ask("GET", "/")
kept = connection.sock
ask("POST", "/echo", b"x" * 1_000_000)
ask("POST", "/echo", iter([b"a", b"b" * 70_000]), encode_chunked=True)
print(connection.sock is kept)
ask("POST", "/echo", b"x" * 1_048_577)
ask("GET", "/")
"#;
    let mut client = python(["-c", script]);
    client.arg(port.to_string());
    assert_eq!(
        output(client),
        "200 OK None 23\n200 OK None 1000000\n200 OK None 70001\nTrue\n\
         413 Content Too Large close 15\n200 OK None 23\n"
    );
    for expected in [
        "GET / 200 OK",
        "POST /echo 200 OK",
        "POST /echo 200 OK",
        "POST /echo 413 Content Too Large",
        "GET / 200 OK",
    ] {
        assert_eq!(said.next().unwrap(), expected);
    }
}

#[test]
fn the_http_server_tells_whoever_speaks_badly_and_goes_on() {
    let (_server, _said, port) = serve();
    let rows = [
        ("GET /\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400 Bad Request",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
            "400 Bad Request",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            "501 Not Implemented",
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 OK"),
    ];
    for (request, status) in rows {
        let mut visitor = TcpStream::connect(("127.0.0.1", port)).unwrap();
        visitor.write_all(request.as_bytes()).unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        visitor.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{request:?}: {answer:?}"
        );
    }
}

#[test]
fn the_http_server_listens_only_where_its_policy_says() {
    let address = format!("127.0.0.1:{}", free_port());
    for example in [
        Example::named("http-server", "http/server.toml"),
        Example::named("http-server", "http/server.toml").without_policy(),
    ] {
        example
            .arguments([&*address])
            .assert_denied(&format!("bind tcp://{address}"));
    }
}

fn file_server(folder: &Path) -> Server {
    fs::write(folder.join("a"), "first\n").unwrap();
    fs::write(folder.join("b"), "second\n").unwrap();
    Server::start(|port| {
        let mut server = python(["-m", "http.server", "--bind", "127.0.0.1"]);
        server.args(["--protocol", "HTTP/1.1", "--directory"]);
        server.arg(folder).arg(port.to_string());
        server
    })
}

#[test]
fn the_http_client_gets_files_from_python() {
    let folder = TempDir::new().unwrap();
    let server = file_server(folder.path());
    let tap = Tap::before(server.port);
    let printed = succeed(
        Example::named("http-client", "http/client.toml")
            .port(8080, tap.port)
            .arguments(["/a", "/b"]),
    );
    assert_eq!(printed, "200 OK\nfirst\n200 OK\nsecond\n");
    let host = format!("C: Host: 127.0.0.1:{}", tap.port);
    // One connection.
    tap.dialogue().of_client().assert(&[
        "C connects",
        "C: GET /a HTTP/1.1",
        &host,
        "C: ",
        "C: GET /b HTTP/1.1",
        &host,
        "C: ",
    ]);
}

#[test]
fn the_http_client_reads_every_framing_of_python() {
    // Python frames a body only as it is told to.
    let script = r#"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response_only(103)
        self.end_headers()
        self.send_response(200)
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"4\r\none \r\n4;a=b\r\ntwo\n\r\n0\r\nTrailer: x\r\n\r\n")
        elif self.path == "/cut":
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"no more")
            self.close_connection = True
        else:
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"until the end\n")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;
    let server = Server::start(|port| {
        let mut server = python(["-c", script]);
        server.arg(port.to_string());
        server
    });
    let client = || Example::named("http-client", "http/client.toml").port(8080, server.port);
    assert_eq!(
        succeed(client().arguments(["/chunks", "/end", "/chunks"])),
        "200 OK\none two\n200 OK\nuntil the end\n200 OK\none two\n"
    );
    let cut = client().arguments(["/cut"]).finish("");
    assert_eq!(cut.stdout, b"200 OK\nno more");
    assert!(!cut.status.success());
}

#[test]
fn what_the_http_server_and_client_need_is_learned() {
    let port = free_port();
    let server = || Example::named("http-server", "http/server.toml").port(8080, port);
    assert_learned(1, server, |server| {
        let mut server = server.start();
        let mut said = server.lines();
        said.next().unwrap();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "30"]);
        curl.arg(format!("http://127.0.0.1:{port}/"));
        assert_eq!(output(curl), "Hello from the sandbox\n");
        server.interrupt();
    });
    let folder = TempDir::new().unwrap();
    let server = file_server(folder.path());
    let client = || {
        Example::named("http-client", "http/client.toml")
            .port(8080, server.port)
            .arguments(["/a", "/b"])
    };
    assert_learned(1, client, |client| {
        assert_eq!(succeed(client), "200 OK\nfirst\n200 OK\nsecond\n");
    });
}
