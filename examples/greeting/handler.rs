//! Thanks each visitor with one line: the greeting server without its loop. The
//! host accepts, runs this for each visitor, and closes.
//!
//! `portcullis serve greeting-handler.wasm --listen tcp://127.0.0.1:12345`

use std::io;

use portcullis_guest::{SockAddr, Socket, stream_handler};

stream_handler!(greet);

fn greet(connection: Socket, peer: SockAddr) -> io::Result<()> {
    println!("Got connection from {peer}");
    connection.send_all(b"Thank you for connecting\n")
}
