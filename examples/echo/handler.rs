//! Sends back what it receives, until the visitor is done: the echo server without
//! its loop. The host accepts, and runs this for each visitor.
//!
//! `portcullis serve echo-handler.wasm --listen tcp://127.0.0.1:12347`

use std::io;

use portcullis_guest::{SockAddr, Socket, stream_handler};

/// What is received at once: little, as most visitors say little and many may be
/// there at a time, and more for those who send more.
const LEAST: usize = 4 << 10;
const MOST: usize = 64 << 10;

stream_handler!(echo);

/// Over TCP and unix sockets: a [`Socket`] is of any family.
fn echo(connection: Socket, _peer: SockAddr) -> io::Result<()> {
    let mut buffer = vec![0; LEAST];
    loop {
        let length = connection.recv(&mut buffer)?;
        let received = buffer.get(..length).unwrap_or_default();
        if received.is_empty() {
            return Ok(());
        }
        connection.send_all(received)?;
        if length == buffer.len() && length < MOST {
            buffer.resize(2 * length, 0);
        }
    }
}
