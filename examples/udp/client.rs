//! Sends one datagram and prints what comes back.
//!
//! `portcullis run --policy examples/udp/client.toml udp-client.wasm`

use std::env;
use std::io::{self, Write};
use std::time::Duration;

use portcullis_guest::{Family, UdpSocket};

fn main() -> io::Result<()> {
    let server = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12348".into());
    let socket = UdpSocket::unbound(Family::Inet)?;
    // A datagram may be lost on either way.
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.send_to(b"hello", &server)?;
    let mut answer = [0; 1024];
    let (length, source) = socket.recv_from(&mut answer)?;
    print!("{source} says: ");
    io::stdout().write_all(answer.get(..length).unwrap_or_default())?;
    println!();
    Ok(())
}
