//! Chapter "Server, client".

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use portcullis_guest::{
    ErrorCode, Event, Events, Family, Poller, Socket, SocketBuilder, SocketType, TcpListener,
    TcpStream, UdpSocket, error_code,
};
use portcullis_test_guests::failure;

fn stream(family: Family) -> io::Result<Socket> {
    Socket::new(family, SocketType::Stream)
}

/// Somebody else is bound to the first address.
pub(super) fn bind(args: &[&str]) -> io::Result<()> {
    for (family, text) in [(Family::Inet, "127.0.0.1:0"), (Family::Inet6, "[::1]:0")] {
        let socket = stream(family)?;
        socket.bind(text)?;
        let asked: SocketAddr = text.parse().unwrap();
        let local = socket.local_addr()?.as_socket().unwrap();
        assert_eq!(local.ip(), asked.ip());
        assert_ne!(local.port(), 0);
        assert_eq!(failure(socket.bind(text)), ErrorCode::InvalidArgument);
    }
    let socket = stream(Family::Inet)?;
    assert_eq!(failure(socket.bind(args[0])), ErrorCode::AddressInUse);
    let elsewhere = socket.bind("203.0.113.77:0");
    assert_eq!(failure(elsewhere), ErrorCode::AddressNotAvailable);
    let other_family = socket.bind("[::1]:0");
    assert_eq!(failure(other_family), ErrorCode::AddressFamilyNotSupported);
    // What failed left it as it was.
    socket.bind("127.0.0.1:0")
}

/// Python's `''`, on a socket of the family that is named.
pub(super) fn bind_any(args: &[&str]) -> io::Result<()> {
    let (family, visitors) = match args[0] {
        "inet" => (Family::Inet, 1),
        _ => (Family::Inet6, 2),
    };
    let socket = stream(family)?;
    socket.bind(":0")?;
    assert!(
        socket
            .local_addr()?
            .as_socket()
            .unwrap()
            .ip()
            .is_unspecified()
    );
    socket.listen(None)?;
    println!("{}", socket.local_addr()?);
    for _ in 0..visitors {
        socket.accept()?.0.send_all(b"hello")?;
    }
    Ok(())
}

/// Python's `'<broadcast>'`.
pub(super) fn bind_broadcast(_: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::BROADCAST, 0))?;
    let local = socket.local_addr()?;
    assert_eq!(local.ip(), Ipv4Addr::BROADCAST);
    Ok(())
}

/// Prints where the names lead.
pub(super) fn bind_name(args: &[&str]) -> io::Result<()> {
    for name in args {
        let socket = stream(Family::Inet)?;
        socket.bind((*name, 0))?;
        println!("{}", socket.local_addr()?.as_socket().unwrap().ip());
    }
    Ok(())
}

pub(super) fn bind_port_zero(_: &[&str]) -> io::Result<()> {
    let listeners: io::Result<Vec<TcpListener>> =
        (0..20).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let ports: io::Result<Vec<u16>> = listeners?
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect();
    let mut ports = ports?;
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 20, "each has a port of its own");
    assert!(!ports.contains(&0));
    Ok(())
}

pub(super) fn listen(args: &[&str]) -> io::Result<()> {
    let socket = stream(Family::Inet)?;
    socket.bind(args[0])?;
    let address = socket.local_addr()?.as_socket().unwrap();
    let too_early = TcpStream::connect(address);
    assert_eq!(failure(too_early), ErrorCode::ConnectionRefused);
    assert!(!socket.is_listener()?);
    socket.listen(None)?;
    assert!(socket.is_listener()?);
    socket.listen(Some(1))?;
    println!("{address}");
    let (connection, _) = socket.accept()?;
    assert_eq!(
        failure(connection.listen(None)),
        ErrorCode::InvalidArgument,
        "it is connected"
    );
    let datagrams = Socket::new(Family::Inet, SocketType::Datagram)?;
    assert_eq!(failure(datagrams.listen(None)), ErrorCode::NotSupported);
    let unix = Socket::new(Family::Unix, SocketType::Stream)?;
    assert_eq!(
        failure(unix.listen(None)),
        ErrorCode::InvalidArgument,
        "it has no name"
    );
    connection.send_all(b"hello")
}

