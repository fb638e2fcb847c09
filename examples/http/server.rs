//! A web server: greets at `/`, sends back what is posted to `/echo`, and keeps
//! connections open for more requests.
//!
//! `portcullis run --policy examples/http/server.toml http-server.wasm`

mod site;

use std::env;
use std::io;

use portcullis_guest::TcpListener;

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&address)?;
    println!("Listening on {}", listener.local_addr()?);
    for connection in listener.incoming() {
        // A visitor who hangs up half way is no reason to stop.
        if let Err(error) = site::serve(&connection?) {
            println!("lost the visitor: {error}");
        }
    }
    Ok(())
}
