//! Accepts for ever, thanks each visitor with one line, and closes.
//!
//! `portcullis run --policy examples/greeting/server.toml greeting-server.wasm`

use std::env;
use std::io::{self, Write};

use portcullis_guest::TcpListener;

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12345".into());
    let listener = TcpListener::bind(&address)?;
    println!("Listening on {}", listener.local_addr()?);
    loop {
        let (mut connection, peer) = listener.accept()?;
        println!("Got connection from {peer}");
        // A visitor who has left already is no reason to stop.
        if let Err(error) = connection.write_all(b"Thank you for connecting\n") {
            eprintln!("{peer}: {error}");
        }
    }
}
