//! What a guest does with many connections at once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test guest fails by trapping"
)]

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_lite::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use futures_lite::{StreamExt, future};
use portcullis_guest::task::{Async, block_on, sleep, spawn, timeout, wait_for, yield_now};
use portcullis_guest::{
    Family, Network, SocketBuilder, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener,
    UnixStream,
};
use portcullis_test_guests::behaviours;
use wasip2::clocks::monotonic_clock;

behaviours! {
    a_peer_that_hung_up_does_not_keep_the_guest_busy,
    a_pollable_and_sockets_are_waited_for_together,
    a_second_handle_cannot_be_waited_for_at_the_same_time,
    a_socket_comes_back_out,
    a_stream_is_read_by_what_knows_only_the_traits,
    accept_times_out_and_goes_on,
    connect_falls_back_to_the_other_family,
    connect_from_a_source_address,
    connect_in_a_network_with_less_is_denied,
    connect_is_refused,
    connect_times_out,
    converse_with_hundreds_of_its_own,
    echo_many,
    everybody_who_waits_is_told,
    exchange_datagrams,
    exchange_datagrams_over_a_unix_pair,
    exchange_over_a_unix_path,
    exchange_over_a_unix_pair,
    one_socket_is_read_and_written_by_two_tasks,
    wait_for_room_in_the_queue_of_a_path,
}

/// Serves as many visitors as its second argument says, all at once.
fn echo_many(args: &[&str]) -> io::Result<()> {
    let visitors: usize = args[1].parse().unwrap();
    block_on(async {
        let listener = Async::<TcpListener>::bind(args[0])?;
        println!("{}", listener.get_ref().local_addr()?);
        let mut tasks = Vec::new();
        for _ in 0..visitors {
            let (visitor, _) = listener.accept().await?;
            tasks.push(spawn(async move { copy(&visitor, &visitor).await }));
        }
        for task in tasks {
            task.await?;
        }
        Ok(())
    })
}

/// Both ends of each connection are tasks of one guest.
fn converse_with_hundreds_of_its_own(args: &[&str]) -> io::Result<()> {
    const VISITORS: usize = 200;
    const TURNS: u32 = 10;
    block_on(async {
        let listener = Async::<TcpListener>::bind(args[0])?;
        let address = listener.get_ref().local_addr()?;
        let server = spawn(async move {
            loop {
                let (visitor, _) = listener.accept().await.unwrap();
                spawn(async move { copy(&visitor, &visitor).await });
            }
        });
        let clients: Vec<_> = (0..VISITORS)
            .map(|_| {
                spawn(async move {
                    let mut stream = Async::<TcpStream>::connect(address).await?;
                    for turn in 0..TURNS {
                        stream.write_all(&turn.to_be_bytes()).await?;
                        let mut answer = [0; 4];
                        stream.read_exact(&mut answer).await?;
                        assert_eq!(u32::from_be_bytes(answer), turn);
                    }
                    io::Result::Ok(())
                })
            })
            .collect();
        for client in clients {
            client.await?;
        }
        assert_eq!(server.cancel().await, None::<()>);
        Ok(())
    })
}

/// The peer sends back what it receives, and reads no more while it cannot send.
/// What is sent is more than there is room for on the way, so each task has to
/// wait for the other one's direction to move.
fn one_socket_is_read_and_written_by_two_tasks(args: &[&str]) -> io::Result<()> {
    const LENGTH: usize = 16 << 20;
    block_on(async {
        let stream = Rc::new(Async::<TcpStream>::connect(args[0]).await?);
        let data: Vec<u8> = (0..LENGTH).map(|index| index.to_le_bytes()[1]).collect();
        let writer = Rc::clone(&stream);
        let sent = data.clone();
        let writing = spawn(async move {
            (&*writer).write_all(&sent).await?;
            (&*writer).close().await
        });
        let reader = Rc::clone(&stream);
        let reading = spawn(async move {
            let mut received = Vec::new();
            (&*reader).read_to_end(&mut received).await?;
            io::Result::Ok(received)
        });
        writing.await?;
        assert!(reading.await? == data);
        Ok(())
    })
}

/// The peer sends one byte when it hears of it.
fn everybody_who_waits_is_told(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let stream = Rc::new(Async::<TcpStream>::connect(args[0]).await?);
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let stream = Rc::clone(&stream);
                spawn(async move { stream.readable().await })
            })
            .collect();
        // One that gives up takes nobody along.
        timeout(Duration::from_millis(20), stream.readable())
            .await
            .unwrap_err();
        (&*stream).write_all(b"?").await?;
        for task in tasks {
            task.await?;
        }
        let mut byte = [0];
        assert_eq!(stream.peek(&mut byte).await?, 1);
        Ok(())
    })
}

