//! Chapter "Options".

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use portcullis_guest::raw::socket::{OptionName, OptionValue};
use portcullis_guest::{
    ErrorCode, Family, ReceiveFlags, Socket, SocketBuilder, SocketType, TcpKeepalive, TcpListener,
    TcpStream, UdpSocket, UnixStream, error_code,
};
use portcullis_test_guests::failure;

const A_WHILE: Duration = Duration::from_millis(100);

fn stream() -> io::Result<Socket> {
    Socket::new(Family::Inet, SocketType::Stream)
}

fn datagrams(family: Family) -> io::Result<Socket> {
    Socket::new(family, SocketType::Datagram)
}

/// A visitor comes to the address, and the guest hangs up first: the address
/// stays in use for a while (`TIME_WAIT`).
pub(super) fn so_reuseaddr(args: &[&str]) -> io::Result<()> {
    let first = stream()?;
    assert!(!first.reuse_address()?);
    first.set_reuse_address(true)?;
    first.bind(args[0])?;
    first.listen(None)?;
    let address = first.local_addr()?.as_socket().unwrap();
    println!("{address}");
    let (connection, _) = first.accept()?;
    connection.shutdown(std::net::Shutdown::Write)?;
    assert_eq!(connection.recv(&mut [0; 1])?, 0);
    drop((connection, first));
    let without = stream()?;
    assert_eq!(failure(without.bind(address)), ErrorCode::AddressInUse);
    let with = stream()?;
    with.set_reuse_address(true)?;
    assert!(with.reuse_address()?);
    with.bind(address)
}

/// Answers, by each way to receive and to send, those who wrote to one of its
/// addresses.
fn answer_as_asked(family: Family, local: &str) -> io::Result<()> {
    let socket = datagrams(family)?;
    assert!(!socket.answer_as_asked()?);
    socket.set_answer_as_asked(true)?;
    assert!(socket.answer_as_asked()?);
    socket.bind(local)?;
    println!("{}", socket.local_addr()?);
    let mut question = [0; 16];
    let (length, peer) = socket.recv_from(&mut question)?;
    socket.send_to(&question[..length], &peer)?;
    let many = socket.recv_many(1, 16)?;
    socket.connect(&many[0].source)?;
    socket.send(&many[0].data)?;
    Ok(())
}

pub(super) fn ip_pktinfo(args: &[&str]) -> io::Result<()> {
    answer_as_asked(Family::Inet, args[0])
}

pub(super) fn ipv6_recvpktinfo(args: &[&str]) -> io::Result<()> {
    answer_as_asked(Family::Inet6, args[0])
}

pub(super) fn so_reuseport(args: &[&str]) -> io::Result<()> {
    let sharing = |address: SocketAddr| {
        SocketBuilder::stream()
            .configure(|socket| socket.set_reuse_port(true))
            .listen(address)
    };
    let one = sharing(args[0].parse().unwrap())?;
    let address = one.local_addr()?.as_socket().unwrap();
    let other = sharing(address)?;
    assert_eq!(other.local_addr()?, one.local_addr()?);
    let without = SocketBuilder::stream().listen(address);
    assert_eq!(failure(without), ErrorCode::AddressInUse);
    // Whoever comes is with one of them.
    for listener in [&one, &other] {
        listener.set_nonblocking(true);
    }
    let mut waiting = 100;
    let visitors: io::Result<Vec<_>> = (0..waiting).map(|_| TcpStream::connect(address)).collect();
    for listener in [&one, &other] {
        while listener.accept().is_ok() {
            waiting -= 1;
        }
    }
    assert_eq!(waiting, 0);
    drop(visitors?);
    Ok(())
}

/// Prints where it is; the peer looks at the timer of its connection, and closes.
pub(super) fn so_keepalive(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    assert!(!socket.keepalive()?);
    if args[1] == "on" {
        socket.set_keepalive(true)?;
        assert!(socket.keepalive()?);
    }
    println!("{}", stream.local_addr()?);
    assert_eq!(socket.recv(&mut [0; 1])?, 0);
    Ok(())
}

