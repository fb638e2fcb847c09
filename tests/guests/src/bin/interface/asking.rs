//! Chapter "Asking and waiting".

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use portcullis_guest::raw::socket::Readiness;
use portcullis_guest::raw::wasi_poll::poll as wait_for_one;
use portcullis_guest::{
    ErrorCode, Event, Events, Family, Poller, Socket, SocketType, TcpListener, TcpStream,
    UdpSocket, UnixStream, error_code,
};
use portcullis_test_guests::failure;

/// The peer sends back what it knows of the guest's address.
pub(super) fn getsockname(args: &[&str]) -> io::Result<()> {
    let fresh = Socket::new(Family::Inet, SocketType::Stream)?;
    assert_eq!(fresh.local_addr()?.to_string(), "0.0.0.0:0");
    let fresh = Socket::new(Family::Inet6, SocketType::Datagram)?;
    assert_eq!(fresh.local_addr()?.to_string(), "[::]:0");
    let fresh = Socket::new(Family::Unix, SocketType::Stream)?;
    assert!(fresh.local_addr()?.as_unix().unwrap().is_unnamed());
    let mut stream = TcpStream::connect(args[0])?;
    let mut seen = String::new();
    stream.read_to_string(&mut seen)?;
    assert_eq!(stream.local_addr()?.to_string(), seen);
    Ok(())
}

/// The peer closes at once.
pub(super) fn getpeername(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    assert_eq!(stream.peer_addr()?.to_string(), args[0]);
    assert_eq!(stream.read(&mut [0; 1])?, 0);
    assert_eq!(stream.peer_addr()?.to_string(), args[0], "it was closed");
    let datagrams = UdpSocket::unbound(Family::Inet)?;
    assert_eq!(failure(datagrams.peer_addr()), ErrorCode::NotConnected);
    datagrams.connect(args[1])?;
    assert_eq!(datagrams.peer_addr()?.to_string(), args[1]);
    let fresh = Socket::new(Family::Inet, SocketType::Stream)?;
    assert_eq!(failure(fresh.peer_addr()), ErrorCode::NotConnected);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    assert_eq!(
        failure(listener.as_socket().peer_addr()),
        ErrorCode::NotConnected
    );
    Ok(())
}

/// The peer sends nothing until it is told, and then `now`.
pub(super) fn settimeout(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    let quarter = Duration::from_millis(250);
    stream.as_socket().set_timeout(Some(quarter));
    let begin = Instant::now();
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(begin.elapsed() >= quarter, "{:?}", begin.elapsed());
    assert!(begin.elapsed() < 40 * quarter, "{:?}", begin.elapsed());
    // The connection is none the worse for it, and none waits for ever.
    stream.as_socket().set_timeout(None);
    stream.write_all(b"now?")?;
    let mut heard = [0; 3];
    stream.read_exact(&mut heard)?;
    assert_eq!(&heard, b"now");

    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.as_socket().set_timeout(Some(quarter));
    assert_eq!(failure(listener.accept()), ErrorCode::TimedOut);
    let datagrams = UdpSocket::bind("127.0.0.1:0")?;
    datagrams.as_socket().set_timeout(Some(quarter));
    assert_eq!(
        failure(datagrams.recv_from(&mut [0; 8])),
        ErrorCode::TimedOut
    );
    Ok(())
}

pub(super) fn gettimeout(_: &[&str]) -> io::Result<()> {
    let socket = Socket::new(Family::Inet, SocketType::Stream)?;
    assert_eq!(socket.timeout(), None);
    for timeout in [
        Some(Duration::from_nanos(1)),
        Some(Duration::from_millis(1500)),
        Some(Duration::ZERO),
        None,
    ] {
        socket.set_timeout(timeout);
        assert_eq!(socket.timeout(), timeout);
    }
    // One that is too long to count is the longest.
    socket.set_timeout(Some(Duration::MAX));
    assert_eq!(socket.timeout(), Some(Duration::from_nanos(u64::MAX)));
    Ok(())
}

