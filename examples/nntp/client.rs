//! Reads a newsgroup, or posts the article on standard input (RFC 3977).
//!
//! `portcullis run --policy examples/nntp/client.toml nntp-client.wasm 127.0.0.1:8119 read local.test`
//! `portcullis run --policy examples/nntp/client.toml nntp-client.wasm 127.0.0.1:8119 post < article`

use std::env;
use std::io;

use portcullis_examples::{LineStream, Reply};
use portcullis_guest::TcpStream;

const USAGE: &str = "usage: nntp-client SERVER read GROUP | nntp-client SERVER post";

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [server, what @ ..] = words.as_slice() else {
        return Err(io::Error::other(USAGE));
    };
    let mut server = LineStream::new(TcpStream::connect(server)?);
    // Posting is allowed with 200 and not with 201.
    Reply::expect(&mut server, &[200, 201])?;
    match what {
        ["read", group] => read(&mut server, group)?,
        ["post"] => post(&mut server)?,
        _ => return Err(io::Error::other(USAGE)),
    }
    server.send("QUIT")?;
    Reply::expect(&mut server, &[205])?;
    Ok(())
}

/// Prints every article of a group.
fn read(server: &mut LineStream<TcpStream>, group: &str) -> io::Result<()> {
    server.send(&format!("GROUP {group}"))?;
    let reply = Reply::expect(server, &[211])?;
    let numbers: Vec<u64> = reply
        .text()
        .split(' ')
        .map_while(|number| number.parse().ok())
        .collect();
    let [_, first, last] = *numbers.as_slice() else {
        return Err(io::Error::other(format!("no range in {}", reply.text())));
    };
    for number in first..=last {
        server.send(&format!("ARTICLE {number}"))?;
        // The range has holes where articles were cancelled.
        if Reply::expect(server, &[220, 423, 430])?.code != 220 {
            continue;
        }
        println!("--- {number}");
        while let Some(line) = server.receive_text_line()? {
            println!("{line}");
        }
    }
    Ok(())
}

fn post(server: &mut LineStream<TcpStream>) -> io::Result<()> {
    server.send("POST")?;
    Reply::expect(server, &[340])?;
    server.send_text(io::stdin().lock())?;
    println!("The server says: {}", Reply::expect(server, &[240])?.text());
    Ok(())
}
