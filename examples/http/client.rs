//! Gets pages and prints them, all over one connection if the server keeps it.
//!
//! `portcullis run --policy examples/http/client.toml http-client.wasm 127.0.0.1:8080 / /about`

use std::env;
use std::io::{self, BufReader, Write};

use portcullis_examples::http::Response;
use portcullis_guest::TcpStream;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let mut targets: Vec<_> = arguments.collect();
    if targets.is_empty() {
        targets.push("/".into());
    }

    let mut kept = None;
    for target in targets {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(&server)?),
        };
        let response = Response::get(&mut connection, &server, &target)?;
        println!("{} {}", response.status, response.reason);
        io::copy(&mut response.body(&mut connection), &mut io::stdout())?;
        io::stdout().flush()?;
        if response.keep_alive() {
            kept = Some(connection);
        }
    }
    Ok(())
}