pub(super) fn setblocking(_: &[&str]) -> io::Result<()> {
    let (one, other) = UnixStream::pair()?;
    let begin = Instant::now();
    one.set_nonblocking(true)?;
    assert_eq!(failure((&one).read(&mut [0; 8])), ErrorCode::WouldBlock);
    while (&one).write(&[0; 65536]).is_ok() {}
    assert_eq!(failure((&one).write(&[0; 65536])), ErrorCode::WouldBlock);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    assert_eq!(failure(listener.accept()), ErrorCode::WouldBlock);
    assert!(begin.elapsed() < Duration::from_secs(20));

    // Blocking again, it waits.
    one.set_nonblocking(false)?;
    one.as_socket()
        .set_read_timeout(Some(Duration::from_millis(50)))?;
    let begin = Instant::now();
    assert_eq!(failure((&one).read(&mut [0; 8])), ErrorCode::WouldBlock);
    assert!(begin.elapsed() >= Duration::from_millis(50));
    drop(other);
    Ok(())
}

pub(super) fn getblocking(_: &[&str]) -> io::Result<()> {
    let socket = Socket::new(Family::Inet, SocketType::Stream)?;
    assert!(!socket.nonblocking(), "a new socket blocks");
    socket.set_nonblocking(true);
    assert!(socket.nonblocking());
    assert_eq!(socket.timeout(), Some(Duration::ZERO));
    socket.set_timeout(Some(Duration::from_secs(1)));
    assert!(!socket.nonblocking(), "it waits for a while");
    socket.set_nonblocking(false);
    assert_eq!(socket.timeout(), None);
    Ok(())
}

/// The number of a handle is what a guest's library makes file descriptors of.
pub(super) fn fileno(_: &[&str]) -> io::Result<()> {
    let number = |socket: &Socket| socket.as_raw().handle();
    let sockets = || Socket::new(Family::Inet, SocketType::Stream);
    let (one, other) = (sockets()?, sockets()?);
    let (first, second) = (number(&one), number(&other));
    assert_ne!(first, second);
    assert_ne!(number(&one.try_clone()?), first);
    one.bind("127.0.0.1:0")?;
    one.listen(None)?;
    assert_eq!(number(&one), first, "stable for the socket's life");
    drop(other);
    for _ in 0..1000 {
        assert!(
            number(&sockets()?) < 64,
            "small, as those given back are taken again"
        );
    }
    Ok(())
}

/// The first peer sends `hello` when it is told; at the second address nobody
/// takes datagrams.
pub(super) fn select(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let broken = UdpSocket::unbound(Family::Inet)?;
    broken.connect(args[1])?;
    let quiet = UdpSocket::unbound(Family::Inet)?;
    let poller = Poller::new()?;
    poller.add(&stream, Event::readable(1))?;
    poller.add(&broken, Event::none(2))?;
    poller.add(&quiet, Event::readable(3))?;
    let mut events = Events::new();

    // Nothing is ready: with a timeout of zero, and with another.
    assert_eq!(poller.wait(&mut events, Some(Duration::ZERO))?, 0);
    let begin = Instant::now();
    let short = Duration::from_millis(50);
    assert_eq!(poller.wait(&mut events, Some(short))?, 0);
    assert!(begin.elapsed() >= short);

    // The second has failed, the first has something to read and can be
    // written to; the third is quiet.
    broken.send(b"anybody?")?;
    poller.wait(&mut events, None)?;
    let failed: Vec<_> = events.iter().filter(|event| event.failed).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].key, 2);
    let error = broken.take_error()?.unwrap();
    assert_eq!(error_code(&error), Some(ErrorCode::ConnectionRefused));
    poller.delete(&broken)?;
    (&stream).write_all(b"now")?;
    poller.wait(&mut events, None)?;
    let ready: Vec<_> = events.iter().copied().collect();
    assert_eq!(ready, [Event::readable(1)]);
    poller.modify(&stream, Event::all(4))?;
    poller.wait(&mut events, None)?;
    let ready: Vec<_> = events.iter().copied().collect();
    assert_eq!(ready, [Event::all(4)]);
    (&stream).read_exact(&mut [0; 5])?;
    poller.wait(&mut events, None)?;
    let ready: Vec<_> = events.iter().copied().collect();
    assert_eq!(ready, [Event::writable(4)], "it has been drained");
    Ok(())
}

