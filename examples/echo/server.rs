//! Sends back what it receives, to one visitor after the other.
//!
//! `portcullis run --policy examples/echo/server.toml echo-server.wasm`

use std::env;
use std::io;

use portcullis_guest::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12347".into());
    let listener = TcpListener::bind(&address)?;
    println!("Listening on {}", listener.local_addr()?);
    for connection in listener.incoming() {
        match echo(&connection?) {
            Ok(bytes) => println!("echoed {bytes} bytes"),
            // A visitor who hangs up half way is no reason to stop.
            Err(error) => println!("lost the visitor: {error}"),
        }
    }
    Ok(())
}

fn echo(connection: &TcpStream) -> io::Result<u64> {
    let (mut reader, mut writer) = (connection, connection);
    io::copy(&mut reader, &mut writer)
}
