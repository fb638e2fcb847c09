//! Chapters "Servers" and "The first programs".

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use portcullis::Outcome;
use portcullis_tests::{PATIENCE, Running, read_to_end};
use socket2::SockRef;
use tempfile::TempDir;

use crate::native::udp;
use crate::{ANY_PORT, BIND, ITSELF, LISTEN, connect, granted, guest, refused, serving};

fn visit(address: SocketAddr) -> TcpStream {
    let visitor = TcpStream::connect(address).unwrap();
    visitor.set_read_timeout(Some(PATIENCE)).unwrap();
    visitor
}

/// Says something to a server and returns what it answers.
#[track_caller]
fn ask(mut visitor: impl Read + Write, question: &str) -> String {
    visitor.write_all(question.as_bytes()).unwrap();
    String::from_utf8(read_to_end(visitor)).unwrap()
}

#[test]
fn row_socketserver_tcpserver() {
    let running = serving("serving::tcpserver");
    let address = running.address();
    assert_eq!(ask(visit(address), "one\n"), "you said one\n");
    assert_eq!(ask(visit(address), "stop\n"), "you said stop\n");
    running.succeed();
}

/// A server at a path of its own, after its twin.
#[track_caller]
fn serving_at(folder: &TempDir, behaviour: &str, asks: &str, kind: &str) -> Running {
    let path = folder.path().join("socket");
    let server = || guest(behaviour).argument(path.display());
    refused(server(), &format!("{asks} {kind}:{}", path.display()));
    let grants = ["listen", "connect"].map(|verb| match verb {
        "listen" => format!("listen {kind}:{}", path.display()),
        // Of datagrams the senders, whom an answer goes to.
        _ => format!("connect {kind}:{}/*", folder.path().display()),
    });
    let running = server().policy(granted(grants)).start();
    assert_eq!(running.line(0), path.display().to_string());
    running
}

#[test]
fn row_socketserver_unixstreamserver() {
    let folder = TempDir::new().unwrap();
    let running = serving_at(&folder, "serving::unixstreamserver", "bind", "unix");
    let visit = || UnixStream::connect(folder.path().join("socket")).unwrap();
    assert_eq!(ask(visit(), "one\n"), "you said one\n");
    assert_eq!(ask(visit(), "stop\n"), "you said stop\n");
    running.succeed();
}

#[test]
fn row_socketserver_udpserver() {
    let server = || guest("serving::udpserver").argument(ANY_PORT);
    refused(server(), "listen udp://127.0.0.1:0");
    let running = server().allow("listen udp://127.0.0.1:0").start();
    let address = running.address();
    for question in ["one", "stop"] {
        let visitor = udp(ANY_PORT);
        visitor.connect(address).unwrap();
        visitor.send(question.as_bytes()).unwrap();
        let answer = crate::native::text(&visitor);
        assert_eq!(answer, format!("you said {question}"));
    }
    running.succeed();
}

#[test]
fn row_socketserver_unixdatagramserver() {
    let folder = TempDir::new().unwrap();
    let running = serving_at(&folder, "serving::unixdatagramserver", "listen", "unixgram");
    for question in ["one", "stop"] {
        let visitor = UnixDatagram::bind(folder.path().join(question)).unwrap();
        visitor.set_read_timeout(Some(PATIENCE)).unwrap();
        let server = folder.path().join("socket");
        visitor.send_to(question.as_bytes(), server).unwrap();
        let mut answer = [0; 64];
        let length = visitor.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], format!("you said {question}").as_bytes());
    }
    running.succeed();
}

#[test]
fn row_socketserver_baserequesthandler() {
    let running = serving("serving::baserequesthandler");
    let address = running.address();
    assert_eq!(ask(visit(address), "handle\n"), "setup\nhandle\nfinish\n");
    assert_eq!(ask(visit(address), "fail\n"), "setup\nfinish\n");
    running.succeed();
}

#[test]
fn row_socketserver_streamrequesthandler() {
    let running = serving("serving::streamrequesthandler");
    let mut visitor = visit(running.address());
    visitor.write_all(b"one\ntw").unwrap();
    visitor.write_all(b"o\nthree").unwrap();
    visitor.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(visitor), b"ONE\nTWO\nTHREE\n");
    running.succeed();
}

