//! Chapter "Creating".

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use portcullis_guest::task::{Async, block_on};
use portcullis_guest::{
    ErrorCode, Family, Network, Socket, SocketBuilder, SocketType, TcpListener, TcpStream,
    UnixDatagram, UnixStream,
};
use portcullis_test_guests::failure;

pub(super) fn socket(_: &[&str]) -> io::Result<()> {
    for (family, socket_type, protocol) in [
        (Family::Inet, SocketType::Stream, 6),
        (Family::Inet, SocketType::Datagram, 17),
        (Family::Inet6, SocketType::Stream, 6),
        (Family::Inet6, SocketType::Datagram, 17),
        (Family::Unix, SocketType::Stream, 0),
        (Family::Unix, SocketType::Datagram, 0),
        (Family::Unix, SocketType::Seqpacket, 0),
    ] {
        for asked in [0, protocol] {
            let socket = Network::default().open_with_protocol(family, socket_type, asked)?;
            assert_eq!(socket.domain()?, family);
            assert_eq!(socket.r#type()?, socket_type);
            assert_eq!(socket.protocol()?, protocol);
            assert_eq!(failure(socket.peer_addr()), ErrorCode::NotConnected);
        }
    }
    Ok(())
}

pub(super) fn socket_families(_: &[&str]) -> io::Result<()> {
    for family in [
        Family::Alg,
        Family::Appletalk,
        Family::Ax25,
        Family::Bluetooth,
        Family::Can,
        Family::Ipx,
        Family::Netlink,
        Family::Packet,
        Family::Qipcrtr,
        Family::Rds,
        Family::Tipc,
        Family::Unspecified,
        Family::Vsock,
        Family::X25,
    ] {
        for socket_type in [SocketType::Stream, SocketType::Datagram, SocketType::Raw] {
            let refused = ErrorCode::AddressFamilyNotSupported;
            assert_eq!(failure(Socket::new(family, socket_type)), refused);
            assert_eq!(failure(Socket::pair(family, socket_type)), refused);
        }
    }
    Ok(())
}

/// Prints how each of the combinations fails, which are written as in
/// `inet stream 17`.
pub(super) fn socket_types(args: &[&str]) -> io::Result<()> {
    for combination in args {
        let words: Vec<&str> = combination.split(' ').collect();
        let family = match words[0] {
            "inet" => Family::Inet,
            "inet6" => Family::Inet6,
            _ => Family::Unix,
        };
        let socket_type = match words[1] {
            "stream" => SocketType::Stream,
            "dgram" => SocketType::Datagram,
            "seqpacket" => SocketType::Seqpacket,
            _ => SocketType::ReliableMessage,
        };
        let protocol = words[2].parse().unwrap();
        let socket = Network::default().open_with_protocol(family, socket_type, protocol);
        println!("{:?}", failure(socket));
    }
    for family in [Family::Inet, Family::Inet6] {
        let raw = Socket::new(family, SocketType::Raw);
        assert_eq!(failure(raw), ErrorCode::PermissionRequired);
    }
    Ok(())
}

pub(super) fn socketpair(_: &[&str]) -> io::Result<()> {
    let (mut one, mut other) = UnixStream::pair()?;
    assert!(one.local_addr()?.is_unnamed() && one.peer_addr()?.is_unnamed());
    one.write_all(b"there")?;
    other.write_all(b"and back")?;
    drop(one.try_clone()?);
    let mut heard = [0; 8];
    one.read_exact(&mut heard)?;
    assert_eq!(&heard, b"and back");
    drop(one);
    let mut heard = String::new();
    other.read_to_string(&mut heard)?;
    assert_eq!(heard, "there");
    assert_eq!(
        other.write(b"nobody").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );

    // Messages stay apart.
    let (one, other) = UnixDatagram::pair()?;
    one.send(b"first")?;
    one.send(b"")?;
    one.send(b"third")?;
    let mut buffer = [0; 16];
    assert_eq!(other.recv(&mut buffer)?, 5);
    assert_eq!(other.recv(&mut buffer)?, 0);
    assert_eq!(other.recv(&mut buffer)?, 5);
    assert_eq!(&buffer[..5], b"third");
    let (one, other) = Socket::pair(Family::Unix, SocketType::Seqpacket)?;
    one.send_all(b"first")?;
    one.send_all(b"second")?;
    assert_eq!(other.recv(&mut buffer)?, 5);
    assert_eq!(other.recv(&mut buffer)?, 6);
    drop(one);
    assert_eq!(other.recv(&mut buffer)?, 0, "the end");

    for family in [Family::Inet, Family::Inet6] {
        let pair = Socket::pair(family, SocketType::Stream);
        assert_eq!(failure(pair), ErrorCode::NotSupported);
    }
    let wrong = Network::default().pair_with_protocol(Family::Unix, SocketType::Stream, 6);
    assert_eq!(failure(wrong), ErrorCode::ProtocolNotSupported);
    Ok(())
}

/// The first name has an IPv6 address at which nobody listens, and an IPv4 one
/// with a peer; the second nobody at either.
pub(super) fn create_connection(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    assert!(stream.peer_addr()?.is_ipv4());
    stream.write_all(b"by name")?;
    let error = TcpStream::connect(args[1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    Ok(())
}

/// The name leads to two peers that do not answer.
pub(super) fn create_connection_timeout(args: &[&str]) -> io::Result<()> {
    let limit = Duration::from_secs(1);
    let begin = Instant::now();
    let error = TcpStream::connect_timeout(args[0], limit).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let taken = begin.elapsed();
    assert!(
        taken >= limit && taken < 2 * limit,
        "{taken:?}, all together"
    );
    let begin = Instant::now();
    let in_turn = SocketBuilder::stream().in_turn(true).timeout(limit);
    let error = in_turn.connect(args[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(begin.elapsed() >= 2 * limit, "each attempt has its time");
    let none = TcpStream::connect_timeout(args[0], Duration::ZERO).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidInput);
    Ok(())
}

/// The name leads to an IPv6 address that does not answer, and an IPv4 one that does.
pub(super) fn create_connection_happy_eyeballs_delay(args: &[&str]) -> io::Result<()> {
    // Linux gives such an address up after two minutes.
    let prompt = Duration::from_secs(30);
    let (delay, begin) = (Duration::from_millis(400), Instant::now());
    let builder = SocketBuilder::stream().attempt_delay(delay);
    let socket = builder.connect(args[0])?;
    assert!(TcpStream::from(socket).peer_addr()?.is_ipv4());
    assert!(begin.elapsed() >= delay, "IPv6 has a head start");
    let stream = block_on(Async::<TcpStream>::connect(args[0]))?;
    assert!(stream.get_ref().peer_addr()?.is_ipv4());
    // What was given up is closed, and what won waits as it always does.
    assert_eq!(TcpStream::connect(args[0])?.as_socket().timeout(), None);
    assert!(begin.elapsed() < prompt, "{:?}", begin.elapsed());
    Ok(())
}

pub(super) fn create_connection_source_address(args: &[&str]) -> io::Result<()> {
    let socket = SocketBuilder::stream().source(args[0])?.connect(args[1])?;
    println!("{}", socket.local_addr()?);
    Ok(())
}

/// Serves two visitors of whichever family.
pub(super) fn create_server(args: &[&str]) -> io::Result<()> {
    let socket = SocketBuilder::stream()
        .backlog(16)
        .dual_stack(args[1] == "dual")
        .configure(|socket| socket.set_reuse_port(true))
        .listen(args[0])?;
    assert!(socket.is_listener()? && socket.reuse_address()? && socket.reuse_port()?);
    let listener = TcpListener::from(socket);
    println!("{}", listener.local_addr()?);
    for visitor in listener.incoming().take(2) {
        let visitor = visitor?;
        write!(&visitor, "{}", visitor.peer_addr()?.ip())?;
    }
    Ok(())
}

/// The peer echoes.
pub(super) fn dup(args: &[&str]) -> io::Result<()> {
    let original = TcpStream::connect(args[0])?;
    let mut twin = original.try_clone()?;
    twin.set_nodelay(true)?;
    assert!(original.nodelay()?, "they are one socket");
    assert_eq!(twin.local_addr()?, original.local_addr()?);
    original.set_nonblocking(true)?;
    assert_eq!(twin.as_socket().timeout(), None, "but not one handle");
    drop(original);
    twin.write_all(b"still open")?;
    let mut heard = [0; 10];
    twin.read_exact(&mut heard)?;
    assert_eq!(&heard, b"still open");
    Ok(())
}

/// The peer echoes.
pub(super) fn fromfd(args: &[&str]) -> io::Result<()> {
    let connected = TcpStream::connect(args[0])?;
    // Python's fromfd(sock.fileno(), …): a duplicate, of a type that one says.
    let mut copy = TcpStream::from(connected.as_socket().try_clone()?);
    copy.write_all(b"copy")?;
    drop(copy);
    let mut heard = [0; 4];
    (&connected).read_exact(&mut heard)?;
    assert_eq!(&heard, b"copy", "the original is still open");
    Ok(())
}

/// The peer reads to the end.
pub(super) fn socket_fileno(args: &[&str]) -> io::Result<()> {
    let socket = Socket::new(Family::Inet, SocketType::Stream)?;
    socket.connect(args[0])?;
    let local = socket.local_addr()?;
    // Python's socket(fileno=…) takes the socket over, and asks it what it is.
    assert_eq!(socket.domain()?, Family::Inet);
    assert_eq!(socket.r#type()?, SocketType::Stream);
    assert_eq!(socket.protocol()?, 6);
    let mut stream = TcpStream::from(socket);
    assert_eq!(Some(stream.local_addr()?), local.as_socket());
    stream.write_all(b"taken over")
}

pub(super) fn getdefaulttimeout(_: &[&str]) -> io::Result<()> {
    // Every way to a socket leads to one that waits for ever.
    assert_eq!(
        Socket::new(Family::Inet, SocketType::Stream)?.timeout(),
        None
    );
    assert_eq!(UnixStream::pair()?.0.as_socket().timeout(), None);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let client = TcpStream::connect_timeout(listener.local_addr()?, Duration::from_secs(60))?;
    assert_eq!(client.as_socket().timeout(), None);
    listener.set_nonblocking(false)?;
    listener
        .as_socket()
        .set_timeout(Some(Duration::from_secs(60)));
    let (accepted, _) = listener.accept()?;
    assert_eq!(accepted.as_socket().timeout(), None);
    Ok(())
}

pub(super) fn setdefaulttimeout(args: &[&str]) -> io::Result<()> {
    let before = Socket::new(Family::Inet, SocketType::Stream)?;
    let usual = Some(Duration::from_millis(50));
    let sockets = || {
        SocketBuilder::stream().configure(move |socket| {
            socket.set_timeout(usual);
            Ok(())
        })
    };
    let listener = sockets().listen("127.0.0.1:0")?;
    assert_eq!(listener.timeout(), usual);
    let connection = sockets().connect(args[0])?;
    assert_eq!(connection.timeout(), usual);
    let patient = sockets().timeout(Duration::from_secs(60));
    assert_eq!(patient.connect(args[0])?.timeout(), usual);
    assert_eq!(before.timeout(), None, "only for sockets made later");
    assert_eq!(failure(listener.accept()), ErrorCode::TimedOut);
    assert_eq!(failure(connection.recv(&mut [0; 1])), ErrorCode::TimedOut);
    Ok(())
}
