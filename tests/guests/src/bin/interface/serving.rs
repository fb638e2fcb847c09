//! Chapters "Servers" and "The first programs".

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, BufWriter, Cursor, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use portcullis_guest::task::{Async, block_on, sleep, spawn};
use portcullis_guest::{
    ErrorCode, SocketBuilder, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener,
    error_code,
};
use portcullis_test_guests::failure;

/// A handler: answers one line, and says whether it was the last one.
fn answer(mut connection: impl Read + Write) -> io::Result<bool> {
    let mut question = String::new();
    BufReader::new(&mut connection).read_line(&mut question)?;
    writeln!(connection, "you said {}", question.trim_end())?;
    Ok(question != "stop\n")
}

pub(super) fn tcpserver(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    while answer(listener.accept()?.0)? {}
    Ok(())
}

pub(super) fn unixstreamserver(args: &[&str]) -> io::Result<()> {
    let listener = UnixListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    while answer(listener.accept()?.0)? {}
    Ok(())
}

pub(super) fn udpserver(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::bind(args[0])?;
    println!("{}", socket.local_addr()?);
    let mut question = [0; 1024];
    loop {
        let (length, source) = socket.recv_from(&mut question)?;
        let said = &question[..length];
        socket.send_to(&[b"you said ", said].concat(), source)?;
        if said == b"stop" {
            return Ok(());
        }
    }
}

pub(super) fn unixdatagramserver(args: &[&str]) -> io::Result<()> {
    let socket = UnixDatagram::bind(args[0])?;
    println!("{}", socket.local_addr()?);
    let mut question = [0; 1024];
    loop {
        let (length, source) = socket.recv_from(&mut question)?;
        let said = &question[..length];
        socket.send_to_addr(&[b"you said ", said].concat(), &source)?;
        if said == b"stop" {
            return Ok(());
        }
    }
}

/// Python's `setup`, `handle` and `finish`: what makes a value, what it does, and
/// what happens to it in the end, whatever it did.
struct Handler(TcpStream);

impl Handler {
    fn setup(mut connection: TcpStream) -> io::Result<Self> {
        writeln!(connection, "setup")?;
        Ok(Self(connection))
    }

    fn handle(&mut self) -> io::Result<()> {
        let mut question = String::new();
        BufReader::new(&self.0).read_line(&mut question)?;
        match question.trim_end() {
            "fail" => Err(io::Error::other("as it was told to")),
            said => writeln!(self.0, "{said}"),
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        writeln!(self.0, "finish").unwrap();
    }
}

pub(super) fn baserequesthandler(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    for fails in [false, true] {
        let outcome = Handler::setup(listener.accept()?.0)?.handle();
        assert_eq!(outcome.is_err(), fails);
    }
    Ok(())
}

/// Python's `rfile` and `wfile`.
pub(super) fn streamrequesthandler(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    let (connection, _) = listener.accept()?;
    let (rfile, mut wfile) = (BufReader::new(&connection), BufWriter::new(&connection));
    for line in rfile.lines() {
        writeln!(wfile, "{}", line?.to_uppercase())?;
    }
    wfile.flush()
}

/// Python's `rfile` is the datagram, and what was written to `wfile` is the
/// answer.
pub(super) fn datagramrequesthandler(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::bind(args[0])?;
    println!("{}", socket.local_addr()?);
    let datagram = socket.recv_datagram(1024)?;
    let mut wfile = Vec::new();
    for line in Cursor::new(datagram.data).lines() {
        writeln!(wfile, "{}", line?.to_uppercase())?;
    }
    socket.send_to(&wfile, datagram.source)?;
    Ok(())
}

/// Looks around between its visitors, until one says `stop`.
pub(super) fn serve_forever(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    listener
        .as_socket()
        .set_timeout(Some(Duration::from_millis(20)));
    let (mut served, mut idle) = (0, 0);
    loop {
        match listener.accept() {
            Ok((connection, _)) => {
                served += 1;
                if !answer(connection)? {
                    break;
                }
            }
            // Python's `service_actions`.
            Err(error) if error.kind() == ErrorKind::TimedOut => idle += 1,
            Err(error) => return Err(error),
        }
    }
    println!(
        "{served} served, {}",
        if idle > 0 { "idle" } else { "busy" }
    );
    Ok(())
}

/// Serves in one task until another one ends it. Whoever is being served is
/// served to the end.
pub(super) fn shutdown(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let listener = Async::<TcpListener>::bind(args[0])?;
        let address = listener.get_ref().local_addr()?;
        println!("{address}");
        let served = Rc::new(RefCell::new(Vec::new()));
        let begun = Rc::clone(&served);
        let server = spawn(async move {
            loop {
                let (visitor, _) = listener.accept().await.unwrap();
                begun.borrow_mut().push(spawn(echo_a_word(visitor)));
            }
        });
        while served.borrow().is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        let outcome: Option<()> = server.cancel().await;
        assert!(outcome.is_none(), "it did not end by itself");
        let nobody = TcpStream::connect(address);
        assert_eq!(failure(nobody), ErrorCode::ConnectionRefused);
        for visitor in served.take() {
            visitor.await?;
        }
        Ok(())
    })
}

async fn echo_a_word(mut visitor: Async<TcpStream>) -> io::Result<()> {
    let mut word = [0; 4];
    visitor.read_exact(&mut word).await?;
    visitor.write_all(&word).await
}

