//! A request, as a server receives it.

use std::io::{self, BufRead};

use super::body::{Body, Framing};
use super::head::{self, HEADERS_LIMIT};
use super::headers::Headers;
use super::invalid;

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` and so on; case matters.
    pub method: String,
    /// What is asked for: `/echo?twice`.
    pub target: String,
    /// The header fields.
    pub headers: Headers,
    minor_version: u8,
    framing: Framing,
}

impl Request {
    /// Receives a head; none if the client closed before it began.
    ///
    /// # Errors
    ///
    /// `InvalidData` for what is no request, `Unsupported` for a body that cannot
    /// be read; those of the stream.
    pub fn receive(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(head) = head::receive(reader)? else {
            return Ok(None);
        };
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_LIMIT];
        let mut parsed = httparse::Request::new(&mut fields);
        parsed.parse(&head).map_err(invalid)?;
        let (Some(method), Some(target), Some(minor_version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(invalid("a request that is cut off"));
        };
        let headers = Headers::from(&*parsed.headers);
        if minor_version > 0 && headers.all("host").count() != 1 {
            return Err(invalid("a request needs one Host"));
        }
        Ok(Some(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            // A request without a length has no body.
            framing: Framing::of(&headers)?.unwrap_or(Framing::Length(0)),
            headers,
            minor_version,
        }))
    }

    /// Its body, of which nothing was received yet.
    pub fn body<'a, R: BufRead>(&self, reader: &'a mut R) -> Body<'a, R> {
        Body::new(reader, self.framing)
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.minor_version > 0 && self.headers.lists("expect", "100-continue")
    }

    /// Whether the client will go on with this connection.
    pub fn keep_alive(&self) -> bool {
        self.headers.keep_alive(self.minor_version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(mut said: &[u8]) -> Result<Option<Request>, io::ErrorKind> {
        Request::receive(&mut said).map_err(|error| error.kind())
    }

    #[test]
    fn a_request_is_read_and_its_connection_kept() {
        let request = receive(b"\r\nGET /a?b HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!((&*request.method, &*request.target), ("GET", "/a?b"));
        assert_eq!(request.headers.first("HOST"), Some("a"));
        assert!(request.keep_alive());
        let closing = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n";
        assert!(!receive(closing).unwrap().unwrap().keep_alive());
        assert!(
            !receive(b"GET / HTTP/1.0\r\n\r\n")
                .unwrap()
                .unwrap()
                .keep_alive()
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        let check = |said: &[u8], expected| {
            assert_eq!(
                receive(said).err(),
                Some(expected),
                "{}",
                said.escape_ascii()
            );
        };
        assert!(receive(b"").unwrap().is_none());
        check(b"GET / HTTP/1.1\r\nHost: a\r\n", UnexpectedEof);
        check(b"GET / HTTP/1.1\r\n\r\n", InvalidData);
        check(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", InvalidData);
        check(b"GET /\r\n\r\n", InvalidData);
        check(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", InvalidData);
        check(
            b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
            InvalidData,
        );
        check(&[b'A'; 20_000], InvalidData);
        check(&b"\r\n".repeat(20_000), InvalidData);
        let fields = "a: b\r\n".repeat(101);
        check(
            format!("GET / HTTP/1.0\r\n{fields}\r\n").as_bytes(),
            InvalidData,
        );
    }
}