/// The same with the time until the first probe.
pub(super) fn tcp_keepidle(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let idle = Duration::from_secs(args[1].parse().unwrap());
    let keepalive = TcpKeepalive::new().with_time(idle);
    stream.as_socket().set_tcp_keepalive(&keepalive)?;
    assert_eq!(stream.as_socket().tcp_keepalive_time()?, idle);
    println!("{}", stream.local_addr()?);
    assert_eq!(stream.as_socket().recv(&mut [0; 1])?, 0);
    let zero = stream.as_socket().set_tcp_keepalive_time(Duration::ZERO);
    assert_eq!(failure(zero), ErrorCode::InvalidArgument);
    Ok(())
}

pub(super) fn tcp_keepintvl(_: &[&str]) -> io::Result<()> {
    let socket = stream()?;
    let usual = socket.tcp_keepalive_interval()?;
    let keepalive = TcpKeepalive::new().with_interval(Duration::from_secs(7));
    socket.set_tcp_keepalive(&keepalive)?;
    assert!(socket.keepalive()?);
    assert_ne!(usual, Duration::from_secs(7));
    assert_eq!(socket.tcp_keepalive_interval()?, Duration::from_secs(7));
    let zero = socket.set_tcp_keepalive_interval(Duration::ZERO);
    assert_eq!(failure(zero), ErrorCode::InvalidArgument);
    Ok(())
}

pub(super) fn tcp_keepcnt(_: &[&str]) -> io::Result<()> {
    let socket = stream()?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_retries(3))?;
    assert!(socket.keepalive()?);
    assert_eq!(socket.tcp_keepalive_retries()?, 3);
    for impossible in [0, 128] {
        let count = socket.set_tcp_keepalive_retries(impossible);
        assert_eq!(failure(count), ErrorCode::InvalidArgument);
    }
    Ok(())
}

/// Whoever is on the machine hears the second datagram, and not the first.
pub(super) fn so_broadcast(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.set_broadcast(true)?;
    assert!(socket.broadcast()?);
    socket.set_broadcast(false)?;
    let forbidden = socket.send_to(b"unheard", args[0]);
    assert_eq!(failure(forbidden), ErrorCode::AccessDenied, "by the OS");
    socket.set_broadcast(true)?;
    assert_eq!(socket.send_to(b"everybody", args[0])?, 9);
    Ok(())
}

/// The first peer is reset; the second one reads to the end.
pub(super) fn so_linger(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    assert_eq!(socket.linger()?, None);
    socket.set_linger(Some(Duration::ZERO))?;
    assert_eq!(socket.linger()?, Some(Duration::ZERO));
    stream.write_all(b"x")?;
    // The peer is there, and waits.
    stream.read_exact(&mut [0; 1])?;
    drop(stream);

    let mut stream = TcpStream::connect(args[1])?;
    let time = Some(Duration::from_secs(30));
    stream.as_socket().set_linger(time)?;
    assert_eq!(stream.as_socket().linger()?, time);
    stream.write_all(b"all of it")?;
    let begin = Instant::now();
    drop(stream);
    assert!(begin.elapsed() < Duration::from_secs(20));
    Ok(())
}

/// Datagrams that there is no room for are lost.
pub(super) fn so_rcvbuf(_: &[&str]) -> io::Result<()> {
    let held = |bytes| {
        let receiver = UdpSocket::bind("127.0.0.1:0")?;
        receiver.as_socket().set_recv_buffer_size(bytes)?;
        let is = receiver.as_socket().recv_buffer_size()?;
        let sender = UdpSocket::unbound(Family::Inet)?;
        for _ in 0..64 {
            sender.send_to(&[0; 512], receiver.local_addr()?)?;
        }
        receiver.set_nonblocking(true)?;
        let mut count = 0;
        while receiver.recv(&mut [0; 512]).is_ok() {
            count += 1;
        }
        io::Result::Ok((is, count))
    };
    let (small, few) = held(4096)?;
    let (large, all) = held(131_072)?;
    assert_eq!((small, large), (8192, 262_144), "Linux doubles it");
    assert_eq!(all, 64);
    assert!(few > 0 && few < 16, "{few}");
    Ok(())
}

