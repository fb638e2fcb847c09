//! What a guest does with TCP. Each behaviour takes the addresses to use as
//! arguments.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test guest fails by trapping"
)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use portcullis_guest::raw::socket::{OptionName, OptionValue, Readiness, ReceiveFlags, SendFlags};
use portcullis_guest::{
    ErrorCode, Family, Network, Socket, SocketType, TcpListener, TcpStream, error_code,
};
use portcullis_test_guests::behaviours;

behaviours! {
    accept_hands_out_connections_until_the_last,
    accept_times_out,
    addresses_are_told,
    bind_chooses_the_source_address,
    connect_by_name_falls_back_to_the_other_family,
    connect_in_progress_ends_in_readiness,
    connect_in_progress_is_refused,
    connect_can_be_repeated_after_a_refusal,
    connect_times_out,
    connect_to_a_closed_port_is_refused,
    data_sent_before_the_drop_arrives,
    duplicate_outlives_the_original,
    echo_once,
    exchange,
    half_close_ends_one_direction,
    listen_without_bind_chooses_a_port,
    nonblocking_operations_would_block,
    options_are_read_back,
    peek_leaves_the_data,
    pollable_stays_true_to_the_socket,
    receive_after_a_reset_fails,
    receive_times_out,
    send_all_sends_it_all,
    send_timeout_ends_a_send,
    services_are_found,
    wait_all_gathers,
    wait_all_ends_with_the_stream,
}

/// Connects, sends `ping`, prints what comes back.
fn exchange(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.write_all(b"ping")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("{answer}");
    Ok(())
}

/// Listens, says where, echoes one connection to its end.
fn echo_once(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    let (connection, peer) = listener.accept()?;
    assert_eq!(connection.peer_addr()?, peer);
    io::copy(&mut &connection, &mut &connection)?;
    Ok(())
}

fn accept_hands_out_connections_until_the_last(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    let connections: io::Result<Vec<TcpStream>> = listener.incoming().take(3).collect();
    for (number, mut connection) in connections?.into_iter().enumerate() {
        write!(connection, "{number}")?;
    }
    Ok(())
}

fn accept_times_out(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    listener
        .as_socket()
        .set_timeout(Some(Duration::from_millis(50)));
    let begin = Instant::now();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(begin.elapsed() >= Duration::from_millis(50));
    Ok(())
}

