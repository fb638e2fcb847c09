//! Echoes to one visitor after the other, with blocking calls.

use std::io::{self, Read, Write};

use portcullis_guest::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let (address, size) = portcullis_bench_guests::arguments()?;
    let listener = TcpListener::bind(&address)?;
    let mut buffer = vec![0; size];
    for connection in listener.incoming() {
        // A visitor who resets is gone as well.
        let _ = echo(&connection?, &mut buffer);
    }
    Ok(())
}

fn echo(mut connection: &TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let length = connection.read(buffer)?;
        match buffer.get(..length) {
            Some(received) if !received.is_empty() => connection.write_all(received)?,
            _ => return Ok(()),
        }
    }
}
