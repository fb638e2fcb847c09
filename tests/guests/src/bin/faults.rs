//! Guests that do wrong.

#![expect(
    unsafe_code,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "doing wrong is what they are for"
)]

use std::io::{self, Write};
use std::time::Duration;

use portcullis_guest::raw::{network, socket};
use portcullis_guest::{ErrorCode, Family, Network, Poller, SocketType, TcpListener, TcpStream};
use portcullis_test_guests::{behaviours, failure};

behaviours! {
    drop_a_socket_that_a_pollable_waits_for,
    exit_with_an_error,
    forge_a_network,
    forge_a_socket,
    listen_again_where_a_pollable_waits,
    listen_in_the_middle_of_a_loop,
    loop_for_ever,
    open_pollers_of_which_pollables_are_left,
    open_sockets_until_refused,
    panic_at_once,
    receive_more_than_there_is_memory,
    use_a_network_as_a_socket,
    wait_for_ever,
}

fn panic_at_once(_: &[&str]) -> io::Result<()> {
    panic!("as ordered");
}

fn loop_for_ever(_: &[&str]) -> io::Result<()> {
    println!("looping");
    loop {
        std::hint::spin_loop();
    }
}

/// Waits for a visitor who never comes.
fn wait_for_ever(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    listener.accept()?;
    Ok(())
}

/// Calls the host all the time and never waits.
fn listen_in_the_middle_of_a_loop(args: &[&str]) -> io::Result<()> {
    println!("looping");
    loop {
        let _ = TcpListener::bind(args[0]);
    }
}

/// WASI 0.2 hands on that it was not zero.
fn exit_with_an_error(_: &[&str]) -> io::Result<()> {
    std::process::exit(7)
}

fn forge_a_socket(_: &[&str]) -> io::Result<()> {
    // SAFETY: none; the host has to see through it.
    let forged = unsafe { socket::Socket::from_handle(12345) };
    let _ = forged.local_address();
    Ok(())
}

fn forge_a_network(_: &[&str]) -> io::Result<()> {
    // SAFETY: none; the host has to see through it.
    let forged = unsafe { network::Network::from_handle(1) };
    forged.host_name();
    Ok(())
}

fn use_a_network_as_a_socket(_: &[&str]) -> io::Result<()> {
    let network = network::default_network();
    // SAFETY: none; the host has to see through it.
    let forged = unsafe { socket::Socket::from_handle(network.take_handle()) };
    let _ = forged.local_address();
    Ok(())
}

fn open_sockets_until_refused(_: &[&str]) -> io::Result<()> {
    let network = Network::default();
    let mut sockets = Vec::new();
    let error = loop {
        match network.open(Family::Inet, SocketType::Stream) {
            Ok(socket) => sockets.push(socket),
            Err(error) => break error,
        }
    };
    println!("{} sockets, then: {error}", sockets.len());
    drop(sockets);
    // What was given back can be had again.
    network.open(Family::Inet, SocketType::Stream)?;
    Ok(())
}

fn receive_more_than_there_is_memory(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let raw = stream.as_socket().as_raw();
    let some = raw
        .receive(u64::MAX, socket::ReceiveFlags::empty())
        .map(|data| data.len());
    let all = raw
        .receive(u64::MAX, socket::ReceiveFlags::WAIT_ALL)
        .map_err(|error| error.code);
    println!("{some:?} {all:?}");
    Ok(())
}

/// The peer reads the end all the same, and the pollable waits for nothing more.
fn drop_a_socket_that_a_pollable_waits_for(args: &[&str]) -> io::Result<()> {
    let stream = TcpStream::connect(args[0])?;
    let readable = stream.as_socket().subscribe(socket::Readiness::READABLE);
    (&stream).write_all(b"more")?;
    assert!(!readable.ready());
    drop(stream);
    assert!(readable.ready());
    readable.block();
    println!("dropped");
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn listen_again_where_a_pollable_waits(_: &[&str]) -> io::Result<()> {
    let first = TcpListener::bind("127.0.0.1:0")?;
    let address = first.local_addr()?;
    let arrival = first.as_socket().subscribe(socket::Readiness::READABLE);
    let twin = first.as_socket().try_clone()?;
    drop(first);
    let taken = failure(TcpListener::bind(address));
    assert_eq!(taken, ErrorCode::AddressInUse);
    assert!(!arrival.ready());
    drop(twin);
    let _second = TcpListener::bind(address)?;
    assert!(arrival.ready());
    Ok(())
}

fn open_pollers_of_which_pollables_are_left(_: &[&str]) -> io::Result<()> {
    let mut left = Vec::new();
    for _ in 0..20 {
        let poller = Poller::new()?;
        let pollable = poller.subscribe();
        assert!(!pollable.ready());
        drop(poller);
        assert!(pollable.ready());
        left.push(pollable);
    }
    Ok(())
}