pub(super) fn so_sndbuf(_: &[&str]) -> io::Result<()> {
    let room = |bytes| {
        let (one, _other) = UnixStream::pair()?;
        one.as_socket().set_send_buffer_size(bytes)?;
        let is = one.as_socket().send_buffer_size()?;
        one.set_nonblocking(true)?;
        let mut total = 0;
        while let Ok(taken) = (&one).write(&[0; 1024]) {
            total += taken;
        }
        io::Result::Ok((is, total))
    };
    let (small, little) = room(8192)?;
    let (large, much) = room(131_072)?;
    assert_eq!((small, large), (16384, 262_144), "Linux doubles it");
    assert!(little > 0 && little <= 16384, "{little}");
    assert!(much > 4 * little, "{much}");
    Ok(())
}

pub(super) fn so_rcvtimeo(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    assert_eq!(stream.read_timeout()?, None);
    stream.set_read_timeout(Some(A_WHILE))?;
    assert_eq!(stream.read_timeout()?, Some(A_WHILE));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.as_socket().set_read_timeout(Some(A_WHILE))?;
    for attempt in [
        || failure_after(|stream, _| stream.recv(&mut [0; 1])),
        || failure_after(|_, listener| listener.accept().map(|_| 0)),
    ] {
        let begin = Instant::now();
        let would_block = attempt()(stream.as_socket(), listener.as_socket());
        assert_eq!(would_block, ErrorCode::WouldBlock, "not that it timed out");
        assert!(begin.elapsed() >= A_WHILE);
    }
    // The handle's own timeout is another one, and the sooner counts.
    stream.as_socket().set_timeout(Some(A_WHILE / 2));
    let sooner = stream.as_socket().recv(&mut [0; 1]);
    assert_eq!(failure(sooner), ErrorCode::TimedOut);
    let zero = stream.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    stream.set_read_timeout(None)?;
    assert_eq!(stream.read_timeout()?, None);
    Ok(())
}

type Attempt = fn(&Socket, &Socket) -> io::Result<usize>;

fn failure_after(attempt: Attempt) -> impl Fn(&Socket, &Socket) -> ErrorCode {
    move |one, other| failure(attempt(one, other))
}

/// The first peer reads nothing, the second one's queue is full.
pub(super) fn so_sndtimeo(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    stream.set_write_timeout(Some(A_WHILE))?;
    assert_eq!(stream.write_timeout()?, Some(A_WHILE));
    let mut last = Instant::now();
    let error = loop {
        match stream.as_socket().send(&[0; 65536]) {
            Ok(_) => last = Instant::now(),
            Err(error) => break error,
        }
    };
    assert_eq!(error_code(&error), Some(ErrorCode::WouldBlock));
    assert!(last.elapsed() >= A_WHILE);
    let socket = self::stream()?;
    socket.set_write_timeout(Some(A_WHILE))?;
    let begin = Instant::now();
    assert_eq!(failure(socket.connect(args[1])), ErrorCode::InProgress);
    assert!(begin.elapsed() >= A_WHILE);
    Ok(())
}

/// Nobody is at the address.
pub(super) fn so_error(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.connect(args[0])?;
    assert!(socket.take_error()?.is_none());
    socket.send(b"anybody?")?;
    let error = socket.take_error()?.unwrap();
    assert_eq!(error_code(&error), Some(ErrorCode::ConnectionRefused));
    assert!(socket.take_error()?.is_none(), "it is taken");
    // Whatever comes next tells it, too, where nobody asked.
    socket.send(b"anybody?")?;
    assert_eq!(failure(socket.send(b"?")), ErrorCode::ConnectionRefused);
    Ok(())
}

