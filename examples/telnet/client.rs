//! Types the lines of standard input at the prompts of a Telnet server and
//! prints what it shows (RFC 854). Every option that the server offers or asks
//! for is refused, which leaves the plain terminal that all servers know.
//!
//! `portcullis run --policy examples/telnet/client.toml telnet-client.wasm 127.0.0.1:6023 'tel:sh> ' < lines`

mod terminal;

use std::env;
use std::io::{self, BufRead, Read, Write};

use portcullis_guest::TcpStream;

use crate::terminal::Terminal;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [server, prompt] = arguments.as_slice() else {
        return Err(io::Error::other("usage: telnet-client SERVER PROMPT"));
    };
    let mut server = TcpStream::connect(server)?;
    let mut terminal = Terminal::default();
    for line in io::stdin().lock().lines() {
        let mut shown = Vec::new();
        while !shown.ends_with(prompt.as_bytes()) {
            match receive(&mut server, &mut terminal)? {
                Some(text) => shown.extend(text),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        write!(server, "{}\r\n", line?)?;
    }
    while receive(&mut server, &mut terminal)?.is_some() {}
    Ok(())
}

/// Receives something, shows it, and refuses what it asks for; none if the
/// server has closed.
fn receive(server: &mut TcpStream, terminal: &mut Terminal) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; 4096];
    let length = server.read(&mut buffer)?;
    if length == 0 {
        return Ok(None);
    }
    let received = terminal.receive(buffer.get(..length).unwrap_or_default());
    server.write_all(&received.refusals)?;
    io::stdout().write_all(&received.text)?;
    io::stdout().flush()?;
    Ok(Some(received.text))
}
