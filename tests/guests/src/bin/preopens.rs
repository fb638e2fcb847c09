//! A guest that was granted nothing and handed its sockets.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed assertion is how a guest reports"
)]

use std::io::{self, Read, Write};

use portcullis_guest::raw::socket::Readiness;
use portcullis_guest::{
    Family, Network, SocketType, TcpListener, TcpStream, UdpSocket, preopened, preopens,
};
use portcullis_test_guests::behaviours;

behaviours!(accept, connected, datagrams, nothing_else, polled);

/// Takes one visitor from the socket that is called `web`.
fn accept(_: &[&str]) -> io::Result<()> {
    let listener = TcpListener::from(preopened("web").unwrap());
    println!("{}", listener.local_addr()?);
    let (mut visitor, _) = listener.accept()?;
    visitor.write_all(b"served")
}

/// Speaks through the socket that is called `db`.
fn connected(_: &[&str]) -> io::Result<()> {
    let mut database = TcpStream::from(preopened("db").unwrap());
    database.write_all(b"ping")?;
    let mut answer = String::new();
    database.read_to_string(&mut answer)?;
    println!("{answer}");
    Ok(())
}

/// Answers the first datagram that comes to the socket called `dns`.
fn datagrams(_: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::from(preopened("dns").unwrap());
    println!("{}", socket.local_addr()?);
    let mut data = [0; 64];
    let (length, from) = socket.recv_from(&mut data)?;
    socket.send_to(&data[..length], from)?;
    Ok(())
}

/// What was handed over is all that there is.
fn nothing_else(args: &[&str]) -> io::Result<()> {
    let names: Vec<String> = preopens().map(|(name, _)| name).collect();
    assert_eq!(names, ["web"]);
    assert!(preopened("other").is_none());
    let refused = TcpStream::connect(args[0]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    let refused = TcpListener::bind("127.0.0.1:0").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    let socket = preopened("web").unwrap();
    let refused = socket.bind("127.0.0.1:0").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    let fresh = Network::default().open(Family::Inet, SocketType::Stream)?;
    let refused = fresh.bind(socket.local_addr()?).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    Ok(())
}

/// A visitor who may not come in does not make the socket ready.
fn polled(_: &[&str]) -> io::Result<()> {
    let socket = preopened("web").unwrap();
    println!("{}", socket.local_addr()?);
    socket.subscribe(Readiness::READABLE).block();
    let (_, peer) = TcpListener::from(socket).accept()?;
    println!("{peer}");
    Ok(())
}