/// Checks that an option can be read and not set.
fn read_only(value: OptionValue) -> io::Result<()> {
    let set = stream()?.set_option(value);
    assert_eq!(failure(set), ErrorCode::OptionNotSupported);
    Ok(())
}

pub(super) fn so_type(_: &[&str]) -> io::Result<()> {
    for socket_type in [
        SocketType::Stream,
        SocketType::Datagram,
        SocketType::Seqpacket,
    ] {
        let socket = Socket::new(Family::Unix, socket_type)?;
        assert_eq!(socket.r#type()?, socket_type);
    }
    read_only(OptionValue::SocketType(SocketType::Stream))
}

pub(super) fn so_domain(_: &[&str]) -> io::Result<()> {
    for family in [Family::Inet, Family::Inet6, Family::Unix] {
        let socket = Socket::new(family, SocketType::Datagram)?;
        assert_eq!(socket.domain()?, family);
    }
    read_only(OptionValue::Domain(Family::Inet))
}

pub(super) fn so_protocol(_: &[&str]) -> io::Result<()> {
    assert_eq!(stream()?.protocol()?, 6);
    assert_eq!(datagrams(Family::Inet)?.protocol()?, 17);
    assert_eq!(datagrams(Family::Unix)?.protocol()?, 0);
    read_only(OptionValue::Protocol(6))
}

pub(super) fn so_acceptconn(args: &[&str]) -> io::Result<()> {
    let socket = stream()?;
    assert!(!socket.is_listener()?);
    socket.bind(args[0])?;
    assert!(!socket.is_listener()?);
    socket.listen(None)?;
    assert!(socket.is_listener()?);
    read_only(OptionValue::AcceptingConnections(true))
}

/// The peer sends `before`, urgently `!`, and `after`.
pub(super) fn so_oobinline(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    assert!(!socket.out_of_band_inline()?);
    socket.set_out_of_band_inline(true)?;
    assert!(socket.out_of_band_inline()?);
    socket.send_all(b"go")?;
    let mut heard = String::new();
    (&stream).read_to_string(&mut heard)?;
    assert_eq!(heard, "before!after");
    Ok(())
}

/// The peer answers `now` when it hears that the option is set, and so on.
pub(super) fn tcp_nodelay(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    assert!(!stream.nodelay()?, "small packets are gathered");
    stream.set_nodelay(true)?;
    assert!(stream.nodelay()?);
    assert!(stream.as_socket().try_clone()?.tcp_nodelay()?);
    stream.set_nodelay(false)?;
    assert!(!stream.nodelay()?);
    let unix = Socket::new(Family::Unix, SocketType::Stream)?;
    assert!(unix.set_tcp_nodelay(true).is_err());
    Ok(())
}

/// The peer's queue is full, so that nothing is acknowledged.
pub(super) fn tcp_user_timeout(args: &[&str]) -> io::Result<()> {
    let socket = stream()?;
    assert_eq!(socket.tcp_user_timeout()?, Duration::ZERO);
    let time = Duration::from_millis(700);
    socket.set_tcp_user_timeout(time)?;
    assert_eq!(socket.tcp_user_timeout()?, time);
    let begin = Instant::now();
    assert_eq!(failure(socket.connect(args[0])), ErrorCode::TimedOut);
    assert!(begin.elapsed() >= time, "{:?}", begin.elapsed());
    Ok(())
}

/// The peer sends back the size of the segments that it may send.
pub(super) fn tcp_maxseg(args: &[&str]) -> io::Result<()> {
    let socket = stream()?;
    socket.set_tcp_mss(700)?;
    assert_eq!(socket.tcp_mss()?, 700);
    socket.connect(args[0])?;
    assert!(socket.tcp_mss()? <= 700);
    let mut size = String::new();
    TcpStream::from(socket).read_to_string(&mut size)?;
    assert!(size.parse::<u32>().unwrap() <= 700, "{size}");
    let too_small = stream()?.set_tcp_mss(1);
    assert_eq!(failure(too_small), ErrorCode::InvalidArgument);
    Ok(())
}

/// The peer says how many routers the datagrams might have passed.
pub(super) fn ip_ttl(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    assert_eq!(socket.ttl()?, 64);
    socket.set_ttl(42)?;
    assert_eq!(socket.ttl()?, 42);
    socket.send_to(b"x", args[0])?;
    let zero = socket.set_ttl(0);
    assert_eq!(failure(zero), ErrorCode::InvalidArgument);
    let too_many = socket.set_ttl(256).unwrap_err();
    assert_eq!(too_many.kind(), ErrorKind::InvalidInput);
    Ok(())
}

pub(super) fn ipv6_unicast_hops(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet6)?;
    assert_eq!(socket.ttl()?, 64);
    socket.set_ttl(42)?;
    assert_eq!(socket.ttl()?, 42);
    socket.send_to(b"x", args[0])?;
    let zero = socket.set_ttl(0);
    assert_eq!(failure(zero), ErrorCode::InvalidArgument);
    Ok(())
}

