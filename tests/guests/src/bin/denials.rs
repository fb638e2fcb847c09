//! Guests that ask for more than they were granted, and see that they do not
//! get it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test guest fails by trapping"
)]

use std::io::{self, ErrorKind, Read, Write};

use portcullis_guest::raw::socket::OptionValue;
use portcullis_guest::{
    ErrorCode, Family, Network, Socket, SocketType, TcpListener, TcpStream, ToEndpoint, error_code,
};
use portcullis_test_guests::behaviours;

behaviours! {
    accept_admits_only_the_granted_peer,
    attenuated_network_allows_less,
    attenuated_network_allows_what_is_left,
    attenuation_refuses_what_does_not_parse,
    bind_is_denied,
    connect_is_denied,
    connect_is_denied_without_waiting,
    every_path_is_closed,
    listen_is_denied,
    listen_on_both_families,
    listen_without_bind_is_denied,
    scan,
}

/// Prints the guest's side of the denial.
fn connect_is_denied(args: &[&str]) -> io::Result<()> {
    println!("{}", denied(TcpStream::connect(args[0])));
    Ok(())
}

fn connect_is_denied_without_waiting(args: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    socket.set_timeout(Some(std::time::Duration::ZERO));
    println!("{}", denied(socket.connect(args[0])));
    assert_eq!(
        socket.local_addr()?.to_string(),
        "0.0.0.0:0",
        "nothing was bound on the way"
    );
    Ok(())
}

fn listen_is_denied(args: &[&str]) -> io::Result<()> {
    println!("{}", denied(TcpListener::bind(args[0])));
    Ok(())
}

fn bind_is_denied(args: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    println!("{}", denied(socket.bind(args[0])));
    assert_eq!(
        socket.local_addr()?.to_string(),
        "0.0.0.0:0",
        "a denied bind has no effect"
    );
    Ok(())
}

fn listen_without_bind_is_denied(_: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet)?;
    println!("{}", denied(socket.listen(None)));
    Ok(())
}

/// Listens on `[::]` for IPv6 alone, which is granted, and for both families,
/// which is not.
fn listen_on_both_families(args: &[&str]) -> io::Result<()> {
    let socket = open(Family::Inet6)?;
    socket.set_option(OptionValue::V6Only(true))?;
    socket.bind(args[0])?;
    socket.listen(None)?;
    drop(socket);
    let socket = open(Family::Inet6)?;
    println!("{}", denied(socket.bind(args[0])));
    Ok(())
}

/// The first visitor is not granted, the second is.
fn accept_admits_only_the_granted_peer(args: &[&str]) -> io::Result<()> {
    let listener = TcpListener::bind(args[0])?;
    println!("{}", listener.local_addr()?);
    let (mut connection, peer) = listener.accept()?;
    connection.write_all(b"welcome")?;
    println!("{}", peer.ip());
    Ok(())
}

/// Each way to the network there is, at one address.
fn every_path_is_closed(args: &[&str]) -> io::Result<()> {
    for family in [Family::Inet, Family::Inet6] {
        let address = if family == Family::Inet {
            args[0]
        } else {
            args[1]
        };
        let endpoint = address.to_endpoint()?;
        denied(open(family)?.bind(&endpoint));
        denied(open(family)?.connect(&endpoint));
        denied(open(family)?.listen(None));
        let socket = open(family)?;
        denied(socket.connect(&endpoint));
        let nothing = socket.send(b"anyone?").unwrap_err();
        assert!(
            matches!(
                nothing.kind(),
                ErrorKind::NotConnected | ErrorKind::BrokenPipe
            ),
            "{nothing}"
        );
        denied(socket.listen(None));
    }
    denied(TcpStream::connect("localhost:9"));
    denied(TcpStream::connect("example.com:http"));
    denied(TcpListener::bind("localhost:9"));
    denied(TcpListener::bind(":9"));
    Ok(())
}

/// Knocks at more doors than anyone wants to read about.
fn scan(_: &[&str]) -> io::Result<()> {
    for port in 1..=1234 {
        denied(TcpStream::connect(("127.0.0.1", port)));
    }
    Ok(())
}

/// Is granted a range and keeps one port of it.
fn attenuated_network_allows_less(args: &[&str]) -> io::Result<()> {
    let whole = Network::default();
    let narrow = whole.attenuate(&[&format!("connect tcp://{}", args[0])])?;
    denied(
        narrow
            .open(Family::Inet, SocketType::Stream)?
            .connect(args[1]),
    );
    let wider = narrow.attenuate(&["connect tcp://any:*", "listen tcp://*:*"])?;
    denied(
        wider
            .open(Family::Inet, SocketType::Stream)?
            .connect(args[1]),
    );
    let nothing = whole.attenuate(&[])?;
    denied(
        nothing
            .open(Family::Inet, SocketType::Stream)?
            .connect(args[0]),
    );
    // What it was made from is as wide as before.
    whole
        .open(Family::Inet, SocketType::Stream)?
        .connect(args[1])
}

fn attenuated_network_allows_what_is_left(args: &[&str]) -> io::Result<()> {
    let narrow = Network::default().attenuate(&[&format!("connect tcp://{}", args[0])])?;
    let socket = narrow.open(Family::Inet, SocketType::Stream)?;
    drop(narrow);
    socket.connect(args[0])?;
    TcpStream::from(socket).read_exact(&mut [0; 5])
}

fn attenuation_refuses_what_does_not_parse(_: &[&str]) -> io::Result<()> {
    let error = Network::default()
        .attenuate(&["conect tcp://127.0.0.1:80"])
        .unwrap_err();
    assert_eq!(error_code(&error), Some(ErrorCode::InvalidArgument));
    println!("{error}");
    Ok(())
}

#[track_caller]
fn denied<T>(result: io::Result<T>) -> io::Error {
    let error = result.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert_eq!(error_code(&error), Some(ErrorCode::AccessDenied));
    error
}

fn open(family: Family) -> io::Result<Socket> {
    Network::default().open(family, SocketType::Stream)
}
