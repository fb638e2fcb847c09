//! Sends the commands on standard input, one a line, all at once, and prints
//! what the server answers to each; or subscribes to a channel and prints what
//! is published there, for ever.
//!
//! `portcullis run --policy examples/redis/client.toml redis-client.wasm 127.0.0.1:6379 < commands`
//! `portcullis run --policy examples/redis/client.toml redis-client.wasm 127.0.0.1:6379 news`

use std::env;
use std::io::{self, BufRead, Read, Write};

use portcullis_guest::TcpStream;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "127.0.0.1:6379".into());
    let mut server = Connection {
        stream: TcpStream::connect(&server)?,
        received: Vec::new(),
    };
    if let Some(channel) = arguments.next() {
        server.send(&[&format!("SUBSCRIBE {channel}")])?;
        loop {
            println!("{}", shown(&server.receive()?));
        }
    }
    let commands: Vec<_> = io::stdin().lock().lines().collect::<io::Result<_>>()?;
    server.send(&commands)?;
    for _ in commands {
        println!("{}", shown(&server.receive()?));
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// The beginning of the next answer.
    received: Vec<u8>,
}

impl Connection {
    /// Sends commands without waiting for an answer between them.
    fn send(&mut self, commands: &[impl AsRef<str>]) -> io::Result<()> {
        let mut pipeline = Vec::new();
        for command in commands {
            let words = command.as_ref().split_whitespace();
            let words = words.map(|word| OwnedFrame::BulkString(word.into()));
            let command = OwnedFrame::Array(words.collect());
            let start = pipeline.len();
            pipeline.resize(start + command.encode_len(false), 0);
            let room = pipeline.get_mut(start..).unwrap_or_default();
            encode(room, &command, false).map_err(io::Error::other)?;
        }
        self.stream.write_all(&pipeline)
    }

    fn receive(&mut self) -> io::Result<OwnedFrame> {
        loop {
            if let Some((answer, length)) = decode(&self.received).map_err(io::Error::other)? {
                self.received.drain(..length);
                return Ok(answer);
            }
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received
                .extend(buffer.get(..length).unwrap_or_default());
        }
    }
}

/// An answer as `redis-cli` shows it, on one line.
fn shown(answer: &OwnedFrame) -> String {
    match answer {
        OwnedFrame::SimpleString(text) => String::from_utf8_lossy(text).into_owned(),
        OwnedFrame::Error(text) => format!("(error) {text}"),
        OwnedFrame::Integer(number) => format!("(integer) {number}"),
        OwnedFrame::BulkString(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        OwnedFrame::Array(answers) => {
            let answers: Vec<_> = answers.iter().map(shown).collect();
            format!("[{}]", answers.join(", "))
        }
        OwnedFrame::Null => "(nil)".into(),
    }
}
