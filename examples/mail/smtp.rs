//! Sends the message on standard input (RFC 5321).
//!
//! `portcullis run --policy examples/mail/smtp.toml smtp-client.wasm 127.0.0.1:8025 me@example.org you@example.org < message`

use std::env;
use std::io;

use portcullis_examples::{LineStream, Reply};
use portcullis_guest::{Network, TcpStream};

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [server, sender, recipients @ ..] = arguments.as_slice() else {
        return Err(io::Error::other("usage: smtp-client SERVER FROM TO..."));
    };
    let mut server = LineStream::new(TcpStream::connect(server)?);
    Reply::expect(&mut server, &[220])?;
    server.send(&format!("EHLO {}", Network::default().host_name()))?;
    Reply::expect(&mut server, &[250])?;
    server.send(&format!("MAIL FROM:<{sender}>"))?;
    Reply::expect(&mut server, &[250])?;
    for recipient in recipients {
        server.send(&format!("RCPT TO:<{recipient}>"))?;
        Reply::expect(&mut server, &[250, 251])?;
    }
    server.send("DATA")?;
    Reply::expect(&mut server, &[354])?;
    server.send_text(io::stdin().lock())?;
    let taken = Reply::expect(&mut server, &[250])?;
    println!("The server says: {}", taken.text());
    server.send("QUIT")?;
    Reply::expect(&mut server, &[221])?;
    Ok(())
}
