//! Prints the messages of a mailbox and leaves them there (RFC 1939).
//!
//! `portcullis run --env PASSWORD --policy examples/mail/pop3.toml pop3-client.wasm 127.0.0.1:8110 me@example.org`

use std::env;
use std::io;

use portcullis_examples::LineStream;
use portcullis_guest::TcpStream;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [server, user] = arguments.as_slice() else {
        return Err(io::Error::other("usage: pop3-client SERVER USER"));
    };
    let password = env::var("PASSWORD").map_err(io::Error::other)?;

    let mut server = LineStream::new(TcpStream::connect(server)?);
    expect_ok(&mut server)?;
    command(&mut server, &format!("USER {user}"))?;
    command(&mut server, &format!("PASS {password}"))?;
    let drop_listing = command(&mut server, "STAT")?;
    let messages = drop_listing
        .split(' ')
        .next()
        .and_then(|count| count.parse::<u32>().ok())
        .ok_or_else(|| io::Error::other(format!("not an answer to STAT: {drop_listing}")))?;
    for message in 1..=messages {
        command(&mut server, &format!("RETR {message}"))?;
        println!("--- {message} of {messages}");
        while let Some(line) = server.receive_text_line()? {
            println!("{line}");
        }
    }
    command(&mut server, "QUIT")?;
    Ok(())
}

fn command(server: &mut LineStream<TcpStream>, line: &str) -> io::Result<String> {
    server.send(line)?;
    expect_ok(server)
}

/// Receives `+OK` and returns what follows; anything else is an error.
fn expect_ok(server: &mut LineStream<TcpStream>) -> io::Result<String> {
    let line = server.receive()?;
    match line.strip_prefix("+OK") {
        Some(rest) => Ok(rest.trim_start().to_owned()),
        None => Err(io::Error::other(format!("the server says {line}"))),
    }
}