/// The peer says which class the datagrams have.
pub(super) fn ip_tos(args: &[&str]) -> io::Result<()> {
    class_of_datagrams(Family::Inet, args[0])
}

pub(super) fn ipv6_tclass(args: &[&str]) -> io::Result<()> {
    class_of_datagrams(Family::Inet6, args[0])
}

fn class_of_datagrams(family: Family, address: &str) -> io::Result<()> {
    let socket = datagrams(family)?;
    assert_eq!(socket.tos()?, 0);
    socket.set_tos(0x48)?;
    assert_eq!(socket.tos()?, 0x48);
    socket.send_to(b"x", address)?;
    Ok(())
}

/// Listens on every IPv6 address, and serves a visitor.
pub(super) fn ipv6_v6only(args: &[&str]) -> io::Result<()> {
    let socket = Socket::new(Family::Inet6, SocketType::Stream)?;
    assert!(!socket.only_v6()?, "IPv4 comes along");
    socket.set_only_v6(args[0] == "only")?;
    assert_eq!(socket.only_v6()?, args[0] == "only");
    socket.bind((Ipv6Addr::UNSPECIFIED, 0))?;
    let too_late = socket.set_only_v6(false);
    assert_eq!(failure(too_late), ErrorCode::InvalidArgument, "it is bound");
    socket.listen(None)?;
    println!("{}", socket.local_addr()?);
    let (connection, peer) = socket.accept()?;
    connection.send_all(peer.to_string().as_bytes())?;
    let inet = stream()?;
    assert_eq!(failure(inet.only_v6()), ErrorCode::OptionNotSupported);
    let set = inet.set_only_v6(true);
    assert_eq!(failure(set), ErrorCode::OptionNotSupported);
    Ok(())
}

/// The interface of loopback, which is the first on every Linux machine.
const LOOPBACK: u32 = 1;

/// Sends to a group on loopback. Linux has a route to those of IPv4 there; of
/// IPv6, it says that there is none.
fn send_on_loopback(socket: &Socket, data: &[u8], group: &str) -> io::Result<()> {
    match (socket.domain()?, socket.send_to(data, group)) {
        (_, Ok(sent)) => assert_eq!(sent, data.len()),
        (Family::Inet6, Err(error)) if error.kind() == ErrorKind::NetworkUnreachable => {}
        (_, Err(error)) => return Err(error),
    }
    Ok(())
}

/// Native members hear it, and say how many routers it might have passed.
fn multicast_hop_limit(family: Family, group: &str) -> io::Result<()> {
    let socket = datagrams(family)?;
    assert_eq!(socket.multicast_ttl()?, 1, "not beyond the next router");
    socket.set_multicast_ttl(5)?;
    assert_eq!(socket.multicast_ttl()?, 5);
    assert_eq!(socket.ttl()?, 64, "it is for groups alone");
    socket.set_multicast_if(LOOPBACK)?;
    send_on_loopback(&socket, b"x", group)
}

