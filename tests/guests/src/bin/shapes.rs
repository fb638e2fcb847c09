//! What a guest does with the types that look like those of `std`, `socket2` and
//! `polling`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test guest fails by trapping"
)]

use std::io::{self, Cursor, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_guest::raw::wasi_poll::poll;
use portcullis_guest::{
    ErrorCode, Event, Events, Family, Network, Poller, SockAddr, Socket, SocketBuilder, SocketType,
    TcpKeepalive, TcpListener, TcpStream, UdpSocket, UnixAddr, UnixDatagram, UnixListener,
    UnixStream, error_code,
};
use portcullis_test_guests::behaviours;
use wasip2::clocks::monotonic_clock;

behaviours! {
    a_builder_chooses_the_families_of_a_listener,
    a_builder_prepares_each_socket,
    a_datagram_socket_has_the_options_of_std,
    a_datagram_socket_has_one_peer,
    a_datagram_tells_what_did_not_fit,
    a_file_is_sent,
    a_group_is_joined_and_left,
    a_network_with_less_opens_sockets_that_do_less,
    a_poller_tells_which_socket_is_ready,
    a_poller_tells_no_more_than_there_is_room_for,
    a_poller_waits_next_to_a_clock,
    an_abstract_name_is_an_address,
    buffers_are_gathered_and_scattered,
    datagrams_go_in_batches,
    datagrams_have_unix_addresses,
    options_are_named_as_in_socket2,
    packets_in_sequence_keep_their_bounds,
    unix_streams_have_addresses,
    urgent_data_goes_ahead,
    whoever_writes_is_answered,
}

/// Says where it is, answers one datagram.
fn whoever_writes_is_answered(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::bind(args[0])?;
    println!("{}", socket.local_addr()?);
    let mut buffer = [0; 16];
    let (length, visitor) = socket.peek_from(&mut buffer)?;
    assert_eq!(&buffer[..length], b"ping");
    assert_eq!(socket.recv_from(&mut buffer)?, (length, visitor));
    assert_eq!(socket.send_to(b"pong", visitor)?, 4);
    socket.set_nonblocking(true)?;
    let empty = socket.recv_from(&mut buffer).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    Ok(())
}

/// The peer answers `ping` with `pong`.
fn a_datagram_socket_has_one_peer(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    let alone = socket.send(b"to nobody").unwrap_err();
    assert_eq!(
        error_code(&alone),
        Some(ErrorCode::DestinationAddressRequired)
    );
    assert_eq!(
        socket.peer_addr().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    socket.connect(args[0])?;
    assert_eq!(socket.peer_addr()?.to_string(), args[0]);
    socket.send(b"ping")?;
    let mut answer = [0; 8];
    assert_eq!(socket.peek(&mut answer)?, 4);
    assert_eq!(socket.recv(&mut answer)?, 4);
    assert_eq!(&answer[..4], b"pong");
    socket.set_read_timeout(Some(Duration::from_millis(10)))?;
    assert_eq!(
        socket.recv(&mut answer).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let zero = socket.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    Ok(())
}

fn a_datagram_tells_what_did_not_fit(_: &[&str]) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    one.send(b"0123456789")?;
    one.send(b"0123")?;
    let cut = other.recv_datagram(4)?;
    assert_eq!((cut.data.as_slice(), cut.length), (&b"0123"[..], 10));
    assert!(cut.is_truncated());
    assert!(cut.source.is_unnamed());
    let whole = other.recv_datagram(4)?;
    assert_eq!((whole.data.as_slice(), whole.length), (&b"0123"[..], 4));
    assert!(!whole.is_truncated());
    Ok(())
}

/// The peer sends back each datagram that it receives.
fn datagrams_go_in_batches(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    let sent = socket.send_many_to(&[("one", args[0]), ("two", args[0])])?;
    assert_eq!(sent, 2);
    socket.connect(args[0])?;
    assert_eq!(socket.send_many(&["three"])?, 1);
    let mut received = Vec::new();
    while received.len() < 3 {
        received.extend(socket.recv_many(8, 4)?);
    }
    let texts: Vec<&[u8]> = received.iter().map(|datagram| &*datagram.data).collect();
    assert_eq!(texts, [&b"one"[..], b"two", b"thre"]);
    assert!(received[2].is_truncated());
    assert_eq!(received[2].source.to_string(), args[0]);
    Ok(())
}

fn a_datagram_socket_has_the_options_of_std(_: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.set_ttl(7)?;
    assert_eq!(socket.ttl()?, 7);
    assert_eq!(
        socket.set_ttl(256).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    socket.set_multicast_ttl_v4(3)?;
    assert_eq!(socket.multicast_ttl_v4()?, 3);
    socket.set_multicast_loop_v4(false)?;
    assert!(!socket.multicast_loop_v4()?);
    assert_eq!(
        socket.multicast_loop_v6().unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert!(!socket.broadcast()?);
    // It widens reach, and nothing is granted.
    assert_eq!(
        socket.set_broadcast(true).unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    assert!(socket.take_error()?.is_none());
    let socket = UdpSocket::unbound(Family::Inet6)?;
    socket.set_multicast_loop_v6(false)?;
    assert!(!socket.multicast_loop_v6()?);
    assert_eq!(
        socket.set_multicast_ttl_v4(3).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    Ok(())
}

/// The group that is granted, and one that is not. Loopback is interface 1.
fn a_group_is_joined_and_left(args: &[&str]) -> io::Result<()> {
    let [granted, denied]: [Ipv4Addr; 2] = [args[0].parse().unwrap(), args[1].parse().unwrap()];
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.join_multicast_v4_n(&granted, 1)?;
    socket.leave_multicast_v4_n(&granted, 1)?;
    assert_eq!(
        socket.leave_multicast_v4_n(&granted, 1).unwrap_err().kind(),
        ErrorKind::AddrNotAvailable
    );
    assert_eq!(
        socket.join_multicast_v4_n(&denied, 1).unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    let by_address = socket.join_multicast_v4(&granted, &Ipv4Addr::LOCALHOST);
    assert_eq!(by_address.unwrap_err().kind(), ErrorKind::InvalidInput);
    Ok(())
}

fn a_network_with_less_opens_sockets_that_do_less(args: &[&str]) -> io::Result<()> {
    let nothing = Network::default().attenuate(&[])?;
    let refused = [
        TcpStream::connect_in(&nothing, args[0]).map(|_| ()),
        TcpListener::bind_in(&nothing, "127.0.0.1:0").map(|_| ()),
        UdpSocket::bind_in(&nothing, "127.0.0.1:0").map(|_| ()),
        UdpSocket::unbound_in(&nothing, Family::Inet)?
            .send_to(b"?", "127.0.0.1:9")
            .map(|_| ()),
        UnixStream::connect_addr_in(&nothing, &abstract_name("nobody")?).map(|_| ()),
        UnixListener::bind_addr_in(&nothing, &abstract_name("nobody")?).map(|_| ()),
        UnixDatagram::bind_addr_in(&nothing, &abstract_name("nobody")?).map(|_| ()),
        UnixDatagram::unbound_in(&nothing)?
            .send_to_addr(b"?", &abstract_name("nobody")?)
            .map(|_| ()),
    ];
    for outcome in refused {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    // What the program was granted is as it was.
    TcpStream::connect(args[0])?;
    Ok(())
}

fn unix_streams_have_addresses(args: &[&str]) -> io::Result<()> {
    let path = Path::new(args[0]);
    let listener = UnixListener::bind(path)?;
    assert_eq!(listener.local_addr()?.as_pathname(), Some(path));
    let mut client = UnixStream::connect(path)?;
    let (mut visitor, peer) = listener.accept()?;
    assert!(peer.is_unnamed());
    assert_eq!(client.peer_addr()?.as_pathname(), Some(path));
    assert!(client.local_addr()?.is_unnamed());
    client.write_all(b"hello")?;
    drop(client);
    let mut heard = String::new();
    visitor.read_to_string(&mut heard)?;
    assert_eq!(heard, "hello");
    let other = UnixStream::connect(path.with_extension("other")).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::PermissionDenied);
    Ok(())
}

fn abstract_name(name: &str) -> io::Result<UnixAddr> {
    UnixAddr::from_abstract_name(name)
}

fn an_abstract_name_is_an_address(args: &[&str]) -> io::Result<()> {
    let address = abstract_name(args[0])?;
    let listener = UnixListener::bind_addr(&address)?;
    assert_eq!(listener.local_addr()?, address);
    let client = UnixStream::connect_addr(&address)?;
    listener.accept()?;
    assert_eq!(
        client.as_socket().peer_addr()?,
        SockAddr::Unix(address.clone())
    );
    let other = abstract_name("somebody-else")?;
    assert_eq!(
        UnixStream::connect_addr(&other).unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
    Ok(())
}

fn datagrams_have_unix_addresses(args: &[&str]) -> io::Result<()> {
    let (here, there) = (Path::new(args[0]), Path::new(args[1]));
    let one = UnixDatagram::bind(here)?;
    let other = UnixDatagram::bind(there)?;
    one.send_to(b"ping", there)?;
    let mut buffer = [0; 8];
    let (length, source) = other.recv_from(&mut buffer)?;
    assert_eq!(&buffer[..length], b"ping");
    assert_eq!(source.as_pathname(), Some(here));
    other.connect(here)?;
    other.send(b"pong")?;
    assert_eq!(one.recv(&mut buffer)?, 4);
    let unbound = UnixDatagram::unbound()?;
    unbound.send_to(b"who is it?", here)?;
    let (_, source) = one.recv_from(&mut buffer)?;
    assert!(source.is_unnamed());
    Ok(())
}

fn packets_in_sequence_keep_their_bounds(_: &[&str]) -> io::Result<()> {
    let (one, other) = Socket::pair(Family::Unix, SocketType::Seqpacket)?;
    one.send(b"one")?;
    one.send(b"and two")?;
    let mut packet = [0; 16];
    assert_eq!(other.recv(&mut packet)?, 3);
    assert_eq!(other.recv(&mut packet)?, 7);
    assert_eq!(other.r#type()?, SocketType::Seqpacket);
    assert_eq!(other.domain()?, Family::Unix);
    Ok(())
}

fn options_are_named_as_in_socket2(_: &[&str]) -> io::Result<()> {
    let socket = Socket::new(Family::Inet, SocketType::Stream)?;
    assert_eq!(socket.domain()?, Family::Inet);
    assert_eq!(socket.r#type()?, SocketType::Stream);
    assert_eq!(socket.protocol()?, 6);
    assert!(!socket.is_listener()?);
    socket.set_reuse_address(true)?;
    assert!(socket.reuse_address()?);
    socket.set_tcp_nodelay(true)?;
    assert!(socket.tcp_nodelay()?);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(11))
        .with_interval(Duration::from_secs(5))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    assert!(socket.keepalive()?);
    assert_eq!(socket.tcp_keepalive_time()?, Duration::from_secs(11));
    assert_eq!(socket.tcp_keepalive_interval()?, Duration::from_secs(5));
    assert_eq!(socket.tcp_keepalive_retries()?, 3);
    socket.set_tcp_user_timeout(Duration::from_millis(1500))?;
    assert_eq!(socket.tcp_user_timeout()?, Duration::from_millis(1500));
    socket.set_linger(Some(Duration::ZERO))?;
    assert_eq!(socket.linger()?, Some(Duration::ZERO));
    socket.set_recv_buffer_size(16384)?;
    assert_eq!(socket.recv_buffer_size()?, 32768, "Linux doubles it");
    socket.set_tos(0x10)?;
    assert_eq!(socket.tos()?, 0x10);
    socket.set_write_timeout(Some(Duration::from_secs(1)))?;
    assert_eq!(socket.write_timeout()?, Some(Duration::from_secs(1)));
    assert_eq!(socket.only_v6().unwrap_err().kind(), ErrorKind::Unsupported);
    Ok(())
}

/// Both ends of a connection.
fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    Ok((client, server))
}

fn buffers_are_gathered_and_scattered(_: &[&str]) -> io::Result<()> {
    let (mut one, mut other) = UnixStream::pair()?;
    let parts = [IoSlice::new(b"one "), IoSlice::new(b"message")];
    assert_eq!(one.write_vectored(&parts)?, 11);
    let (mut head, mut tail) = ([0; 3], [0; 16]);
    let mut buffers = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    assert_eq!(other.read_vectored(&mut buffers)?, 11);
    assert_eq!(&head, b"one");
    assert_eq!(&tail[..8], b" message");

    let (one, other) = UnixDatagram::pair()?;
    one.as_socket().send_vectored(&parts)?;
    let mut buffers = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    let (length, _) = other.as_socket().recv_from_vectored(&mut buffers)?;
    assert_eq!(length, 11);
    Ok(())
}

fn a_file_is_sent(_: &[&str]) -> io::Result<()> {
    let (one, mut other) = UnixStream::pair()?;
    let mut file = Cursor::new(b"a header, and what comes after it");
    let sent = one.as_socket().send_file(&mut file, 10, Some(8))?;
    assert_eq!((sent, file.position()), (8, 18));
    drop(one);
    let mut received = String::new();
    other.read_to_string(&mut received)?;
    assert_eq!(received, "and what");
    Ok(())
}

fn urgent_data_goes_ahead(_: &[&str]) -> io::Result<()> {
    let (client, server) = connection()?;
    let poller = Poller::new()?;
    let urgent = Event {
        urgent: true,
        ..Event::none(1)
    };
    poller.add(&server, urgent)?;
    client.as_socket().send_all(b"calm")?;
    client.as_socket().send_out_of_band(b"!")?;
    let mut events = Events::new();
    assert_eq!(poller.wait(&mut events, None)?, 1);
    assert!(events.iter().all(|event| event.urgent && event.key == 1));
    let mut byte = [0];
    assert_eq!(server.as_socket().recv_out_of_band(&mut byte)?, 1);
    assert_eq!(&byte, b"!");
    let mut rest = [0; 8];
    assert_eq!(server.as_socket().recv(&mut rest)?, 4);
    assert_eq!(&rest[..4], b"calm");
    Ok(())
}

fn a_builder_chooses_the_families_of_a_listener(_: &[&str]) -> io::Result<()> {
    // The port that one of them gets is free for IPv4, but for other tests.
    for attempt in 0.. {
        let ipv6 = SocketBuilder::stream()
            .dual_stack(false)
            .listen((Ipv6Addr::UNSPECIFIED, 0))?;
        assert!(ipv6.only_v6()?);
        assert!(ipv6.is_listener()?);
        let port = ipv6.local_addr()?.as_socket().unwrap().port();
        match SocketBuilder::stream().listen((Ipv4Addr::UNSPECIFIED, port)) {
            Ok(_) => break,
            Err(taken) if attempt < 20 => assert_eq!(taken.kind(), ErrorKind::AddrInUse),
            Err(error) => return Err(error),
        }
    }
    let both = SocketBuilder::stream().listen(":0")?;
    assert_eq!(both.domain()?, Family::Inet6);
    assert!(!both.only_v6()?);
    let port = both.local_addr()?.as_socket().unwrap().port();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    TcpStream::connect((Ipv6Addr::LOCALHOST, port))?;
    Ok(())
}

fn a_builder_prepares_each_socket(args: &[&str]) -> io::Result<()> {
    let socket = SocketBuilder::stream()
        .timeout(Duration::from_secs(10))
        .source(args[0])?
        .configure(|socket| socket.set_tcp_nodelay(true))
        .connect(args[1])?;
    assert!(socket.tcp_nodelay()?);
    assert_eq!(socket.timeout(), None, "it counts for the connect alone");
    println!("{}", socket.local_addr()?);
    let other_family = SocketBuilder::stream().source("[::1]:0")?.connect(args[1]);
    assert_eq!(
        other_family.unwrap_err().kind(),
        ErrorKind::AddrNotAvailable
    );
    let failing = SocketBuilder::stream().configure(|_| Err(ErrorKind::Other.into()));
    assert_eq!(
        failing.connect(args[1]).unwrap_err().kind(),
        ErrorKind::Other
    );
    Ok(())
}

fn a_poller_tells_which_socket_is_ready(_: &[&str]) -> io::Result<()> {
    let poller = Poller::new()?;
    let mut events = Events::new();
    let now = Some(Duration::ZERO);
    let pairs: Vec<_> = (0..3).map(|_| UnixStream::pair().unwrap()).collect();
    for (key, (one, _)) in (10..).zip(&pairs) {
        poller.add(one, Event::readable(key))?;
    }
    assert_eq!(
        poller.add(&pairs[0].0, Event::all(9)).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    let begin = Instant::now();
    let pause = Duration::from_millis(20);
    assert_eq!(poller.wait(&mut events, Some(pause))?, 0);
    assert!(begin.elapsed() >= pause);

    let (one, other) = &pairs[1];
    other.as_socket().send_all(b"here")?;
    for _ in 0..2 {
        // It is told for as long as it is so.
        poller.wait(&mut events, None)?;
        assert_eq!(events.iter().collect::<Vec<_>>(), [&Event::readable(11)]);
    }
    poller.modify(one, Event::writable(21))?;
    poller.wait(&mut events, None)?;
    assert_eq!(events.iter().collect::<Vec<_>>(), [&Event::writable(21)]);
    poller.modify(one, Event::none(21))?;
    assert_eq!(poller.wait(&mut events, now)?, 0);
    assert!(events.is_empty());

    poller.modify(one, Event::readable(21))?;
    poller.delete(one)?;
    assert_eq!(poller.wait(&mut events, now)?, 0);
    for outcome in [poller.delete(one), poller.modify(one, Event::none(1))] {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound);
    }
    // One that hangs up is told of whatever was asked for, and gone once it is
    // closed.
    let (one, other) = pairs.into_iter().next().unwrap();
    poller.modify(&one, Event::none(10))?;
    drop(other);
    poller.wait(&mut events, None)?;
    assert!(events.iter().all(|event| event.key == 10 && event.hung_up));
    drop(one);
    assert_eq!(poller.wait(&mut events, now)?, 0);
    Ok(())
}

fn a_poller_tells_no_more_than_there_is_room_for(_: &[&str]) -> io::Result<()> {
    let poller = Poller::new()?;
    let pairs: Vec<_> = (0..5).map(|_| UnixStream::pair().unwrap()).collect();
    for (key, (one, _)) in (0..).zip(&pairs) {
        poller.add(one, Event::writable(key))?;
    }
    let mut events = Events::with_capacity(NonZeroU32::new(2).unwrap());
    let mut seen = [0; 5];
    for _ in 0..10 {
        assert_eq!(poller.wait(&mut events, None)?, 2);
        for event in &events {
            seen[usize::try_from(event.key).unwrap()] += 1;
        }
    }
    assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
    Ok(())
}

fn a_poller_waits_next_to_a_clock(_: &[&str]) -> io::Result<()> {
    let poller = Poller::new()?;
    let (one, other) = UnixStream::pair()?;
    poller.add(&one, Event::readable(1))?;
    let sockets = poller.subscribe();
    let clock = monotonic_clock::subscribe_duration(10_000_000);
    assert_eq!(poll(&[&clock, &sockets]), [0]);
    other.as_socket().send_all(b"!")?;
    let late = monotonic_clock::subscribe_duration(60_000_000_000);
    assert_eq!(poll(&[&late, &sockets]), [1]);
    let mut events = Events::new();
    assert_eq!(poller.wait(&mut events, Some(Duration::ZERO))?, 1);
    Ok(())
}
