//! Shows a menu or a text of Gopherspace (RFC 1436). What to show is said as in
//! the path of a `gopher:` address: the type, then the selector.
//!
//! `portcullis run --policy examples/gopher/client.toml gopher-client.wasm 127.0.0.1:7070 0/about.txt`

use std::env;
use std::io::{self, Write};

use portcullis_examples::LineStream;
use portcullis_guest::TcpStream;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "127.0.0.1:7070".into());
    let item = arguments.next().unwrap_or_else(|| "1".into());
    let (kind, selector) = item.split_at_checked(1).unwrap_or(("1", ""));

    let mut server = LineStream::new(TcpStream::connect(&server)?);
    server.send(selector)?;
    match kind {
        "1" => {
            while let Some(line) = server.receive_text_line()? {
                println!("{}", entry(&line));
            }
        }
        // Anything else is bytes until the server closes. Of a text the last line
        // should be a dot, which many servers leave out.
        _ => {
            let mut bytes = Vec::new();
            server.receive_rest(&mut bytes)?;
            if kind == "0" && bytes.ends_with(b"\n.\r\n") {
                bytes.truncate(bytes.len() - 3);
            }
            io::stdout().write_all(&bytes)?;
        }
    }
    Ok(())
}

/// A line of a menu as people read it, with what to ask for to follow it.
fn entry(line: &str) -> String {
    let (kind, fields) = line.split_at_checked(1).unwrap_or(("i", ""));
    let mut fields = fields.split('\t');
    let (shown, selector) = (fields.next(), fields.next());
    match (kind, shown, selector) {
        ("i", Some(shown), _) => shown.to_owned(),
        (_, Some(shown), Some(selector)) => format!("[{kind}{selector}] {shown}"),
        (_, _, _) => line.to_owned(),
    }
}
