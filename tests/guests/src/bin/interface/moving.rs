//! Chapter "Moving data".

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use portcullis_guest::{
    ErrorCode, Event, Events, Family, Poller, ReceiveFlags, SendFlags, Socket, SocketType,
    TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream,
};
use portcullis_test_guests::failure;

/// The peer sends ten digits and closes.
pub(super) fn recv(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    wait_for(&stream, Event::readable(0))?;
    assert_eq!(socket.recv(&mut [])?, 0, "nothing was asked for");
    let mut data = [0; 4];
    assert_eq!(socket.recv(&mut data)?, 4);
    assert_eq!(&data, b"0123");
    let mut rest = [0; 64];
    let length = socket.recv_with_flags(&mut rest, ReceiveFlags::WAIT_ALL)?;
    assert_eq!(&rest[..length], b"456789");
    assert_eq!(socket.recv(&mut rest)?, 0, "the orderly end");
    assert_eq!(socket.recv(&mut rest)?, 0, "and it stays that");
    let unconnected = Socket::new(Family::Inet, SocketType::Stream)?;
    assert_eq!(
        failure(unconnected.recv(&mut rest)),
        ErrorCode::NotConnected
    );
    Ok(())
}

/// The peer sends `into`.
pub(super) fn recv_into(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let mut buffer = *b"0123456789";
    let place = &mut buffer[3..9];
    wait_for(&stream, Event::readable(0))?;
    assert_eq!(stream.as_socket().recv(place)?, 4);
    assert_eq!(&buffer, b"012into789");
    Ok(())
}

/// The peer sends `twice`.
pub(super) fn recv_msg_peek(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    let mut seen = [0; 5];
    let flags = ReceiveFlags::PEEK | ReceiveFlags::WAIT_ALL;
    for _ in 0..2 {
        assert_eq!(stream.as_socket().recv_with_flags(&mut seen, flags)?, 5);
        assert_eq!(&seen, b"twice");
    }
    let mut taken = [0; 5];
    stream.read_exact(&mut taken)?;
    assert_eq!(taken, seen);
    // Of datagrams as well.
    let (one, other) = UnixDatagram::pair()?;
    one.send(b"datagram")?;
    assert_eq!(other.peek(&mut [0; 4])?, 4);
    assert_eq!(other.recv(&mut [0; 16])?, 8);
    Ok(())
}

/// The peer sends ten digits, one after the other, waits for an answer, sends
/// three more and closes.
pub(super) fn recv_msg_waitall(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    let mut digits = [0; 10];
    assert_eq!(
        socket.recv_with_flags(&mut digits, ReceiveFlags::WAIT_ALL)?,
        10
    );
    assert_eq!(&digits, b"0123456789");
    socket.send_all(b"go on")?;
    let length = socket.recv_with_flags(&mut digits, ReceiveFlags::WAIT_ALL)?;
    assert_eq!(&digits[..length], b"end", "the end of the stream ends it");
    Ok(())
}

/// The peer sends nothing until it is told.
pub(super) fn recv_msg_dontwait(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    let mut data = [0; 8];
    let nothing = socket.recv_with_flags(&mut data, ReceiveFlags::DONT_WAIT);
    assert_eq!(failure(nothing), ErrorCode::WouldBlock);
    assert!(!socket.nonblocking(), "it is for that call alone");
    socket.send_all(b"now")?;
    wait_for(&stream, Event::readable(0))?;
    let length = socket.recv_with_flags(&mut data, ReceiveFlags::DONT_WAIT)?;
    assert_eq!(&data[..length], b"here");
    Ok(())
}

/// The peer sends `before`, urgently `!`, and `after`.
pub(super) fn recv_msg_oob(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    let urgent = Event {
        urgent: true,
        ..Event::none(0)
    };
    socket.send_all(b"go")?;
    wait_for(&stream, urgent)?;
    let mut byte = [0; 1];
    assert_eq!(socket.recv_out_of_band(&mut byte)?, 1);
    assert_eq!(&byte, b"!");
    let none = socket.recv_out_of_band(&mut byte);
    assert_eq!(failure(none), ErrorCode::InvalidArgument, "there was one");
    let mut rest = String::new();
    (&stream).read_to_string(&mut rest)?;
    assert_eq!(rest, "beforeafter", "it is not among the rest");
    Ok(())
}

