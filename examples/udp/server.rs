//! Waits for datagrams and answers each one.
//!
//! `portcullis run --policy examples/udp/server.toml udp-server.wasm`

use std::env;
use std::io;

use portcullis_guest::UdpSocket;

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12348".into());
    let socket = UdpSocket::bind(&address)?;
    println!("Listening on {}", socket.local_addr()?);
    loop {
        let question = socket.recv_datagram(1024)?;
        let text = String::from_utf8_lossy(&question.data);
        println!("{} says: {text}", question.source);
        socket.send_to(text.to_uppercase().as_bytes(), question.source)?;
    }
}
