//! Chapter "Errors".

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use portcullis_guest::{
    ErrorCode, Family, LookupOptions, Network, Socket, SocketType, TcpListener, TcpStream,
    UdpSocket, UnixAddr, UnixDatagram, UnixListener, UnixStream, error_code, host_by_address,
    host_by_name, lookup,
};
use portcullis_test_guests::failure;

/// Each error that can be brought about on one machine. The folder has a file
/// `file`, a symbolic link `loop` to itself and a socket `closed` that nobody
/// listens to.
pub(super) fn oserror(args: &[&str]) -> io::Result<()> {
    let folder = args[0];
    let inet = |socket_type| Socket::new(Family::Inet, socket_type);
    let unix = |path: &str| {
        let address = UnixAddr::from_pathname(format!("{folder}/{path}"))?;
        UnixStream::connect_addr(&address)
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let taken = listener.local_addr()?;
    let client = TcpStream::connect(taken)?;
    let connected = client.as_socket();
    let fresh = inet(SocketType::Stream)?;
    let datagrams = inet(SocketType::Datagram)?;
    let (one, other) = UnixStream::pair()?;
    drop(other);
    one.set_nonblocking(true)?;
    let (waiting, _other) = UnixStream::pair()?;
    waiting.set_nonblocking(true)?;
    let unix_datagrams = UnixDatagram::unbound()?;

    for (code, actual) in [
        (
            ErrorCode::AccessDenied,
            failure(fresh.connect("198.51.100.1:9")),
        ),
        (
            ErrorCode::AddressFamilyNotSupported,
            failure(Socket::new(Family::Can, SocketType::Raw)),
        ),
        (ErrorCode::AddressInUse, failure(fresh.bind(taken))),
        (
            ErrorCode::AddressNotAvailable,
            failure(fresh.bind("203.0.113.77:0")),
        ),
        (ErrorCode::BrokenPipe, failure((&one).write(b"x"))),
        (ErrorCode::ConnectionRefused, failure(unix("closed"))),
        (
            ErrorCode::DestinationAddressRequired,
            failure(datagrams.send(b"x")),
        ),
        (
            ErrorCode::InvalidArgument,
            failure(fresh.accept().map(|_| ())),
        ),
        (ErrorCode::IsConnected, failure(connected.connect(taken))),
        (
            ErrorCode::MessageTooLong,
            failure(datagrams.send_to(&[0; 65536], taken)),
        ),
        (ErrorCode::NameTooLong, failure(unix(&"x".repeat(300)))),
        (
            ErrorCode::NoSuchDevice,
            failure(datagrams.join_group([224, 0, 0, 251].into(), 0x7fff_0000)),
        ),
        (ErrorCode::NotConnected, failure(fresh.recv(&mut [0; 1]))),
        (ErrorCode::NotDirectory, failure(unix("file/below"))),
        (ErrorCode::NotFound, failure(unix("nothing"))),
        (ErrorCode::NotSupported, failure(datagrams.listen(None))),
        (
            ErrorCode::OptionNotSupported,
            failure(one.as_socket().set_tcp_nodelay(true)),
        ),
        (
            ErrorCode::PermissionRequired,
            failure(inet(SocketType::Raw)),
        ),
        (
            ErrorCode::ProtocolNotSupported,
            failure(Network::default().open_with_protocol(Family::Inet, SocketType::Stream, 17)),
        ),
        (
            ErrorCode::SocketTypeNotSupported,
            failure(inet(SocketType::Seqpacket)),
        ),
        (ErrorCode::TooManyLinks, failure(unix("loop"))),
        (ErrorCode::WouldBlock, failure((&waiting).read(&mut [0; 1]))),
        (
            ErrorCode::WrongProtocolType,
            failure(unix_datagrams.connect(format!("{folder}/listening"))),
        ),
    ] {
        assert_eq!(actual, code);
    }
    Ok(())
}

/// A guest may look up each name, and how it fails.
pub(super) fn gaierror(args: &[&str]) -> io::Result<()> {
    for name_and_code in args {
        let (name, expected) = name_and_code.split_once(' ').unwrap();
        let code = failure(lookup((name, 80)));
        assert_eq!(format!("{code:?}"), format!("ErrorCode::{expected}"));
    }
    let hints = LookupOptions::new;
    let number = Some("192.0.2.9");
    for (code, found) in [
        (
            ErrorCode::NameBadFlags,
            hints().canonical_name(true).lookup(None, Some("80")),
        ),
        (
            ErrorCode::NameFamilyNotSupported,
            hints().family(Family::Inet6).lookup(number, None),
        ),
        (
            ErrorCode::NameFamilyNotSupported,
            hints().family(Family::Can).lookup(number, None),
        ),
        (
            ErrorCode::NameServiceNotFound,
            hints().lookup(number, Some("no-such-service")),
        ),
        (
            ErrorCode::NameSocketTypeNotSupported,
            hints()
                .socket_type(SocketType::Raw)
                .protocol(200)
                .lookup(number, None),
        ),
        (ErrorCode::NameNotFound, hints().lookup(Some("127.1"), None)),
    ] {
        assert_eq!(failure(found), code);
    }
    // A connect by name tells them as well.
    let (name, _) = args[0].split_once(' ').unwrap();
    let by_name = TcpStream::connect((name, 80));
    assert_eq!(failure(by_name), failure(lookup((name, 80))));
    Ok(())
}

/// Each name or address, and how `gethostbyname` or `gethostbyaddr` fails.
pub(super) fn herror(args: &[&str]) -> io::Result<()> {
    for host_and_code in args {
        let (host, expected) = host_and_code.split_once(' ').unwrap();
        let entry = match host.parse() {
            Ok(address) => host_by_address(address),
            Err(_) => host_by_name(host),
        };
        let code = failure(entry);
        assert_eq!(format!("{code:?}"), format!("ErrorCode::{expected}"));
    }
    Ok(())
}

/// The peer sends nothing.
pub(super) fn timeout(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream
        .as_socket()
        .set_timeout(Some(Duration::from_millis(20)));
    let own = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(own.kind(), ErrorKind::TimedOut);
    assert_eq!(error_code(&own), Some(ErrorCode::TimedOut));
    // Not so that of a socket that does not wait, or of SO_RCVTIMEO.
    stream.set_nonblocking(true)?;
    let would_block = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(would_block.kind(), ErrorKind::WouldBlock);
    Ok(())
}

/// Nobody listens at the first address, or takes datagrams at the second.
pub(super) fn connectionrefusederror(args: &[&str]) -> io::Result<()> {
    let error = TcpStream::connect(args[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(error_code(&error), Some(ErrorCode::ConnectionRefused));
    let datagrams = UdpSocket::unbound(Family::Inet)?;
    datagrams.connect(args[1])?;
    datagrams.send(b"anybody?")?;
    let error = datagrams.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    Ok(())
}

/// The peer resets the connection when it has heard something.
pub(super) fn connectionreseterror(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.write_all(b"go on")?;
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(error_code(&error), Some(ErrorCode::ConnectionReset));
    assert_eq!(stream.read(&mut [0; 8])?, 0, "it is told once");
    Ok(())
}

/// Nobody listens at the address. Linux tells of an attempt that failed behind
/// the scenes once more when the next one is made.
pub(super) fn connectionabortederror(args: &[&str]) -> io::Result<()> {
    let socket = Socket::new(Family::Inet, SocketType::Stream)?;
    socket.set_nonblocking(true);
    assert_eq!(failure(socket.connect(args[0])), ErrorCode::InProgress);
    socket
        .subscribe(portcullis_guest::raw::socket::Readiness::WRITABLE)
        .block();
    assert!(socket.take_error()?.is_some());
    let error = socket.connect(args[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    assert_eq!(error_code(&error), Some(ErrorCode::ConnectionAborted));
    Ok(())
}

/// The peer reads to the end.
pub(super) fn brokenpipeerror(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.shutdown(Shutdown::Write)?;
    let error = stream.write(b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(error_code(&error), Some(ErrorCode::BrokenPipe));
    let (mut one, other) = UnixStream::pair()?;
    drop(other);
    let error = one.write(b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    Ok(())
}

/// Whatever reaches the network is denied, and says no more than what was
/// asked for.
pub(super) fn permissionerror(args: &[&str]) -> io::Result<()> {
    let (address, folder) = (args[0], args[1]);
    let path = format!("{folder}/socket");
    let datagrams = || UdpSocket::unbound(Family::Inet);
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    for (request, error) in [
        (
            format!("connect tcp://{address}"),
            TcpStream::connect(address).err(),
        ),
        (
            format!("listen tcp://{address}"),
            TcpListener::bind(address).err(),
        ),
        (
            format!("listen udp://{address}"),
            UdpSocket::bind(address).err(),
        ),
        (
            format!("connect udp://{address}"),
            datagrams()?.connect(address).err(),
        ),
        (
            format!("connect udp://{address}"),
            datagrams()?.send_to(b"x", address).err(),
        ),
        (
            "join udp://224.0.0.251:0".to_owned(),
            datagrams()?
                .join_multicast_v4(&[224, 0, 0, 251].into(), &[0, 0, 0, 0].into())
                .err(),
        ),
        (
            "connect udp://255.255.255.255:*".to_owned(),
            datagrams()?.set_broadcast(true).err(),
        ),
        (
            "resolve www.example".to_owned(),
            lookup(("www.example", port)).err(),
        ),
        (
            "resolve 1.2.0.192.in-addr.arpa".to_owned(),
            host_by_address([192, 0, 2, 1].into()).err(),
        ),
        (
            format!("connect tcp://www.example:{port}"),
            TcpStream::connect(("www.example", port)).err(),
        ),
        (
            format!("connect unix:{path}"),
            UnixStream::connect(&path).err(),
        ),
        (
            format!("listen unix:{path}"),
            UnixListener::bind(&path).err(),
        ),
        (
            format!("listen unixgram:{path}"),
            UnixDatagram::bind(&path).err(),
        ),
    ] {
        let error = error.expect("it is not granted");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{request}");
        assert_eq!(error_code(&error), Some(ErrorCode::AccessDenied));
        println!("{error}");
    }
    Ok(())
}

pub(super) fn blockingioerror(_: &[&str]) -> io::Result<()> {
    let (mut one, _other) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    let error = one.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(error_code(&error), Some(ErrorCode::WouldBlock));
    Ok(())
}
