//! Connects, prints what the server has to say, and leaves.
//!
//! `portcullis run --policy examples/greeting/client.toml greeting-client.wasm`

use std::env;
use std::io::{self, Read, Write};

use portcullis_guest::TcpStream;

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12345".into());
    let mut connection = TcpStream::connect(&address)?;
    let mut line = [0; 1024];
    let length = connection.read(&mut line)?;
    io::stdout().write_all(line.get(..length).unwrap_or_default())
}