/// Linux lets one more wait than was asked for, and leaves the others
/// unanswered.
pub(super) fn listen_backlog(args: &[&str]) -> io::Result<()> {
    let usual: usize = args[0].parse().unwrap();
    for (backlog, waiting) in [(Some(0), 0), (Some(3), 3), (None, usual)] {
        let socket = stream(Family::Inet)?;
        socket.bind("127.0.0.1:0")?;
        socket.listen(backlog)?;
        let address = socket.local_addr()?.as_socket().unwrap();
        let visitors: io::Result<Vec<TcpStream>> =
            (0..=waiting).map(|_| TcpStream::connect(address)).collect();
        let visitors = visitors?;
        let one_more = TcpStream::connect_timeout(address, Duration::from_millis(100));
        assert_eq!(failure(one_more), ErrorCode::TimedOut, "{backlog:?}");
        for visitor in visitors {
            assert_eq!(
                socket.accept()?.1.as_socket(),
                Some(visitor.local_addr()?),
                "they come in order"
            );
        }
    }
    Ok(())
}

pub(super) fn accept(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    let first = listener.accept()?;
    let second = listener.accept()?;
    for (number, (mut connection, peer)) in [first, second].into_iter().enumerate() {
        assert_eq!(connection.peer_addr()?, peer);
        assert_eq!(connection.local_addr()?, listener.local_addr()?);
        write!(connection, "{number} {peer}")?;
    }
    let fresh = stream(Family::Inet)?;
    assert_eq!(failure(fresh.accept()), ErrorCode::InvalidArgument);
    let datagrams = Socket::new(Family::Inet, SocketType::Datagram)?;
    assert_eq!(failure(datagrams.accept()), ErrorCode::NotSupported);
    Ok(())
}

/// Linux hands on every option that is one of the connection.
pub(super) fn accept_inherits(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    let parent = listener.as_socket();
    let a_while = Some(Duration::from_secs(5));
    parent.set_keepalive(true)?;
    parent.set_linger(Some(Duration::from_secs(3)))?;
    parent.set_out_of_band_inline(true)?;
    parent.set_read_timeout(a_while)?;
    parent.set_recv_buffer_size(16384)?;
    parent.set_tcp_keepalive_time(Duration::from_secs(77))?;
    parent.set_tcp_nodelay(true)?;
    parent.set_tos(0x10)?;
    parent.set_ttl(42)?;
    parent.set_write_timeout(a_while)?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);

    let poller = Poller::new()?;
    poller.add(&listener, Event::readable(0))?;
    assert_eq!(poller.wait(&mut Events::new(), None)?, 1);
    let (connection, _) = listener.accept()?;
    let child = connection.as_socket();
    assert!(child.keepalive()?);
    assert_eq!(child.linger()?, Some(Duration::from_secs(3)));
    assert!(child.out_of_band_inline()?);
    assert_eq!(child.read_timeout()?, a_while);
    assert_eq!(child.recv_buffer_size()?, 32768);
    assert!(child.reuse_address()?);
    assert_eq!(child.tcp_keepalive_time()?, Duration::from_secs(77));
    assert!(child.tcp_nodelay()?);
    assert_eq!(child.tos()?, 0x10);
    assert_eq!(child.ttl()?, 42);
    assert_eq!(child.write_timeout()?, a_while);
    // But not what is one of the listener.
    assert!(!child.is_listener()?);
    assert_eq!(child.timeout(), None, "it blocks");
    assert!(child.take_error()?.is_none());
    Ok(())
}

/// A peer of each family that echoes, and one at which nobody listens.
pub(super) fn connect(args: &[&str]) -> io::Result<()> {
    for (family, address) in [(Family::Inet, args[0]), (Family::Inet6, args[1])] {
        let socket = stream(family)?;
        socket.connect(address)?;
        assert_eq!(socket.peer_addr()?.to_string(), address);
        assert_eq!(failure(socket.connect(address)), ErrorCode::IsConnected);
        socket.send_all(b"echo")?;
        socket.shutdown(Shutdown::Write)?;
        let mut heard = String::new();
        TcpStream::from(socket).read_to_string(&mut heard)?;
        assert_eq!(heard, "echo");
    }
    let socket = stream(Family::Inet)?;
    assert_eq!(
        failure(socket.connect(args[2])),
        ErrorCode::ConnectionRefused
    );
    let other_family = socket.connect("[::1]:1");
    assert_eq!(failure(other_family), ErrorCode::AddressFamilyNotSupported);
    Ok(())
}

