//! A response, as a client receives it.

use std::io::{self, BufRead, BufReader, Read, Write};

use super::body::{Body, Framing};
use super::head::{self, HEADERS_LIMIT};
use super::headers::Headers;
use super::invalid;

/// The head of a response.
#[derive(Clone, Debug)]
pub struct Response {
    /// 200, 404 and so on.
    pub status: u16,
    /// What people read: `Not Found`.
    pub reason: String,
    /// The header fields.
    pub headers: Headers,
    minor_version: u8,
    framing: Framing,
}

impl Response {
    /// Asks `host` for `target` and receives the head of the response.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `target` is more than that; those of receiving.
    pub fn get<S: Read + Write>(
        stream: &mut BufReader<S>,
        host: &str,
        target: &str,
    ) -> io::Result<Self> {
        if [host, target]
            .iter()
            .any(|word| word.contains(|char: char| !char.is_ascii_graphic()))
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a target of a request",
            ));
        }
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.get_mut().write_all(request.as_bytes())?;
        stream.get_mut().flush()?;
        loop {
            let response = Self::receive(stream)?;
            // 100 Continue and its like come before the response.
            if response.status >= 200 {
                return Ok(response);
            }
        }
    }

    /// Receives the head of a response to anything but `HEAD` and `CONNECT`.
    ///
    /// # Errors
    ///
    /// `InvalidData` for what is no response, `Unsupported` for a body that
    /// cannot be read; those of the stream.
    pub fn receive(reader: &mut impl BufRead) -> io::Result<Self> {
        let head = head::receive(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed.parse(&head).map_err(invalid)?;
        let (Some(status), Some(minor_version)) = (parsed.code, parsed.version) else {
            return Err(invalid("a response that is cut off"));
        };
        let headers = Headers::from(&*parsed.headers);
        let framing = match status {
            100..200 | 204 | 304 => Framing::Length(0),
            _ => Framing::of(&headers)?.unwrap_or(Framing::UntilClose),
        };
        Ok(Self {
            status,
            reason: parsed.reason.unwrap_or_default().to_owned(),
            headers,
            minor_version,
            framing,
        })
    }

    /// Its body, of which nothing was received yet.
    pub fn body<'a, R: BufRead>(&self, reader: &'a mut R) -> Body<'a, R> {
        Body::new(reader, self.framing)
    }

    /// Whether the connection can be asked for more, once the body was received.
    pub fn keep_alive(&self) -> bool {
        self.framing != Framing::UntilClose && self.headers.keep_alive(self.minor_version)
    }
}
