//! What the web server and the handler have to say to one visitor.

use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::time::Duration;

use portcullis_examples::http::Request;
use portcullis_guest::TcpStream;

/// How long a visitor may say nothing.
const PATIENCE: Duration = Duration::from_secs(5);
const BODY_LIMIT: u64 = 1 << 20;

/// Answers requests until either side has enough.
pub(crate) fn serve(connection: &TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(connection);
    loop {
        let mut keep_alive = false;
        let answer = match Request::receive(&mut reader) {
            Ok(None) => return Ok(()),
            Ok(Some(request)) => {
                if request.expects_continue() {
                    (&*connection).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                }
                let body = request.body(&mut reader).receive(BODY_LIMIT);
                keep_alive = body.is_ok() && request.keep_alive();
                let answer = body.map_or_else(refuse, |body| Ok(route(&request, body)))?;
                println!("{} {} {}", request.method, request.target, answer.status);
                Answer {
                    without_body: request.method == "HEAD",
                    ..answer
                }
            }
            // One who waits between requests has heard everything.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => refuse(error)?,
        };
        answer.send(connection, keep_alive)?;
        if !keep_alive {
            return close(connection);
        }
    }
}

fn route(request: &Request, body: Vec<u8>) -> Answer {
    match (&*request.target, &*request.method) {
        ("/", "GET" | "HEAD") => Answer::new("200 OK", "Hello from the sandbox\n"),
        ("/echo", "POST") => Answer::new("200 OK", body),
        ("/" | "/echo", _) => Answer::new("405 Method Not Allowed", "Not like this\n"),
        _ => Answer::new("404 Not Found", "Nothing here\n"),
    }
}

/// What to tell one whose request cannot be read; an error, if nobody listens.
fn refuse(error: io::Error) -> io::Result<Answer> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all the others mean that the connection is lost"
    )]
    let status = match error.kind() {
        io::ErrorKind::InvalidData => "400 Bad Request",
        io::ErrorKind::WouldBlock => "408 Request Timeout",
        io::ErrorKind::FileTooLarge => "413 Content Too Large",
        io::ErrorKind::Unsupported => "501 Not Implemented",
        _ => return Err(error),
    };
    Ok(Answer::new(status, format!("{error}\n")))
}

struct Answer {
    status: &'static str,
    body: Vec<u8>,
    without_body: bool,
}

impl Answer {
    fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            without_body: false,
        }
    }

    fn send(&self, mut connection: &TcpStream, keep_alive: bool) -> io::Result<()> {
        let mut message = format!(
            "HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n",
            self.status,
            self.body.len(),
        );
        if self.status.starts_with("405") {
            message.push_str("Allow: GET, HEAD, POST\r\n");
        }
        if !keep_alive {
            message.push_str("Connection: close\r\n");
        }
        message.push_str("\r\n");
        let mut message = message.into_bytes();
        if !self.without_body {
            message.extend(&self.body);
        }
        connection.write_all(&message)
    }
}

/// Closing while something waits to be read would reset the connection, and the
/// answer might be lost with it.
fn close(connection: &TcpStream) -> io::Result<()> {
    connection.shutdown(Shutdown::Write)?;
    let mut rest = io::Read::take(connection, 2 * BODY_LIMIT);
    match io::copy(&mut rest, &mut io::sink()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