fn accept_times_out_and_goes_on(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let listener = Async::<TcpListener>::bind(args[0])?;
        let begin = Instant::now();
        let limit = Duration::from_millis(50);
        timeout(limit, listener.accept()).await.unwrap_err();
        assert!(begin.elapsed() >= limit);
        println!("{}", listener.get_ref().local_addr()?);
        let (mut visitor, _) = listener.accept().await?;
        visitor.write_all(b"at last").await
    })
}

fn connect_is_refused(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let error = Async::<TcpStream>::connect(args[0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        Ok(())
    })
}

/// The peer's queue is full.
fn connect_times_out(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let begin = Instant::now();
        let limit = Duration::from_millis(100);
        let builder = SocketBuilder::stream().timeout(limit);
        let connect = Async::<TcpStream>::connect_with(&builder, args[0]);
        assert_eq!(connect.await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(begin.elapsed() >= limit);
        Ok(())
    })
}

fn connect_falls_back_to_the_other_family(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let stream = Async::<TcpStream>::connect(args[0]).await?;
        assert!(stream.get_ref().peer_addr()?.is_ipv4());
        Ok(())
    })
}

fn connect_from_a_source_address(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let builder = SocketBuilder::stream().source(args[0])?;
        let stream = Async::<TcpStream>::connect_with(&builder, args[1]).await?;
        println!("{}", stream.get_ref().local_addr()?);
        Ok(())
    })
}

fn connect_in_a_network_with_less_is_denied(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let nothing = Network::default().attenuate(&[])?;
        let denied = Async::<TcpStream>::connect_in(&nothing, args[0]).await;
        assert_eq!(denied.unwrap_err().kind(), ErrorKind::PermissionDenied);
        let whole = Network::default();
        let mut stream = Async::<TcpStream>::connect_in(&whole, args[0]).await?;
        let mut greeting = String::new();
        stream.read_to_string(&mut greeting).await?;
        println!("{greeting}");
        Ok(())
    })
}

/// The peer closes its direction when it is told to. Nobody waits for the socket
/// after that, which stays hung up.
fn a_peer_that_hung_up_does_not_keep_the_guest_busy(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let stream = Rc::new(Async::<TcpStream>::connect(args[0]).await?);
        let reader = Rc::clone(&stream);
        let reading = spawn(async move { (&*reader).read(&mut [0; 8]).await });
        // By now the guest waits for the socket.
        sleep(Duration::from_millis(10)).await;
        (&*stream).write_all(b"?").await?;
        assert_eq!(reading.await?, 0);
        (&*stream).close().await?;
        sleep(Duration::from_secs(1)).await;
        assert_eq!((&*stream).read(&mut [0; 8]).await?, 0);
        Ok(())
    })
}

fn a_pollable_and_sockets_are_waited_for_together(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let listener = Async::<TcpListener>::bind(args[0])?;
        let address = listener.get_ref().local_addr()?;
        let visit = async {
            let (mut visitor, _) = listener.accept().await?;
            visitor.write_all(b"welcome").await
        };
        let late = monotonic_clock::subscribe_duration(60_000_000_000);
        let clock = spawn(wait_for(late));
        let client = spawn(async move {
            // By now the guest waits for the listener and the clock.
            sleep(Duration::from_millis(20)).await;
            let mut stream = Async::<TcpStream>::connect(address).await?;
            let mut greeting = String::new();
            stream.read_to_string(&mut greeting).await?;
            io::Result::Ok(greeting)
        });
        visit.await?;
        assert_eq!(client.await?, "welcome");
        assert!(!clock.is_finished());
        clock.cancel().await;

        // Now the clock is the first.
        let begin = Instant::now();
        let soon = wait_for(monotonic_clock::subscribe_duration(20_000_000));
        let visit = async {
            listener.accept().await.unwrap();
            panic!("nobody comes");
        };
        future::or(soon, visit).await;
        assert!(begin.elapsed() >= Duration::from_millis(20));
        Ok(())
    })
}