/// The peer reads nothing until it is told, and then all.
pub(super) fn send(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    assert_eq!(socket.send(b"")?, 0);
    stream.set_nonblocking(true)?;
    let data = vec![b'x'; 32 << 20];
    let mut total = 0;
    let taken = socket.send(&data)?;
    assert!(taken > 0 && taken < data.len(), "{taken} of it");
    total += taken;
    loop {
        match socket.send(&data) {
            Ok(taken) => total += taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    println!("{total}");
    let unconnected = Socket::new(Family::Inet, SocketType::Stream)?;
    assert_eq!(failure(unconnected.send(b"x")), ErrorCode::BrokenPipe);
    let datagrams = Socket::new(Family::Inet, SocketType::Datagram)?;
    assert_eq!(
        failure(datagrams.send(b"x")),
        ErrorCode::DestinationAddressRequired
    );
    Ok(())
}

/// The peer reads nothing.
pub(super) fn send_msg_dontwait(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    loop {
        match socket.send_with_flags(&[0; 65536], SendFlags::DONT_WAIT) {
            Ok(taken) => assert!(taken > 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    assert!(!socket.nonblocking(), "it is for that call alone");
    Ok(())
}

/// The peer hears the urgent byte apart from the others.
pub(super) fn send_msg_oob(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let socket = stream.as_socket();
    socket.send_all(b"before")?;
    assert_eq!(socket.send_out_of_band(b"!")?, 1);
    socket.send_all(b"after")?;
    // Until the peer is done.
    assert_eq!(socket.recv(&mut [0; 1])?, 0);
    let (one, _other) = UnixDatagram::pair()?;
    let urgent = one.as_socket().send_out_of_band(b"!");
    assert_eq!(failure(urgent), ErrorCode::NotSupported);
    Ok(())
}

/// The peer gets one datagram for two calls.
pub(super) fn send_msg_more(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.connect(args[0])?;
    let socket = socket.as_socket();
    assert_eq!(socket.send_with_flags(b"one and ", SendFlags::MORE)?, 8);
    assert_eq!(socket.send(b"two")?, 3);
    assert_eq!(socket.send(b"three")?, 5);
    Ok(())
}

/// The peer takes sequenced packets.
pub(super) fn send_msg_eor(args: &[&str]) -> io::Result<()> {
    let address = portcullis_guest::UnixAddr::from_pathname(args[0])?;
    let socket = Socket::new(Family::Unix, SocketType::Seqpacket)?;
    socket.connect(&address)?;
    for record in [&b"first"[..], b"second record"] {
        let sent = socket.send_with_flags(record, SendFlags::END_OF_RECORD)?;
        assert_eq!(sent, record.len());
    }
    Ok(())
}

/// The peer is on this machine, where no router is needed; the second address
/// is beyond one.
pub(super) fn send_msg_dontroute(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    let socket = socket.as_socket();
    let flags = SendFlags::DONT_ROUTE;
    assert_eq!(socket.send_to_with_flags(b"near", args[0], flags)?, 4);
    let far = socket.send_to_with_flags(b"far", args[1], flags);
    assert_eq!(failure(far), ErrorCode::NetworkUnreachable);
    Ok(())
}

/// The peer is slow, and the second one slower than the timeout.
pub(super) fn sendall(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let data: Vec<u8> = (0..8 << 20)
        .map(|index: u32| index.to_le_bytes()[1])
        .collect();
    stream.as_socket().send_all(&data)?;
    drop(stream);

    // Each piece goes through in time, and all of them do not.
    let stream = TcpStream::connect(args[1])?;
    let socket = stream.as_socket();
    socket.set_send_buffer_size(16 << 10)?;
    socket.set_timeout(Some(Duration::from_millis(300)));
    let begin = Instant::now();
    assert_eq!(failure(socket.send_all(&data)), ErrorCode::TimedOut);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    Ok(())
}

/// Everybody at these addresses sends back what is sent.
pub(super) fn recvfrom(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    for address in args {
        socket.send_to(b"hello", *address)?;
        let datagram = socket.recv_datagram(16)?;
        assert_eq!(datagram.data, b"hello");
        assert_eq!(datagram.source.to_string(), *address);
        assert!(!datagram.is_truncated());
    }
    // Of a stream, the source is the peer.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (connection, peer) = listener.accept()?;
    client.as_socket().send_all(b"stream")?;
    let mut data = [0; 16];
    let (length, source) = connection.as_socket().recv_from(&mut data)?;
    assert_eq!(&data[..length], b"stream");
    assert_eq!(source.as_socket(), Some(peer));
    Ok(())
}

/// Everybody at this address sends back what is sent.
pub(super) fn recvfrom_into(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.send_to(b"into", args[0])?;
    let mut buffer = *b"0123456789";
    let (length, source) = socket.recv_from(&mut buffer[3..9])?;
    assert_eq!((length, source.to_string().as_str()), (4, args[0]));
    assert_eq!(&buffer, b"012into789");
    Ok(())
}

/// Everybody at this address sends back what is sent.
pub(super) fn recvfrom_msg_trunc(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.send_to(b"0123456789", args[0])?;
    socket.send_to(b"next", args[0])?;
    let cut = socket.recv_datagram(4)?;
    assert_eq!((cut.data.as_slice(), cut.length), (&b"0123"[..], 10));
    assert!(cut.is_truncated());
    let next = socket.recv_datagram(4)?;
    assert_eq!(next.data, b"next", "the rest of the first is lost");
    assert!(!next.is_truncated(), "it fits");
    // As of unix datagrams and sequenced packets.
    for socket_type in [SocketType::Datagram, SocketType::Seqpacket] {
        let (one, other) = Socket::pair(Family::Unix, socket_type)?;
        one.send(b"0123456789")?;
        let cut = other.recv_datagram(4)?;
        assert_eq!((cut.data.len(), cut.length), (4, 10), "{socket_type:?}");
    }
    Ok(())
}

/// Three addresses: of a peer, of the same one by name, and one not granted.
pub(super) fn sendto(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    assert_eq!(socket.send_to(b"by address", args[0])?, 10);
    assert_eq!(socket.send_to(b"by name", args[1])?, 7);
    assert_eq!(socket.send_to(b"", args[0])?, 0);
    let denied = socket.send_to(b"elsewhere", args[2]);
    assert_eq!(failure(denied), ErrorCode::AccessDenied);
    let too_long = socket.send_to(&[0; 65536], args[0]);
    assert_eq!(failure(too_long), ErrorCode::MessageTooLong);
    // A connected socket may still write to others.
    socket.connect(args[0])?;
    assert_eq!(socket.send_to(b"connected", args[0])?, 9);
    let denied = socket.send_to(b"elsewhere", args[2]);
    assert_eq!(failure(denied), ErrorCode::AccessDenied);
    Ok(())
}

/// Everybody at this address sends back what is sent.
pub(super) fn recvmsg(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    socket.send_to(b"headbody", args[0])?;
    let (mut head, mut body) = ([0; 4], [0; 16]);
    let mut buffers = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut body)];
    let (length, source) = socket.as_socket().recv_from_vectored(&mut buffers)?;
    assert_eq!((length, source.to_string().as_str()), (8, args[0]));
    assert_eq!((&head, &body[..4]), (b"head", &b"body"[..]));
    // And of a stream.
    let (one, mut other) = UnixStream::pair()?;
    one.as_socket().send_all(b"headbody")?;
    let (mut head, mut body) = ([0; 4], [0; 16]);
    let mut buffers = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut body)];
    assert_eq!(other.read_vectored(&mut buffers)?, 8);
    assert_eq!((&head, &body[..4]), (b"head", &b"body"[..]));
    Ok(())
}

/// The peer takes one datagram.
pub(super) fn sendmsg(args: &[&str]) -> io::Result<()> {
    let parts = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"message"),
    ];
    let socket = UdpSocket::unbound(Family::Inet)?;
    assert_eq!(socket.as_socket().send_to_vectored(&parts, args[0])?, 11);
    let (mut one, mut other) = UnixStream::pair()?;
    assert_eq!(one.write_vectored(&parts)?, 11);
    let mut heard = [0; 11];
    other.read_exact(&mut heard)?;
    assert_eq!(&heard, b"one message");
    Ok(())
}

