//! Replies with a number of three digits, as SMTP, FTP and NNTP have them.

use std::io::{self, Read, Write};

use crate::line_stream::LineStream;

/// No server has as much to say.
const LINES_LIMIT: usize = 1_000;

/// What a server says to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What machines read: its first digit tells success from failure.
    pub code: u16,
    /// What people read, without the code.
    pub lines: Vec<String>,
}

impl Reply {
    /// Receives a reply of one line, or of several: `250-one`, `250 two`.
    ///
    /// # Errors
    ///
    /// `InvalidData` for what is no reply; those of the stream.
    pub fn receive<S: Read + Write>(stream: &mut LineStream<S>) -> io::Result<Self> {
        let line = stream.receive()?;
        let (code, mark, text) = parse(&line).ok_or_else(|| no_reply(&line))?;
        let mut reply = Self {
            code,
            lines: vec![text.to_owned()],
        };
        let mut is_last = mark != '-';
        while !is_last {
            let line = stream.receive()?;
            if reply.lines.len() == LINES_LIMIT {
                return Err(no_reply("one that does not end"));
            }
            // In FTP the lines between may be anything.
            let text = match parse(&line) {
                Some((again, mark, text)) if again == code => {
                    is_last = mark != '-';
                    text
                }
                Some(_) | None => &line,
            };
            reply.lines.push(text.to_owned());
        }
        Ok(reply)
    }

    /// Receives a reply that has to have one of `codes`.
    ///
    /// # Errors
    ///
    /// With what the server says if it has another; those of
    /// [`receive`](Reply::receive).
    pub fn expect<S: Read + Write>(stream: &mut LineStream<S>, codes: &[u16]) -> io::Result<Self> {
        let reply = Self::receive(stream)?;
        if codes.contains(&reply.code) {
            return Ok(reply);
        }
        Err(io::Error::other(format!(
            "the server says {} {}",
            reply.code,
            reply.lines.join(" / ")
        )))
    }

    /// Its first line, which is all of most replies.
    pub fn text(&self) -> &str {
        self.lines.first().map_or("", String::as_str)
    }
}

/// The code, what follows it, and the text.
fn parse(line: &str) -> Option<(u16, char, &str)> {
    let (code, rest) = line.split_at_checked(3)?;
    if !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let code = code.parse().ok()?;
    match rest.chars().next() {
        None => Some((code, ' ', "")),
        Some(mark @ (' ' | '-')) => Some((code, mark, rest.get(1..)?)),
        Some(_) => None,
    }
}

fn no_reply(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not a reply: {}", line.escape_debug()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(u16, char, &str)>) {
        assert_eq!(parse(line), expected);
    }

    #[test]
    fn a_reply_has_three_digits_and_a_mark() {
        check("220 ready", Some((220, ' ', "ready")));
        check("250-SIZE 1000", Some((250, '-', "SIZE 1000")));
        check("354", Some((354, ' ', "")));
        check("2200 ready", None);
        check("+22 ready", None);
        check("22", None);
        check("22é", None);
        check("ready", None);
    }

    #[test]
    fn lines_between_may_be_anything() {
        let said = b"211-Features:\r\n EPRT\r\n212 not the end\r\n211 End\r\n".to_vec();
        let mut stream = LineStream::new(io::Cursor::new(said));
        let reply = Reply::receive(&mut stream).unwrap();
        assert_eq!(reply.code, 211);
        assert_eq!(
            reply.lines,
            ["Features:", " EPRT", "212 not the end", "End"]
        );
    }

    #[test]
    fn a_reply_that_does_not_end_is_refused() {
        let mut stream = LineStream::new(io::Cursor::new("220-a\r\n".repeat(2_000).into_bytes()));
        let error = Reply::receive(&mut stream).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