pub(super) fn ip_multicast_ttl(args: &[&str]) -> io::Result<()> {
    multicast_hop_limit(Family::Inet, args[0])
}

pub(super) fn ipv6_multicast_hops(args: &[&str]) -> io::Result<()> {
    multicast_hop_limit(Family::Inet6, args[0])
}

/// On loopback everything is heard by this machine; the option is about the
/// other interfaces.
pub(super) fn ip_multicast_loop(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    assert!(
        socket.multicast_loop_v4()?,
        "this machine hears what it sends"
    );
    socket.set_multicast_loop_v4(false)?;
    assert!(!socket.multicast_loop_v4()?);
    assert_eq!(
        failure(socket.multicast_loop_v6()),
        ErrorCode::OptionNotSupported
    );
    socket.set_multicast_loop_v4(true)?;
    socket.as_socket().set_multicast_if(LOOPBACK)?;
    send_on_loopback(socket.as_socket(), b"heard", args[0])
}

pub(super) fn ipv6_multicast_loop(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet6)?;
    assert!(socket.multicast_loop_v6()?);
    socket.set_multicast_loop_v6(false)?;
    assert!(!socket.multicast_loop_v6()?);
    assert_eq!(
        failure(socket.multicast_loop_v4()),
        ErrorCode::OptionNotSupported
    );
    socket.set_multicast_loop_v6(true)?;
    socket.as_socket().set_multicast_if(LOOPBACK)?;
    send_on_loopback(socket.as_socket(), b"heard", args[0])
}

/// Native members of the group hear it by the interface that was chosen.
fn multicast_interface(family: Family, group: &str) -> io::Result<()> {
    let socket = datagrams(family)?;
    assert_eq!(socket.multicast_if()?, 0, "the OS chooses");
    socket.set_multicast_if(LOOPBACK)?;
    assert_eq!(socket.multicast_if()?, LOOPBACK);
    send_on_loopback(&socket, b"by loopback", group)?;
    let nowhere = socket.set_multicast_if(0x7fff_0000).unwrap_err();
    let code = error_code(&nowhere);
    let expected = [ErrorCode::NoSuchDevice, ErrorCode::AddressNotAvailable];
    assert!(
        code.is_some_and(|code| expected.contains(&code)),
        "{code:?}"
    );
    assert_eq!(socket.multicast_if()?, LOOPBACK);
    Ok(())
}

pub(super) fn ip_multicast_if(args: &[&str]) -> io::Result<()> {
    multicast_interface(Family::Inet, args[0])
}

pub(super) fn ipv6_multicast_if(args: &[&str]) -> io::Result<()> {
    multicast_interface(Family::Inet6, args[0])
}

/// Becomes a member, says where, and hears one datagram. Another group is not
/// granted.
fn join(local: &str, group: &str, other: &str) -> io::Result<()> {
    let socket = UdpSocket::bind(local)?;
    let (group, other): (IpAddr, IpAddr) = (group.parse().unwrap(), other.parse().unwrap());
    let socket = socket.as_socket();
    socket.join_group(group, LOOPBACK)?;
    println!("{}", socket.local_addr()?);
    let mut heard = [0; 16];
    let (length, _) = socket.recv_from(&mut heard)?;
    assert_eq!(&heard[..length], b"members");
    let again = socket.join_group(group, LOOPBACK);
    assert_eq!(failure(again), ErrorCode::AddressInUse);
    let denied = socket.join_group(other, LOOPBACK);
    assert_eq!(failure(denied), ErrorCode::AccessDenied);
    let no_group = socket.join_group(Ipv4Addr::LOCALHOST.into(), LOOPBACK);
    assert_eq!(failure(no_group), ErrorCode::InvalidArgument);
    Ok(())
}

