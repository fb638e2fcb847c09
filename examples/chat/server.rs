//! One half of a conversation: prints what the visitor says and answers with
//! what is typed. Ends when the visitor leaves.
//!
//! `portcullis run --policy examples/chat/server.toml chat-server.wasm`

use std::env;
use std::io::{self, BufRead, BufReader, Write};

use portcullis_guest::TcpListener;

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12346".into());
    let listener = TcpListener::bind(&address)?;
    println!("Listening on {}", listener.local_addr()?);
    let (visitor, peer) = listener.accept()?;
    println!("Connection from {peer}");
    let mut answers = io::stdin().lock().lines();
    for said in BufReader::new(&visitor).lines() {
        println!("from connected user: {}", said?);
        print!(" -> ");
        io::stdout().flush()?;
        match answers.next() {
            Some(answer) => writeln!(&visitor, "{}", answer?)?,
            None => break,
        }
    }
    Ok(())
}
