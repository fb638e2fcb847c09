//! The other half: sends what is typed and prints the answer, until `q`.
//!
//! `portcullis run --policy examples/chat/client.toml chat-client.wasm`

use std::env;
use std::io::{self, BufRead, BufReader, Write};

use portcullis_guest::TcpStream;

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12346".into());
    let server = TcpStream::connect(&address)?;
    let mut answers = BufReader::new(&server).lines();
    prompt()?;
    for typed in io::stdin().lock().lines() {
        let typed = typed?;
        if typed.trim() == "q" {
            break;
        }
        writeln!(&server, "{typed}")?;
        match answers.next() {
            Some(answer) => println!("Received from server: {}", answer?),
            None => break,
        }
        prompt()?;
    }
    Ok(())
}

fn prompt() -> io::Result<()> {
    print!(" -> ");
    io::stdout().flush()
}