/// Is a member no more, says where, and hears nothing.
fn leave(local: &str, group: &str) -> io::Result<()> {
    let socket = UdpSocket::bind(local)?;
    let group: IpAddr = group.parse().unwrap();
    let socket = socket.as_socket();
    let early = socket.leave_group(group, LOOPBACK);
    assert_eq!(failure(early), ErrorCode::AddressNotAvailable);
    socket.join_group(group, LOOPBACK)?;
    socket.leave_group(group, LOOPBACK)?;
    println!("{}", socket.local_addr()?);
    let mut heard = [0; 16];
    // What comes first is what was sent last, to the socket itself.
    let (length, _) = socket.recv_from(&mut heard)?;
    assert_eq!(&heard[..length], b"you alone");
    assert_eq!(
        failure(socket.recv_with_flags(&mut heard, ReceiveFlags::DONT_WAIT)),
        ErrorCode::WouldBlock
    );
    Ok(())
}

pub(super) fn ip_add_membership(args: &[&str]) -> io::Result<()> {
    join("0.0.0.0:0", args[0], args[1])
}

pub(super) fn ip_drop_membership(args: &[&str]) -> io::Result<()> {
    leave("0.0.0.0:0", args[0])
}

pub(super) fn ipv6_join_group(args: &[&str]) -> io::Result<()> {
    join("[::]:0", args[0], args[1])
}

pub(super) fn ipv6_leave_group(args: &[&str]) -> io::Result<()> {
    leave("[::]:0", args[0])
}

/// A peer on this machine, and an address beyond a router.
pub(super) fn so_dontroute(args: &[&str]) -> io::Result<()> {
    let socket = datagrams(Family::Inet)?;
    assert!(!socket.dont_route()?);
    socket.set_dont_route(true)?;
    assert!(socket.dont_route()?);
    assert_eq!(socket.send_to(b"near", args[0])?, 4);
    let far = socket.send_to(b"far", args[1]);
    assert_eq!(failure(far), ErrorCode::NetworkUnreachable);
    Ok(())
}

/// The peer sends three bytes, and three more when it is told.
pub(super) fn so_rcvlowat(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    assert_eq!(socket.recv_low_water_mark()?, 1);
    socket.set_recv_low_water_mark(6)?;
    assert_eq!(socket.recv_low_water_mark()?, 6);
    socket.set_timeout(Some(A_WHILE));
    assert_eq!(failure(socket.recv(&mut [0; 16])), ErrorCode::TimedOut);
    socket.set_timeout(None);
    socket.send_all(b"more")?;
    assert_eq!(socket.recv(&mut [0; 16])?, 6);
    Ok(())
}

/// The contract names every option; what can be wrong is the kind of socket.
pub(super) fn unknown(_: &[&str]) -> io::Result<()> {
    let unix = Socket::new(Family::Unix, SocketType::Stream)?;
    let (tcp, udp) = (stream()?, datagrams(Family::Inet)?);
    for (socket, name) in [
        (&unix, OptionName::HopLimit),
        (&unix, OptionName::MulticastLoop),
        (&unix, OptionName::NoDelay),
        (&unix, OptionName::TrafficClass),
        (&tcp, OptionName::V6Only),
        (&udp, OptionName::KeepAliveIdle),
        (&udp, OptionName::MaximumSegmentSize),
        (&udp, OptionName::NoDelay),
        (&udp, OptionName::UserTimeout),
        (&udp, OptionName::V6Only),
    ] {
        let value = socket.option(name);
        assert_eq!(failure(value), ErrorCode::OptionNotSupported, "{name:?}");
    }
    for (socket, value) in [
        (&unix, OptionValue::HopLimit(9)),
        (&unix, OptionValue::MulticastLoop(true)),
        (&unix, OptionValue::NoDelay(true)),
        (&unix, OptionValue::V6Only(true)),
        (&tcp, OptionValue::V6Only(true)),
        (&udp, OptionValue::KeepAliveIdle(1_000_000_000)),
        (&udp, OptionValue::NoDelay(true)),
        (&udp, OptionValue::UserTimeout(1_000_000)),
    ] {
        let set = socket.set_option(value);
        assert_eq!(failure(set), ErrorCode::OptionNotSupported, "{value:?}");
    }
    Ok(())
}
