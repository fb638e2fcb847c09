//! Sends back what it receives, until the visitor is done: the echo server without
//! its loop. The host accepts, and runs this for each visitor.
//!
//! `portcullis serve echo-handler.wasm --listen tcp://127.0.0.1:12347`

use std::io;

use portcullis_guest::{SockAddr, Socket, stream_handler};

/// What is received at once, at the most.
const MOST: usize = 64 << 10;

stream_handler!(echo);

/// Over TCP and unix sockets: a [`Socket`] is of any family.
fn echo(connection: Socket, _peer: SockAddr) -> io::Result<()> {
    loop {
        let received = connection.recv_vec(MOST)?;
        if received.is_empty() {
            return Ok(());
        }
        connection.send_all(&received)?;
    }
}