fn a_second_handle_cannot_be_waited_for_at_the_same_time(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let stream = Rc::new(Async::<TcpStream>::connect(args[0]).await?);
        let second = Async::new(stream.get_ref().try_clone()?)?;
        let first = Rc::clone(&stream);
        let waiting = spawn(async move { first.readable().await });
        yield_now().await;
        let error = second.readable().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(!waiting.is_finished());
        assert_eq!(waiting.cancel().await.map(|_| ()), None);
        // Once the first one waits no more, the second one can.
        sleep(Duration::from_millis(1)).await;
        timeout(Duration::from_millis(1), second.readable())
            .await
            .unwrap_err();
        Ok(())
    })
}

/// The peer sends `first` and, when it is told to go on, `second`.
fn a_socket_comes_back_out(args: &[&str]) -> io::Result<()> {
    let stream = block_on(async {
        let mut stream = Async::<TcpStream>::connect(args[0]).await?;
        stream.read_exact(&mut [0; 5]).await?;
        stream.into_inner()
    })?;
    assert!(stream.as_socket().nonblocking());
    stream.set_nonblocking(false)?;
    stream.as_socket().send_all(b"go on")?;
    let mut rest = String::new();
    io::Read::read_to_string(&mut &stream, &mut rest)?;
    println!("{rest}");
    Ok(())
}

/// The peer sends lines.
fn a_stream_is_read_by_what_knows_only_the_traits(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let stream = Async::<TcpStream>::connect(args[0]).await?;
        let mut lines = BufReader::new(&stream).lines();
        while let Some(line) = lines.next().await {
            println!("{}", line?);
        }
        Ok(())
    })
}

/// The peer answers the first datagram with two.
fn exchange_datagrams(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let socket = Async::<UdpSocket>::unbound(Family::Inet)?;
        socket.send_to(b"ping", args[0]).await?;
        let mut answer = [0; 16];
        let (length, source) = socket.recv_from(&mut answer).await?;
        assert_eq!(source.to_string(), args[0]);
        assert_eq!(&answer[..length], b"pong");
        let more = socket.recv_many(8, 16).await?;
        assert_eq!(more.len(), 1);
        assert_eq!(more[0].data, b"and more");
        Ok(())
    })
}

fn exchange_over_a_unix_pair(_: &[&str]) -> io::Result<()> {
    block_on(async {
        let (one, other) = Async::<UnixStream>::pair()?;
        let echo = spawn(async move { copy(&other, &other).await });
        (&one).write_all(b"to and fro").await?;
        one.get_ref().shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        (&one).read_to_string(&mut answer).await?;
        assert_eq!(answer, "to and fro");
        assert_eq!(echo.await?, 10);
        Ok(())
    })
}

fn exchange_datagrams_over_a_unix_pair(_: &[&str]) -> io::Result<()> {
    block_on(async {
        let (one, other) = Async::<UnixDatagram>::pair()?;
        // More than there is room for, so that the sender has to wait.
        let sending = spawn(async move {
            for number in 0..1000_u32 {
                one.send(&number.to_be_bytes()).await?;
            }
            io::Result::Ok(())
        });
        for number in 0..1000_u32 {
            let mut datagram = [0; 8];
            assert_eq!(other.recv(&mut datagram).await?, 4);
            assert_eq!(datagram[..4], number.to_be_bytes());
        }
        sending.await
    })
}

/// Says how often it tried, of its own accord, until there was room.
fn wait_for_room_in_the_queue_of_a_path(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let socket = Async::<UnixDatagram>::unbound()?;
        let is_full = loop {
            if let Err(error) = socket.get_ref().send_to(b"word", args[0]) {
                break error;
            }
        };
        assert_eq!(is_full.kind(), ErrorKind::WouldBlock);
        println!("full");
        let mut tries = 0_u32;
        let sent = socket.write_with(|socket| {
            tries += 1;
            socket.send_to(b"last", args[0])
        });
        assert_eq!(sent.await?, 4);
        assert_eq!(socket.send_to(b"end", args[0]).await?, 3);
        println!("{tries}");
        Ok(())
    })
}

fn exchange_over_a_unix_path(args: &[&str]) -> io::Result<()> {
    block_on(async {
        let listener = Async::<UnixListener>::bind(args[0])?;
        let server = spawn(async move {
            let (visitor, peer) = listener.accept().await?;
            assert!(peer.is_unnamed(), "{peer:?}");
            copy(&visitor, &visitor).await
        });
        let mut stream = Async::<UnixStream>::connect(args[0]).await?;
        stream.write_all(b"ping").await?;
        stream.close().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert_eq!(answer, "ping");
        assert_eq!(server.await?, 4);
        Ok(())
    })
}
