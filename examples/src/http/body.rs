//! The body of a message: where it ends, and its bytes without the framing.

use std::io::{self, BufRead, Read};

use super::headers::Headers;
use super::invalid;

/// A chunk's size with what may stand beside it.
const CHUNK_LINE_LIMIT: u64 = 1024;

/// How the end of a body is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Chunked,
    Length(u64),
    UntilClose,
}

impl Framing {
    /// What the header fields say; nothing, if they do not.
    ///
    /// A message that says two things is refused: whoever forwards it may
    /// believe the other, which is how requests are smuggled.
    pub(super) fn of(headers: &Headers) -> io::Result<Option<Self>> {
        let codings: Vec<_> = headers.all("transfer-encoding").collect();
        let mut lengths: Vec<_> = headers.all("content-length").collect();
        lengths.dedup();
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(None),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Self::Chunked)),
            (_, []) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a transfer coding other than chunked",
            )),
            ([], [length]) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Some(Self::Length(length.parse().map_err(invalid)?)))
            }
            _ => Err(invalid("the length of the body is stated badly")),
        }
    }
}

/// The body of a message, to be read to its end before the next message.
#[derive(Debug)]
pub struct Body<'a, R> {
    reader: &'a mut R,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So much is left, of the body or of a chunk.
    Left {
        bytes: u64,
        chunked: bool,
    },
    /// A chunk begins here.
    Chunk,
    UntilClose,
    End,
}

impl<'a, R: BufRead> Body<'a, R> {
    pub(super) fn new(reader: &'a mut R, framing: Framing) -> Self {
        let state = match framing {
            Framing::Chunked => State::Chunk,
            Framing::Length(bytes) => State::Left {
                bytes,
                chunked: false,
            },
            Framing::UntilClose => State::UntilClose,
        };
        Self { reader, state }
    }

    /// Receives the whole of it, if it has at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// `FileTooLarge`; those of reading.
    pub fn receive(self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.reader
            .by_ref()
            .take(CHUNK_LINE_LIMIT)
            .read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Err(invalid("a chunk that is cut off"));
        }
        Ok(line)
    }

    fn begin_chunk(&mut self) -> io::Result<State> {
        let line = self.line()?;
        let size = match httparse::parse_chunk_size(&line) {
            Ok(httparse::Status::Complete((_, size))) => size,
            Ok(httparse::Status::Partial) | Err(_) => return Err(invalid("not a chunk's size")),
        };
        if size > 0 {
            return Ok(State::Left {
                bytes: size,
                chunked: true,
            });
        }
        // The trailer, of which nothing is needed.
        for _ in 0..super::head::HEADERS_LIMIT {
            if matches!(self.line()?.as_slice(), b"\r\n" | b"\n") {
                return Ok(State::End);
            }
        }
        Err(invalid("a trailer without an end"))
    }
}

impl<R: BufRead> Read for Body<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::End => return Ok(0),
                State::UntilClose => return self.reader.read(buffer),
                State::Chunk => self.state = self.begin_chunk()?,
                State::Left { bytes: 0, chunked } => {
                    if chunked && !matches!(self.line()?.as_slice(), b"\r\n" | b"\n") {
                        return Err(invalid("a chunk longer than it says"));
                    }
                    self.state = if chunked { State::Chunk } else { State::End };
                }
                State::Left { bytes, chunked } => {
                    let read = self.reader.by_ref().take(bytes).read(buffer)?;
                    if read == 0 && !buffer.is_empty() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.state = State::Left {
                        bytes: bytes - read as u64,
                        chunked,
                    };
                    return Ok(read);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(lines: &str) -> Result<Option<Framing>, io::ErrorKind> {
        let head = format!("{lines}\r\n");
        let mut parsed = [httparse::EMPTY_HEADER; 8];
        let parsed = httparse::parse_headers(head.as_bytes(), &mut parsed).unwrap();
        let httparse::Status::Complete((_, parsed)) = parsed else {
            panic!("{lines} is no head");
        };
        Framing::of(&parsed.into()).map_err(|error| error.kind())
    }

    #[test]
    fn a_body_has_one_framing() {
        use io::ErrorKind::{InvalidData, Unsupported};
        let check = |lines, expected| assert_eq!(framing(lines), expected, "{lines}");
        check("Host: a\r\n", Ok(None));
        check("Content-Length: 5\r\n", Ok(Some(Framing::Length(5))));
        check(
            "content-length: 5\r\nContent-Length: 5\r\n",
            Ok(Some(Framing::Length(5))),
        );
        check("Transfer-Encoding: Chunked\r\n", Ok(Some(Framing::Chunked)));
        check("Transfer-Encoding: gzip, chunked\r\n", Err(Unsupported));
        check(
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            Err(InvalidData),
        );
        check(
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            Err(InvalidData),
        );
        check("Content-Length: +5\r\n", Err(InvalidData));
        check("Content-Length: 5, 5\r\n", Err(InvalidData));
        check("Content-Length:\r\n", Err(InvalidData));
        check("Content-Length: 99999999999999999999\r\n", Err(InvalidData));
    }

    fn receive(mut said: &[u8], framing: Framing) -> Result<(Vec<u8>, Vec<u8>), io::ErrorKind> {
        match Body::new(&mut said, framing).receive(20) {
            Ok(body) => Ok((body, said.to_vec())),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let whole = |body: &str, rest: &str| Ok((body.into(), rest.into()));
        let check = |said: &str, framing, expected| {
            assert_eq!(receive(said.as_bytes(), framing), expected, "{said}");
        };
        check("hello more", Framing::Length(5), whole("hello", " more"));
        check("", Framing::Length(0), whole("", ""));
        check("hello", Framing::UntilClose, whole("hello", ""));
        check(
            "5\r\nhello\r\n3;a=b\r\n lo\r\n0\r\n\r\nmore",
            Framing::Chunked,
            whole("hello lo", "more"),
        );
        check(
            "0\r\nTrailer: a\r\n\r\nmore",
            Framing::Chunked,
            whole("", "more"),
        );
    }

    #[test]
    fn a_body_that_is_cut_off_or_too_long_is_refused() {
        use io::ErrorKind::{FileTooLarge, InvalidData, UnexpectedEof};
        let check = |said: &str, framing, expected| {
            assert_eq!(receive(said.as_bytes(), framing), Err(expected), "{said}");
        };
        check("hel", Framing::Length(5), UnexpectedEof);
        check("5\r\nhel", Framing::Chunked, UnexpectedEof);
        check("5\r\nhello\r\n", Framing::Chunked, InvalidData);
        check("5\r\nhello more\r\n", Framing::Chunked, InvalidData);
        check("five\r\nhello\r\n", Framing::Chunked, InvalidData);
        check("fffffffffffffffff\r\n", Framing::Chunked, InvalidData);
        check("123456789012345678901", Framing::Length(21), FileTooLarge);
        check("123456789012345678901", Framing::UntilClose, FileTooLarge);
    }
}
