//! The other end of every echo: sockets of the benchmark itself, and messages
//! that tell a wrong echo from a right one.

#![expect(
    clippy::disallowed_methods,
    reason = "the benchmark stands outside the sandbox"
)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};

/// The size of a message of the round trips and datagrams, in bytes.
pub(crate) const MESSAGE: usize = 64;

/// An echo that takes longer than this is lost.
const LOST: Duration = Duration::from_secs(10);

/// A server that starts answers sooner, or later.
const FIRST_ECHO: Duration = Duration::from_millis(200);

/// A message unlike the ones before and after it.
pub(crate) fn message(number: u64) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    let (words, _) = message.as_chunks_mut();
    // Weyl's sequence: each word of each message is another.
    let mut word = number;
    for bytes in words {
        *bytes = word.to_le_bytes();
        word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
    message
}

/// The number of a message, if it is one.
pub(crate) fn number(echo: &[u8]) -> Option<u64> {
    let number = u64::from_le_bytes(*echo.first_chunk()?);
    (echo == message(number)).then_some(number)
}

/// Connects from any port, without Nagle's algorithm.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    // The kernel may have connected a socket to itself where nobody listens.
    ensure!(
        stream.local_addr()? != address,
        "nobody listens at {address}"
    );
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LOST))?;
    stream.set_write_timeout(Some(LOST))?;
    Ok(stream)
}

/// Connects from another loopback address each time, by the connection's number:
/// one address runs out of ports, which stay taken for a minute.
pub(crate) fn connect_from_many(address: SocketAddr, number: u64) -> Result<TcpStream> {
    let [low, ..] = (number % 250).to_le_bytes();
    let source = SocketAddr::from((Ipv4Addr::new(127, 0, 1, low + 1), 0));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&source.into()).context("no free port")?;
    socket.set_read_timeout(Some(LOST))?;
    socket
        .connect(&address.into())
        .with_context(|| format!("connect to {address}"))?;
    Ok(socket.into())
}

/// A socket for datagrams to and from one address.
pub(crate) fn datagrams(address: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(LOST))?;
    Ok(socket)
}

/// Sends a message and waits for its echo.
pub(crate) fn exchange(stream: &mut TcpStream, number: u64) -> Result<()> {
    stream.write_all(&message(number)).context("send")?;
    expect(stream, number)
}

/// Waits for the echo of a message.
pub(crate) fn expect(stream: &mut TcpStream, expected: u64) -> Result<()> {
    let mut echo = [0; MESSAGE];
    stream
        .read_exact(&mut echo)
        .with_context(|| format!("the echo of message {expected} is lost"))?;
    check(&echo, expected)
}

/// Whether an echo is that of this message.
pub(crate) fn check(echo: &[u8], expected: u64) -> Result<()> {
    ensure!(
        echo == message(expected),
        "the echo of message {expected} is wrong: {echo:?}"
    );
    Ok(())
}

/// Whether somebody who has just been started echoes by now.
pub(crate) fn echoes_stream(address: SocketAddr) -> Result<()> {
    exchange(&mut connect(address)?, 0)
}

/// Whether somebody who has just been started echoes by now.
pub(crate) fn echoes_datagram(address: SocketAddr) -> Result<()> {
    let socket = datagrams(address)?;
    socket.set_read_timeout(Some(FIRST_ECHO))?;
    socket.send(&message(0)).context("send")?;
    let mut echo = [0; MESSAGE];
    let length = socket.recv(&mut echo).context("no echo")?;
    check(echo.get(..length).unwrap_or_default(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_its_number_unless_it_was_changed() {
        let mut echo = message(7);
        assert_eq!(number(&echo), Some(7));
        check(&echo, 7).unwrap();
        check(&echo, 8).unwrap_err();
        echo[63] ^= 1;
        assert_eq!(number(&echo), None);
        assert_eq!(number(&echo[..63]), None);
        check(&echo, 7).unwrap_err();
    }
}