/// The first name has two addresses, of which the second has a peer; the second
/// has two without.
pub(super) fn connect_name(args: &[&str]) -> io::Result<()> {
    let socket = stream(Family::Inet)?;
    socket.connect(args[0])?;
    println!("{}", socket.peer_addr()?);
    let socket = stream(Family::Inet)?;
    assert_eq!(
        failure(socket.connect(args[1])),
        ErrorCode::ConnectionRefused
    );
    let nobody = stream(Family::Inet)?.connect(args[2]);
    assert_eq!(failure(nobody), ErrorCode::NameNotFound);
    Ok(())
}

/// The peer's queue is full.
pub(super) fn connect_timeout(args: &[&str]) -> io::Result<()> {
    let socket = stream(Family::Inet)?;
    socket.set_timeout(Some(Duration::from_millis(150)));
    let begin = Instant::now();
    assert_eq!(failure(socket.connect(args[0])), ErrorCode::TimedOut);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(150), "{took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    Ok(())
}

/// The first peer's queue is full until it is told that the guest waits; at the
/// second one's address nobody listens.
pub(super) fn connect_in_progress(args: &[&str]) -> io::Result<()> {
    let (waiting, refused) = (stream(Family::Inet)?, stream(Family::Inet)?);
    let poller = Poller::new()?;
    for socket in [&waiting, &refused] {
        socket.set_nonblocking(true);
    }
    assert_eq!(failure(waiting.connect(args[0])), ErrorCode::InProgress);
    assert_eq!(
        failure(waiting.connect(args[0])),
        ErrorCode::AlreadyInProgress
    );
    assert_eq!(failure(waiting.send(b"early")), ErrorCode::WouldBlock);
    poller.add(&waiting, Event::writable(1))?;
    let mut events = Events::new();
    assert_eq!(poller.wait(&mut events, Some(Duration::ZERO))?, 0);

    assert_eq!(failure(refused.connect(args[1])), ErrorCode::InProgress);
    poller.add(&refused, Event::writable(2))?;
    poller.wait(&mut events, None)?;
    let event = events.iter().next().unwrap();
    assert_eq!((event.key, event.failed), (2, true));
    let error = refused.take_error()?.unwrap();
    assert_eq!(error_code(&error), Some(ErrorCode::ConnectionRefused));
    assert!(refused.take_error()?.is_none(), "it is told once");
    poller.delete(&refused)?;

    println!("{}", waiting.local_addr()?);
    poller.wait(&mut events, None)?;
    let event = events.iter().next().unwrap();
    assert_eq!((event.key, event.writable, event.failed), (1, true, false));
    assert!(waiting.take_error()?.is_none());
    assert_eq!(waiting.peer_addr()?.to_string(), args[0]);
    waiting.send(b"at last")?;
    Ok(())
}

/// Python's `connect_ex`: nothing, or what it is that went wrong.
pub(super) fn connect_ex(args: &[&str]) -> io::Result<()> {
    fn connect_ex(socket: &Socket, address: &str) -> Option<ErrorCode> {
        socket
            .connect(address)
            .err()
            .and_then(|error| error_code(&error))
    }
    let (peer, nobody, ungranted) = (args[0], args[1], args[2]);
    let socket = stream(Family::Inet)?;
    assert_eq!(connect_ex(&socket, peer), None);
    assert_eq!(connect_ex(&socket, peer), Some(ErrorCode::IsConnected));
    let socket = stream(Family::Inet)?;
    let refused = Some(ErrorCode::ConnectionRefused);
    assert_eq!(connect_ex(&socket, nobody), refused);
    let denied = Some(ErrorCode::AccessDenied);
    assert_eq!(connect_ex(&socket, ungranted), denied);
    socket.set_nonblocking(true);
    let begun = Some(ErrorCode::InProgress);
    assert_eq!(connect_ex(&socket, nobody), begun);
    // The builder tells errors in the same way.
    let error = SocketBuilder::stream().connect(ungranted).unwrap_err();
    assert_eq!(error_code(&error), denied);
    Ok(())
}
