//! Guests that use as much as they may, and more.

#![expect(clippy::indexing_slicing, reason = "a test guest fails by trapping")]

use std::io::{self, ErrorKind, Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use portcullis_guest::{ErrorCode, TcpListener, TcpStream, UnixStream};
use portcullis_test_guests::{behaviours, failure};

behaviours! {
    connect_until_refused,
    idle,
    open_until_refused,
    send_much,
    send_until_refused,
    serve,
}

/// Keeps connections to the peer until one is refused, and then one less.
fn connect_until_refused(args: &[&str]) -> io::Result<()> {
    let mut connections = Vec::new();
    let refused = loop {
        match TcpStream::connect(args[0]) {
            Ok(connection) => connections.push(connection),
            Err(error) => break Err::<(), _>(error),
        }
    };
    println!("{}", connections.len());
    assert_eq!(failure(refused), ErrorCode::LimitExceeded);
    connections.pop();
    TcpStream::connect(args[0])?.write_all(b"a")
}

/// Waits for a peer that says nothing.
fn idle(args: &[&str]) -> io::Result<()> {
    let mut peer = TcpStream::connect(args[0])?;
    peer.write_all(b"a")?;
    let begin = Instant::now();
    let received = peer.read(&mut [0; 1]);
    assert_eq!(failure(received), ErrorCode::LimitExceeded);
    assert!(begin.elapsed() > Duration::from_millis(100));
    assert_eq!(failure(peer.write(b"b")), ErrorCode::LimitExceeded);
    // The next has its own time.
    TcpStream::connect(args[0])?.write_all(b"c")
}

/// Opens pairs until one is refused, and then goes on with one less.
fn open_until_refused(_: &[&str]) -> io::Result<()> {
    let mut pairs = Vec::new();
    let refused = loop {
        match UnixStream::pair() {
            Ok(pair) => pairs.push(pair),
            Err(error) => break error,
        }
    };
    println!("{}", pairs.len());
    println!("{refused}");
    assert_eq!(failure(Err::<(), _>(refused)), ErrorCode::LimitExceeded);
    pairs.pop();
    let (mut one, mut other) = UnixStream::pair()?;
    one.write_all(b"a")?;
    other.read_exact(&mut [0; 1])
}

/// Sends as many bytes as the second argument says.
fn send_much(args: &[&str]) -> io::Result<()> {
    let bytes = args[1].parse().map_err(io::Error::other)?;
    let mut peer = TcpStream::connect(args[0])?;
    peer.write_all(&vec![b'a'; bytes])
}

/// Sends until that is refused, and says how much was taken.
fn send_until_refused(args: &[&str]) -> io::Result<()> {
    let mut peer = TcpStream::connect(args[0])?;
    let mut sent = 0;
    let refused = loop {
        match peer.write(&[b'a'; 1000]) {
            Ok(count) => sent += count,
            Err(error) => break Err::<(), _>(error),
        }
    };
    println!("{sent}");
    assert_eq!(failure(refused), ErrorCode::LimitExceeded);
    Ok(())
}

/// Greets visitors, as many as the first argument says, and keeps each until they
/// leave.
fn serve(args: &[&str]) -> io::Result<()> {
    let visitors: usize = args[0].parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    listener.set_nonblocking(true)?;
    let (mut kept, mut greeted) = (Vec::new(), 0);
    while greeted < visitors {
        match listener.accept() {
            Ok((mut visitor, _)) => {
                visitor.write_all(b"a")?;
                visitor.set_nonblocking(true)?;
                kept.push(visitor);
                greeted += 1;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                kept.retain_mut(|visitor| !has_left(visitor));
                sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn has_left(visitor: &mut TcpStream) -> bool {
    let read = visitor.read(&mut [0; 1]);
    !read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