fn addresses_are_told(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    assert_eq!(stream.peer_addr()?.to_string(), args[0]);
    assert_eq!(stream.local_addr()?.ip(), stream.peer_addr()?.ip());
    let fresh = open(Family::Inet)?;
    assert_eq!(fresh.local_addr()?.to_string(), "0.0.0.0:0");
    assert_eq!(
        fresh.peer_addr().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    Ok(())
}

fn bind_chooses_the_source_address(args: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    socket.bind(args[0])?;
    socket.connect(args[1])?;
    println!("{}", socket.local_addr()?);
    Ok(())
}

fn connect_by_name_falls_back_to_the_other_family(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    assert!(stream.peer_addr()?.is_ipv4());
    Ok(())
}

/// The peer's queue is full until it is told that the guest waits.
fn connect_in_progress_ends_in_readiness(args: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    socket.set_timeout(Some(Duration::ZERO));
    let begun = socket.connect(args[0]).unwrap_err();
    assert_eq!(error_code(&begun), Some(ErrorCode::InProgress));
    let again = socket.connect(args[0]).unwrap_err();
    assert_eq!(error_code(&again), Some(ErrorCode::AlreadyInProgress));
    let writable = socket.subscribe(Readiness::WRITABLE);
    assert!(!writable.ready());
    println!("{}", socket.local_addr()?);
    writable.block();
    assert!(socket.take_error()?.is_none());
    assert_eq!(socket.peer_addr()?.to_string(), args[0]);
    // Linux says once that it has connected, and then that it is.
    socket.connect(args[0])?;
    let again = socket.connect(args[0]).unwrap_err();
    assert_eq!(error_code(&again), Some(ErrorCode::IsConnected));
    Ok(())
}

fn connect_in_progress_is_refused(args: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    socket.set_timeout(Some(Duration::ZERO));
    let begun = socket.connect(args[0]).unwrap_err();
    // The OS may know at once.
    if error_code(&begun) == Some(ErrorCode::InProgress) {
        socket.subscribe(Readiness::WRITABLE).block();
        let error = socket.take_error()?.unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(socket.take_error()?.is_none());
    } else {
        assert_eq!(begun.kind(), ErrorKind::ConnectionRefused);
    }
    // Once the error is taken, Linux reports the attempt as aborted once more.
    socket.set_timeout(None);
    if let Err(aborted) = socket.connect(args[1]) {
        assert_eq!(aborted.kind(), ErrorKind::ConnectionAborted);
        socket.connect(args[1])?;
    }
    socket.send_all(b"after all")
}

fn connect_can_be_repeated_after_a_refusal(args: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    let refused = socket.connect(args[0]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    socket.connect(args[1])?;
    socket.send_all(b"after all")
}

/// The peer's queue is full.
fn connect_times_out(args: &[&str]) -> io::Result<()> {
    let begin = Instant::now();
    let error = TcpStream::connect_timeout(args[0], Duration::from_millis(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(begin.elapsed() >= Duration::from_millis(100));
    Ok(())
}

fn connect_to_a_closed_port_is_refused(args: &[&str]) -> io::Result<()> {
    let error = TcpStream::connect(args[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    Ok(())
}

fn data_sent_before_the_drop_arrives(args: &[&str]) -> io::Result<()> {
    TcpStream::connect(args[0])?.write_all(&vec![7; 1 << 20])
}

fn duplicate_outlives_the_original(args: &[&str]) -> io::Result<()> {
    let original = TcpStream::connect(args[0])?;
    let mut twin = original.try_clone()?;
    original.set_nonblocking(true)?;
    assert_eq!(
        twin.as_socket().timeout(),
        None,
        "each handle has a timeout of its own"
    );
    drop(original);
    twin.write_all(b"still here")
}

fn half_close_ends_one_direction(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.write_all(b"all I have to say")?;
    stream.shutdown(Shutdown::Write)?;
    assert_eq!(
        stream.write(b"and").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    assert_eq!(answer, b"all I have to say");
    Ok(())
}

fn listen_without_bind_chooses_a_port(_: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    socket.listen(None)?;
    println!("{}", socket.local_addr()?);
    let (connection, _) = socket.accept()?;
    connection.send_all(b"hello")
}

fn nonblocking_operations_would_block(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    listener.set_nonblocking(true)?;
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    listener.as_socket().subscribe(Readiness::READABLE).block();
    let (connection, _) = listener.accept()?;
    assert_eq!(
        connection.as_socket().timeout(),
        None,
        "an accepted socket blocks"
    );

    client.set_nonblocking(true)?;
    assert_eq!(
        client.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let full = fill(|data| client.write(data));
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let dont_wait = connection
        .as_socket()
        .recv_with_flags(&mut [0; 1], ReceiveFlags::DONT_WAIT)?;
    assert_eq!(dont_wait, 1);
    Ok(())
}

fn options_are_read_back(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    let second = 1_000_000_000;
    for value in [
        OptionValue::HopLimit(42),
        OptionValue::KeepAlive(true),
        OptionValue::KeepAliveCount(3),
        OptionValue::KeepAliveIdle(10 * second),
        OptionValue::KeepAliveInterval(5 * second),
        OptionValue::Linger(Some(2 * second)),
        OptionValue::Linger(None),
        OptionValue::NoDelay(true),
        OptionValue::OutOfBandInline(true),
        OptionValue::ReceiveTimeout(Some(second / 2)),
        OptionValue::ReceiveTimeout(None),
        OptionValue::ReuseAddress(true),
        OptionValue::ReusePort(true),
        OptionValue::SendTimeout(Some(second / 2)),
        OptionValue::TrafficClass(0x10),
        OptionValue::UserTimeout(second),
    ] {
        socket.set_option(value)?;
        assert_eq!(socket.option(name(&value))?, value);
    }
    socket.set_option(OptionValue::ReceiveBufferSize(16384))?;
    let doubled = socket.option(OptionName::ReceiveBufferSize)?;
    assert_eq!(
        doubled,
        OptionValue::ReceiveBufferSize(32768),
        "Linux doubles it"
    );
    assert_eq!(
        socket.option(OptionName::Protocol)?,
        OptionValue::Protocol(6)
    );
    assert_eq!(
        socket.option(OptionName::AcceptingConnections)?,
        OptionValue::AcceptingConnections(false)
    );
    let refused = socket.set_option(OptionValue::Protocol(6)).unwrap_err();
    assert_eq!(error_code(&refused), Some(ErrorCode::OptionNotSupported));
    let v6_only = socket.option(OptionName::V6Only).unwrap_err();
    assert_eq!(error_code(&v6_only), Some(ErrorCode::OptionNotSupported));

    let socket = open(Family::Inet6)?;
    socket.set_option(OptionValue::V6Only(true))?;
    assert_eq!(
        socket.option(OptionName::V6Only)?,
        OptionValue::V6Only(true)
    );
    socket.set_option(OptionValue::HopLimit(7))?;
    assert_eq!(
        socket.option(OptionName::HopLimit)?,
        OptionValue::HopLimit(7)
    );
    Ok(())
}

fn name(value: &OptionValue) -> OptionName {
    match value {
        OptionValue::HopLimit(_) => OptionName::HopLimit,
        OptionValue::KeepAlive(_) => OptionName::KeepAlive,
        OptionValue::KeepAliveCount(_) => OptionName::KeepAliveCount,
        OptionValue::KeepAliveIdle(_) => OptionName::KeepAliveIdle,
        OptionValue::KeepAliveInterval(_) => OptionName::KeepAliveInterval,
        OptionValue::Linger(_) => OptionName::Linger,
        OptionValue::NoDelay(_) => OptionName::NoDelay,
        OptionValue::OutOfBandInline(_) => OptionName::OutOfBandInline,
        OptionValue::ReceiveTimeout(_) => OptionName::ReceiveTimeout,
        OptionValue::ReuseAddress(_) => OptionName::ReuseAddress,
        OptionValue::ReusePort(_) => OptionName::ReusePort,
        OptionValue::SendTimeout(_) => OptionName::SendTimeout,
        OptionValue::TrafficClass(_) => OptionName::TrafficClass,
        OptionValue::UserTimeout(_) => OptionName::UserTimeout,
        OptionValue::AcceptingConnections(_)
        | OptionValue::AnswerAsAsked(_)
        | OptionValue::Broadcast(_)
        | OptionValue::Domain(_)
        | OptionValue::DoNotRoute(_)
        | OptionValue::MaximumSegmentSize(_)
        | OptionValue::MulticastHopLimit(_)
        | OptionValue::MulticastInterface(_)
        | OptionValue::MulticastLoop(_)
        | OptionValue::Protocol(_)
        | OptionValue::ReceiveBufferSize(_)
        | OptionValue::ReceiveLowWaterMark(_)
        | OptionValue::SendBufferSize(_)
        | OptionValue::SocketType(_)
        | OptionValue::V6Only(_) => {
            unreachable!("not among those that are read back as they were set")
        }
    }
}

/// The peer sends `twice`.
fn peek_leaves_the_data(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    let mut seen = [0; 5];
    stream.as_socket().subscribe(Readiness::READABLE).block();
    assert_eq!(stream.peek(&mut seen)?, 5);
    assert_eq!(&seen, b"twice");
    let mut taken = [0; 5];
    stream.read_exact(&mut taken)?;
    assert_eq!(taken, seen);
    Ok(())
}

/// The peer sends `first`, and `second` when it is told `more`.
fn pollable_stays_true_to_the_socket(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    let readable = stream.as_socket().subscribe(Readiness::READABLE);
    readable.block();
    assert!(readable.ready());
    stream.read_exact(&mut [0; 5])?;
    assert!(!readable.ready(), "what made it ready has been taken");
    stream.write_all(b"more")?;
    readable.block();
    stream.read_exact(&mut [0; 6])?;
    assert!(!readable.ready());
    assert!(stream.as_socket().subscribe(Readiness::WRITABLE).ready());
    Ok(())
}

fn receive_after_a_reset_fails(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.write_all(b"go on")?;
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    Ok(())
}

fn receive_times_out(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream
        .as_socket()
        .set_timeout(Some(Duration::from_millis(50)));
    assert_eq!(
        stream.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    stream.as_socket().set_timeout(None);
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    assert_eq!(
        stream.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    // The connection is none the worse for it.
    stream.set_read_timeout(None)?;
    stream.write_all(b"now")?;
    stream.read_exact(&mut [0; 3])
}

fn send_all_sends_it_all(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let data: Vec<u8> = (0..8 << 20)
        .map(|index: u32| index.to_le_bytes()[1])
        .collect();
    stream.as_socket().send_all(&data)
}

/// The peer reads nothing.
fn send_timeout_ends_a_send(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    socket.set_timeout(Some(Duration::from_millis(100)));
    let error = socket.send_all(&vec![0; 64 << 20]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let full = fill(|data| socket.send_with_flags(data, SendFlags::DONT_WAIT));
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    Ok(())
}

/// Sends until there is no room.
fn fill(mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Error {
    loop {
        if let Err(error) = send(&[0; 65536]) {
            return error;
        }
    }
}

fn services_are_found(_: &[&str]) -> io::Result<()> {
    let network = portcullis_guest::raw::network::default_network();
    assert_eq!(network.service_by_name("http", Some("tcp")).unwrap(), 80);
    assert_eq!(network.service_by_port(53, Some("udp")).unwrap(), "domain");
    assert_eq!(network.protocol_by_name("tcp").unwrap(), 6);
    let unknown = network.service_by_name("nonesuch", None).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::NameServiceNotFound);
    Ok(())
}

/// The peer sends ten bytes, one by one, and then waits.
fn wait_all_gathers(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let mut data = [0; 10];
    assert_eq!(
        stream
            .as_socket()
            .recv_with_flags(&mut data, ReceiveFlags::WAIT_ALL)?,
        10
    );
    assert_eq!(&data, b"0123456789");
    Ok(())
}

/// The peer sends `short` and closes.
fn wait_all_ends_with_the_stream(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let length = stream
        .as_socket()
        .recv_with_flags(&mut [0; 100], ReceiveFlags::WAIT_ALL)?;
    assert_eq!(length, 5);
    Ok(())
}

fn open(family: Family) -> io::Result<Socket> {
    Network::default().open(family, SocketType::Stream)
}
