//! Prints who wrote what in a mailbox, without changing it (RFC 9051).
//!
//! `portcullis run --env PASSWORD --policy examples/mail/imap.toml imap-client.wasm 127.0.0.1:8143 me INBOX`

use std::env;
use std::io::{self, Read, Write};

use imap_proto::{AttributeValue, Response, Status};
use portcullis_guest::TcpStream;

/// No response that was asked for here is longer.
const RESPONSE_LIMIT: usize = 1 << 20;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [server, user, mailbox] = arguments.as_slice() else {
        return Err(io::Error::other("usage: imap-client SERVER USER MAILBOX"));
    };
    let password = env::var("PASSWORD").map_err(io::Error::other)?;

    let mut server = Session {
        connection: TcpStream::connect(server)?,
        received: Vec::new(),
        commands: 0,
    };
    server.response()?;
    server.command(&format!("LOGIN {} {}", quoted(user)?, quoted(&password)?))?;
    server.command(&format!("EXAMINE {}", quoted(mailbox)?))?;
    let fields = "BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)]";
    for response in server.command(&format!("FETCH 1:* ({fields})"))? {
        let Response::Fetch(number, attributes) = response else {
            continue;
        };
        println!("--- {number}");
        for attribute in attributes {
            if let AttributeValue::BodySection {
                data: Some(data), ..
            } = attribute
            {
                print!("{}", String::from_utf8_lossy(&data));
            }
        }
    }
    server.command("LOGOUT")?;
    Ok(())
}

struct Session {
    connection: TcpStream,
    /// The beginning of the next response.
    received: Vec<u8>,
    commands: u32,
}

impl Session {
    /// Sends a command under a tag of its own and receives what the server says
    /// until it has done it.
    fn command(&mut self, command: &str) -> io::Result<Vec<Response<'static>>> {
        self.commands += 1;
        let own_tag = format!("a{}", self.commands);
        write!(self.connection, "{own_tag} {command}\r\n")?;
        let mut responses = Vec::new();
        loop {
            let response = self.response()?;
            let Response::Done {
                tag,
                status,
                outcome,
            } = response
            else {
                responses.push(response);
                continue;
            };
            if tag.0 == own_tag && status == Status::Ok {
                return Ok(responses);
            }
            let why = outcome.information.unwrap_or_default();
            return Err(io::Error::other(format!(
                "the server says {status:?} {why}"
            )));
        }
    }

    /// Receives the next response. It may go over several lines: a literal,
    /// `{12}`, is followed by so many bytes of anything.
    fn response(&mut self) -> io::Result<Response<'static>> {
        loop {
            match Response::parse(&self.received) {
                Ok((rest, response)) => {
                    let response = response.into_owned();
                    self.received = rest.to_vec();
                    return Ok(response);
                }
                Err(error) if error.is_incomplete() && self.received.len() < RESPONSE_LIMIT => {}
                Err(_) => return Err(io::Error::other("the server does not speak IMAP")),
            }
            let mut buffer = [0; 4096];
            let length = self.connection.read(&mut buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received
                .extend(buffer.get(..length).unwrap_or_default());
        }
    }
}

/// A word in quotes, in which a line end cannot stand.
fn quoted(word: &str) -> io::Result<String> {
    if word.contains(|char: char| char.is_control() || !char.is_ascii()) {
        return Err(io::Error::other("only printable ASCII can be quoted"));
    }
    Ok(format!(
        "\"{}\"",
        word.replace('\\', r"\\").replace('"', r#"\""#)
    ))
}