/// The peer sends `data` and, along with it, a descriptor.
pub(super) fn recvmsg_ancillary(args: &[&str]) -> io::Result<()> {
    let mut stream = UnixStream::connect(args[0])?;
    let mut heard = [0; 4];
    stream.read_exact(&mut heard)?;
    assert_eq!(&heard, b"data", "what came with it is not for guests");
    // Until the peer has seen that its descriptor is gone.
    assert_eq!(stream.read(&mut heard)?, 0);
    Ok(())
}

/// The peers take three datagrams: two the first, one the second.
pub(super) fn sendmmsg(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    let datagrams = [("one", args[0]), ("two", args[1]), ("three", args[0])];
    assert_eq!(socket.send_many_to(&datagrams)?, 3);
    // What is not granted ends it there; the next call says why.
    let datagrams = [("four", args[0]), ("five", args[2]), ("six", args[0])];
    assert_eq!(socket.send_many_to(&datagrams)?, 1);
    assert_eq!(
        failure(socket.send_many_to(&datagrams[1..])),
        ErrorCode::AccessDenied
    );
    Ok(())
}

/// Everybody at this address sends back what is sent.
pub(super) fn recvmmsg(args: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::unbound(Family::Inet)?;
    let sent = ["one", "two", "three", "four"];
    let mut heard = Vec::new();
    for text in sent {
        socket.send_to(text.as_bytes(), args[0])?;
    }
    while heard.len() < sent.len() {
        let some = socket.recv_many(3, 4)?;
        assert!(!some.is_empty() && some.len() <= 3);
        heard.extend(some);
    }
    for (datagram, text) in heard.iter().zip(sent) {
        assert_eq!(datagram.data, text.as_bytes()[..text.len().min(4)]);
        assert_eq!(datagram.length, text.len());
        assert_eq!(datagram.source.to_string(), args[0]);
    }
    socket.set_nonblocking(true)?;
    assert_eq!(failure(socket.recv_many(3, 4)), ErrorCode::WouldBlock);
    Ok(())
}