/// One request, or none in time.
pub(super) fn handle_request(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    listener
        .as_socket()
        .set_timeout(Some(Duration::from_millis(50)));
    let nobody = listener.accept();
    assert_eq!(
        failure(nobody),
        ErrorCode::TimedOut,
        "Python's handle_timeout"
    );
    listener.as_socket().set_timeout(None);
    println!("{}", listener.local_addr()?);
    answer(listener.accept()?.0)?;
    Ok(())
}

/// Closes the listener while it serves its visitor.
pub(super) fn server_close(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    let address = listener.local_addr()?;
    println!("{address}");
    let (connection, _) = listener.accept()?;
    drop(listener);
    let nobody = TcpStream::connect(address);
    assert_eq!(failure(nobody), ErrorCode::ConnectionRefused);
    answer(connection)?;
    Ok(())
}

/// A server that comes back at once, at the address where it just was.
pub(super) fn allow_reuse_address(args: &[&str]) -> io::Result<()> {
    let first = TcpListener::bind(args[0])?;
    assert!(first.as_socket().reuse_address()?);
    let address = first.local_addr()?;
    println!("{address}");
    let (connection, _) = first.accept()?;
    connection.shutdown(std::net::Shutdown::Write)?;
    assert_eq!((&connection).read(&mut [0; 1])?, 0);
    drop((connection, first));
    let again = TcpListener::bind(address)?;
    println!("again");
    answer(again.accept()?.0)?;
    Ok(())
}

/// How many may wait.
pub(super) fn request_queue_size(_: &[&str]) -> io::Result<()> {
    let listener = SocketBuilder::stream().backlog(2).listen("127.0.0.1:0")?;
    let address = listener.local_addr()?.as_socket().unwrap();
    let waiting: io::Result<Vec<_>> = (0..3).map(|_| TcpStream::connect(address)).collect();
    let waiting = waiting?;
    let one_more = TcpStream::connect_timeout(address, Duration::from_millis(100));
    assert_eq!(failure(one_more), ErrorCode::TimedOut);
    drop(waiting);
    Ok(())
}

/// Gives up on a visitor who says nothing, and serves the next one.
pub(super) fn timeout(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    let (silent, _) = listener.accept()?;
    silent
        .as_socket()
        .set_timeout(Some(Duration::from_millis(50)));
    let error = answer(silent).unwrap_err();
    assert_eq!(error_code(&error), Some(ErrorCode::TimedOut));
    answer(listener.accept()?.0)?;
    Ok(())
}

/// Says whom it lets in; the policy has its own say before that.
pub(super) fn verify_request(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    for _ in 0..2 {
        let (connection, peer) = listener.accept()?;
        println!("{}", peer.ip());
        if peer.ip().to_string() == args[1] {
            answer(connection)?;
        }
    }
    Ok(())
}

/// Hands each connection on, whole, to something else.
pub(super) fn process_request(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let listener = TcpListener::bind(args[0])?;
        println!("{}", listener.local_addr()?);
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let (connection, _) = listener.accept()?;
            tasks.push(spawn(async move { answer(connection) }));
        }
        // The last to come is the first to be served.
        for task in tasks.into_iter().rev() {
            task.await?;
        }
        Ok(())
    })
}

/// A visitor with whom something goes wrong does not end the server.
pub(super) fn handle_error(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    for connection in listener.incoming() {
        match connection.and_then(answer) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => println!("{:?}", error.kind()),
        }
    }
    Ok(())
}

/// A task for each visitor, of whom none waits for another.
pub(super) fn threadingmixin(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let listener = Async::<TcpListener>::bind(args[0])?;
        println!("{}", listener.get_ref().local_addr()?);
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let (visitor, _) = listener.accept().await?;
            tasks.push(spawn(echo_a_word(visitor)));
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    })
}

/// One of several instances at the same address. It tells each visitor which one
/// it is, and does what it is told.
pub(super) fn forkingmixin(args: &[&str]) -> io::Result<()> {
    let socket = SocketBuilder::stream()
        .configure(|socket| socket.set_reuse_port(true))
        .listen(args[0])?;
    let listener = TcpListener::from(socket);
    println!("{}", listener.local_addr()?);
    for connection in listener.incoming() {
        let mut connection = connection?;
        connection.write_all(args[1].as_bytes())?;
        let mut word = String::new();
        connection.read_to_string(&mut word)?;
        match word.as_str() {
            "crash" => panic!("as it was told to"),
            "stop" => break,
            _ => {}
        }
    }
    Ok(())
}

/// The pair of everybody's first program.
pub(super) fn hello(args: &[&str]) -> io::Result<()> {
    if args[0] == "server" {
        let listener = TcpListener::bind(args[1])?;
        println!("{}", listener.local_addr()?);
        let (mut connection, _) = listener.accept()?;
        let mut heard = [0; 1024];
        let length = connection.read(&mut heard)?;
        println!("{}", String::from_utf8_lossy(&heard[..length]));
        connection.as_socket().send_all(b"Hello, client")?;
    } else {
        let mut stream = TcpStream::connect(args[1])?;
        stream.as_socket().send_all(b"Hello, world")?;
        let mut heard = [0; 1024];
        let length = stream.read(&mut heard)?;
        println!("{}", String::from_utf8_lossy(&heard[..length]));
    }
    Ok(())
}