#[test]
fn row_socketserver_datagramrequesthandler() {
    let server = || guest("serving::datagramrequesthandler").argument(ANY_PORT);
    refused(server(), "listen udp://127.0.0.1:0");
    let running = server().allow("listen udp://127.0.0.1:0").start();
    let visitor = UdpSocket::bind(ANY_PORT).unwrap();
    visitor.send_to(b"one\ntwo", running.address()).unwrap();
    assert_eq!(crate::native::text(&visitor), "ONE\nTWO\n");
    running.succeed();
}

#[test]
fn row_socketserver_serve_forever() {
    let running = serving("serving::serve_forever");
    let address = running.address();
    for number in 0..10 {
        std::thread::sleep(Duration::from_millis(10));
        let answer = ask(visit(address), &format!("{number}\n"));
        assert_eq!(answer, format!("you said {number}\n"));
    }
    std::thread::sleep(Duration::from_millis(100));
    ask(visit(address), "stop\n");
    let output = running.succeed();
    assert_eq!(output, format!("{address}\n11 served, idle\n"));
}

#[test]
fn row_socketserver_shutdown() {
    let server = || guest("serving::shutdown").argument(ANY_PORT);
    refused(server(), BIND);
    let running = server().policy(granted(ITSELF)).start();
    let address = running.address();
    let mut visitor = visit(address);
    // Until nobody is let in any more. Who came in between is served as well.
    let mut others = Vec::new();
    while let Ok(mut other) = TcpStream::connect(address) {
        // Whoever waited for `accept` in vain is reset.
        let _ = other.write_all(b"late");
        others.push(other);
    }
    visitor.write_all(b"last").unwrap();
    assert_eq!(read_to_end(visitor), b"last");
    running.succeed();
}

#[test]
fn row_socketserver_handle_request() {
    let running = serving("serving::handle_request");
    let address = running.address();
    assert_eq!(ask(visit(address), "one\n"), "you said one\n");
    running.succeed();
    TcpStream::connect(address).unwrap_err();
}

#[test]
fn row_socketserver_server_close() {
    let server = || guest("serving::server_close").argument(ANY_PORT);
    refused(server(), BIND);
    let running = server().policy(granted(ITSELF)).start();
    assert_eq!(ask(visit(running.address()), "still\n"), "you said still\n");
    running.succeed();
}