/// The peer reads to the end. The file holds the digits 0 to 9, a hundred
/// thousand times.
pub(super) fn sendfile(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let mut file = File::open(args[1])?;
    let socket = stream.as_socket();
    assert_eq!(socket.send_file(&mut file, 3, Some(4))?, 4);
    let mut next = [0; 1];
    file.read_exact(&mut next)?;
    assert_eq!(&next, b"7", "the file stands behind what was sent");
    assert_eq!(socket.send_file(&mut file, 0, None)?, 1_000_000);
    assert_eq!(socket.send_file(&mut file, 1_000_000, None)?, 0);
    Ok(())
}

/// The peer sends `one\ntw`, and `o\nthree` when it is told; it reads to the
/// end.
pub(super) fn makefile(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let mut reader = BufReader::new(&stream);
    let mut writer = BufWriter::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    assert_eq!(line, "one\n");
    writer.write_all(b"held back until ")?;
    writer.write_all(b"the flush\n")?;
    assert_eq!(writer.buffer().len(), 26);
    line.clear();

    // A timeout says so, loses nothing, and can be waited out.
    stream
        .as_socket()
        .set_timeout(Some(Duration::from_millis(50)));
    let error = reader.read_line(&mut line).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(line, "tw");
    stream.as_socket().set_timeout(None);
    writer.flush()?;
    reader.read_line(&mut line)?;
    assert_eq!(line, "two\n");
    let mut rest = String::new();
    reader.read_to_string(&mut rest)?;
    assert_eq!(rest, "three");
    Ok(())
}

/// The peer sends `unheard` and then reads to the end.
pub(super) fn shutdown_shut_rd(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.shutdown(Shutdown::Read)?;
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard)?;
    // It does not wait, although the peer has not closed. What the peer says may come
    // between the two.
    stream.read_to_end(&mut heard)?;
    assert!(heard.is_empty() || heard == b"unheard");
    stream.write_all(b"the other way is open")
}

/// The peer answers when it has read to the end.
pub(super) fn shutdown_shut_wr(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    let twin = stream.try_clone()?;
    stream.write_all(b"all I have to say")?;
    stream.shutdown(Shutdown::Write)?;
    for mut handle in [&stream, &twin] {
        let error = handle.write(b"and").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert_eq!(answer, "all I have to say");
    let unconnected = Socket::new(Family::Inet, SocketType::Stream)?;
    let too_early = unconnected.shutdown(Shutdown::Write);
    assert_eq!(failure(too_early), ErrorCode::NotConnected);
    Ok(())
}

/// The peer reads to the end.
pub(super) fn shutdown_shut_rdwr(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.write_all(b"last words")?;
    stream.shutdown(Shutdown::Both)?;
    assert_eq!(stream.read(&mut [0; 8])?, 0);
    let error = stream.write(b"more").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    Ok(())
}

/// The peer reads slowly, to the end.
pub(super) fn close(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.write_all(&vec![7; 1 << 20])?;
    drop(stream);
    // The address is free at once.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let twin = listener.try_clone()?;
    drop(listener);
    drop(TcpStream::connect(address)?);
    drop(twin);
    let nobody = TcpStream::connect(address);
    assert_eq!(failure(nobody), ErrorCode::ConnectionRefused);
    let socket = Socket::new(Family::Inet, SocketType::Stream)?;
    socket.bind(address)
}

/// The peer reads to the end.
pub(super) fn detach(args: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect(args[0])?;
    stream.write_all(b"before ")?;
    // What held the socket is gone; the socket is not.
    let socket = Socket::from(stream);
    socket.send_all(b"and after")
}

fn wait_for(stream: &TcpStream, interest: Event) -> io::Result<()> {
    let poller = Poller::new()?;
    poller.add(stream, interest)?;
    poller.wait(&mut Events::new(), None)?;
    Ok(())
}
