//! Prints the machine's name and where a host's web server is.
//!
//! `portcullis run --policy examples/names/policy.toml example-names.wasm`

use std::env;
use std::io;

use portcullis_guest::{Network, lookup};

fn main() -> io::Result<()> {
    let host = env::args().nth(1).unwrap_or_else(|| "localhost".into());
    println!("this machine is called {}", Network::default().host_name());
    for address in lookup(format!("{host}:www"))? {
        println!("{host} serves the web at {address}");
    }
    Ok(())
}