#[test]
fn row_socketserver_allow_reuse_address() {
    let server = || guest("serving::allow_reuse_address").argument(ANY_PORT);
    refused(server(), BIND);
    let running = server().allow("listen tcp://127.0.0.1:*").start();
    let address = running.address();
    assert_eq!(read_to_end(visit(address)), b"");
    // Whoever comes while it is away is refused or reset.
    let ask = || {
        let mut visitor = TcpStream::connect(address)?;
        visitor.write_all(b"again\n")?;
        let mut answer = String::new();
        visitor.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    let again = std::iter::repeat_with(ask).find_map(Result::ok);
    assert_eq!(again.unwrap(), "you said again\n");
    running.succeed();
}

#[test]
fn row_socketserver_request_queue_size() {
    refused(guest("serving::request_queue_size"), BIND);
    guest("serving::request_queue_size")
        .policy(granted(ITSELF))
        .succeed();
}

#[test]
fn row_socketserver_timeout() {
    let running = serving("serving::timeout");
    let address = running.address();
    let silent = visit(address);
    assert_eq!(ask(visit(address), "next\n"), "you said next\n");
    assert_eq!(read_to_end(silent), b"");
    running.succeed();
}

#[test]
fn row_socketserver_verify_request() {
    let server = |admitted| {
        guest("serving::verify_request")
            .argument(ANY_PORT)
            .argument(admitted)
    };
    refused(server("127.0.0.2"), BIND);
    let running = server("127.0.0.2")
        .allow("listen tcp://127.0.0.1:0 from 127.0.0.2/31")
        .start();
    let address = running.address();
    let visit_from = |source| portcullis_tests::visit_from(source, address);
    // The policy turns the first away, the guest the second.
    let mut stranger = visit_from([127, 0, 0, 4]);
    stranger.read(&mut [0; 1]).unwrap_err();
    assert_eq!(visit_from([127, 0, 0, 3]).read(&mut [0; 1]).unwrap(), 0);
    let friend = visit_from([127, 0, 0, 2]);
    assert_eq!(ask(friend, "friend\n"), "you said friend\n");
    let finished = running.finish();
    assert!(matches!(finished.outcome, Outcome::Exit(0)), "{finished:?}");
    assert_eq!(
        finished.output,
        format!("{address}\n127.0.0.3\n127.0.0.2\n")
    );
    assert_eq!(finished.denials.len(), 1, "{finished:?}");
}

#[test]
fn row_socketserver_process_request() {
    let running = serving("serving::process_request");
    let address = running.address();
    let (first, second) = (visit(address), visit(address));
    let (mut one, mut two) = (&first, &second);
    one.write_all(b"first\n").unwrap();
    two.write_all(b"second\n").unwrap();
    assert_eq!(read_to_end(second), b"you said second\n");
    assert_eq!(read_to_end(first), b"you said first\n");
    running.succeed();
}

#[test]
fn row_socketserver_handle_error() {
    let running = serving("serving::handle_error");
    let address = running.address();
    let rude = visit(address);
    SockRef::from(&rude)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(rude);
    let mut garbled = visit(address);
    garbled.write_all(b"\xff\xfe\n").unwrap();
    assert_eq!(read_to_end(garbled), b"");
    assert_eq!(ask(visit(address), "stop\n"), "you said stop\n");
    let output = running.succeed();
    assert_eq!(
        output,
        format!("{address}\nConnectionReset\nInvalidData\n"),
        "what went wrong, for the log"
    );
}

#[test]
fn row_socketserver_threadingmixin() {
    let running = serving("serving::threadingmixin");
    let address = running.address();
    let visitors = [(); 3].map(|()| visit(address));
    // The last who came speaks first.
    for mut visitor in visitors.iter().rev() {
        visitor.write_all(b"word").unwrap();
        let mut heard = [0; 4];
        visitor.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"word");
    }
    running.succeed();
}

#[test]
fn row_socketserver_forkingmixin() {
    let server = |address: &str, name| {
        guest("serving::forkingmixin")
            .argument(address)
            .argument(name)
    };
    refused(server(ANY_PORT, "A"), BIND);
    let grant = "listen tcp://127.0.0.1:*";
    let one = server(ANY_PORT, "A").allow(grant).start();
    let address = one.address();
    let other = server(&address.to_string(), "B").allow(grant).start();
    assert_eq!(other.address(), address);
    // Says something to whichever instance it meets, and tells which that was.
    let meet = |say: &dyn Fn(u8) -> &'static str| {
        let mut visitor = visit(address);
        let mut name = [0; 1];
        visitor.read_exact(&mut name).unwrap();
        visitor.write_all(say(name[0]).as_bytes()).unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        name[0]
    };
    while meet(&|name| if name == b'A' { "crash" } else { "leave" }) != b'A' {}
    let crashed = one.finish();
    assert!(matches!(crashed.outcome, Outcome::Trap(_)), "{crashed:?}");
    for _ in 0..10 {
        assert_eq!(meet(&|_| "leave"), b'B', "the other one goes on");
    }
    meet(&|_| "stop");
    other.succeed();
}

#[test]
fn row_programs_hello() {
    let server = || {
        guest("serving::hello")
            .argument("server")
            .argument(ANY_PORT)
    };
    refused(server(), BIND);
    let running = server().allow(LISTEN).start();
    let address = running.address();
    let client = || guest("serving::hello").argument("client").argument(address);
    refused(client(), &connect(address));
    let heard = client().allow(&connect(address)).succeed();
    assert_eq!(heard, "Hello, client\n");
    assert_eq!(running.succeed(), format!("{address}\nHello, world\n"));
}