/// The first peer sends `urgent!`, of which `!` urgently, and closes when it is
/// told; the second one's queue is full.
pub(super) fn poll(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    let connecting = Socket::new(Family::Inet, SocketType::Stream)?;
    connecting.set_nonblocking(true);
    assert_eq!(failure(connecting.connect(args[1])), ErrorCode::InProgress);
    let (readable, urgent) = (
        socket.subscribe(Readiness::READABLE),
        socket.subscribe(Readiness::URGENT),
    );
    let connected = connecting.subscribe(Readiness::WRITABLE);
    let list = [&connected, &readable, &urgent];
    socket.send_all(b"go")?;
    urgent.block();
    assert_eq!(wait_for_one(&list), [1, 2], "not the first");
    assert!(socket.subscribe(Readiness::WRITABLE).ready());
    let mut data = [0; 8];
    assert_eq!(socket.recv(&mut data)?, 6, "up to the urgent byte");
    assert_eq!(socket.recv_out_of_band(&mut data)?, 1);
    assert!(!readable.ready(), "it has been drained");
    socket.send_all(b"close")?;
    // The end is something to read, and nothing urgent comes after it.
    assert_eq!(wait_for_one(&list), [1, 2]);
    assert_eq!(socket.recv(&mut data)?, 0);
    assert!(readable.ready());
    // Both directions closed: told unasked.
    socket.shutdown(std::net::Shutdown::Write)?;
    let poller = Poller::new()?;
    poller.add(&stream, Event::none(0))?;
    let mut events = Events::new();
    poller.wait(&mut events, None)?;
    assert!(events.iter().all(|event| event.hung_up));
    Ok(())
}

pub(super) fn selectors(_: &[&str]) -> io::Result<()> {
    let selector = Poller::new()?;
    let (one, other) = UnixStream::pair()?;
    let mut events = Events::new();
    selector.add(&one, Event::readable(u64::MAX))?;
    let twice = selector.add(&one.try_clone()?, Event::readable(1));
    assert_eq!(
        failure(twice),
        ErrorCode::Exists,
        "registered by another handle"
    );
    assert_eq!(
        failure(selector.modify(&other, Event::readable(1))),
        ErrorCode::NotFound
    );
    (&other).write_all(b"x")?;
    for _ in 0..2 {
        // Level-triggered: it is told for as long as it is so.
        assert_eq!(selector.wait(&mut events, None)?, 1);
        assert_eq!(events.iter().next().unwrap().key, u64::MAX);
    }
    selector.modify(&one, Event::none(5))?;
    assert_eq!(selector.wait(&mut events, Some(Duration::ZERO))?, 0);
    selector.modify(&one, Event::writable(6))?;
    assert_eq!(selector.wait(&mut events, None)?, 1);
    let ready: Vec<_> = events.iter().copied().collect();
    assert_eq!(ready, [Event::writable(6)]);
    selector.delete(&one)?;
    assert_eq!(failure(selector.delete(&one)), ErrorCode::NotFound);
    assert_eq!(selector.wait(&mut events, Some(Duration::ZERO))?, 0);
    // A socket that is closed leaves it by itself.
    selector.add(&one, Event::readable(7))?;
    drop(one);
    assert_eq!(selector.wait(&mut events, Some(Duration::ZERO))?, 0);
    Ok(())
}
