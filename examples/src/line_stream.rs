//! Lines that end with CR LF, and texts that end with a lone dot, as SMTP, POP3,
//! IMAP, FTP, NNTP and Gopher have them.
//!
//! What the lines mean is for the protocols.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Longer lines are refused: RFC 5321 has at most 1,000 bytes, RFC 9051 asks for
/// at least 8,000.
const LINE_LIMIT: u64 = 16 * 1024;

/// A stream of which lines are sent and received.
#[derive(Debug)]
pub struct LineStream<S>(BufReader<S>);

impl<S: Read + Write> LineStream<S> {
    /// Speaks in lines over `stream`.
    pub fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    /// The stream beneath. What it received before may wait here.
    pub fn stream(&self) -> &S {
        self.0.get_ref()
    }

    /// Sends one line.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `line` would be several: what was meant as an argument
    /// must not become a command. Those of the stream, here and below.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        if line.contains(['\r', '\n', '\0']) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a line has a line end or a zero in it",
            ));
        }
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes())
    }

    /// Receives one line, without its end.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the peer has closed; `InvalidData` for a line without
    /// an end in sight.
    pub fn receive(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.0)
            .take(LINE_LIMIT)
            .read_until(b'\n', &mut line)?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return Err(match line.len() as u64 {
                LINE_LIMIT => io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a line of more than {LINE_LIMIT} bytes"),
                ),
                _ => io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the peer closed in the middle of the conversation",
                ),
            });
        }
        line.pop_if(|last| *last == b'\r');
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Receives what comes until the peer closes.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    pub fn receive_rest(&mut self, to: &mut impl Write) -> io::Result<u64> {
        io::copy(&mut self.0, to)
    }

    /// Sends a text and the dot that ends it.
    ///
    /// # Errors
    ///
    /// Those of reading `text` and of the stream.
    pub fn send_text(&mut self, text: impl BufRead) -> io::Result<()> {
        for line in text.lines() {
            let line = line?;
            let dot = if line.starts_with('.') { "." } else { "" };
            self.send(&format!("{dot}{line}"))?;
        }
        self.send(".")
    }

    /// Receives the next line of a text; none is its end.
    ///
    /// # Errors
    ///
    /// Those of [`receive`](LineStream::receive).
    pub fn receive_text_line(&mut self) -> io::Result<Option<String>> {
        let line = self.receive()?;
        Ok(match line.strip_prefix('.') {
            Some("") => None,
            Some(stuffed) => Some(stuffed.to_owned()),
            None => Some(line),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that has said `said` and listens.
    struct Peer {
        said: io::Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.said.read(buffer)
        }
    }

    impl Write for Peer {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.heard.write(data)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn says(said: impl Into<Vec<u8>>) -> LineStream<Peer> {
        LineStream::new(Peer {
            said: io::Cursor::new(said.into()),
            heard: Vec::new(),
        })
    }

    #[test]
    fn a_line_ends_with_a_line_feed_and_perhaps_a_carriage_return_before() {
        let mut stream = says("one\r\ntwo\n\r\nfour");
        assert_eq!(stream.receive().unwrap(), "one");
        assert_eq!(stream.receive().unwrap(), "two");
        assert_eq!(stream.receive().unwrap(), "");
        let cut = stream.receive().unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let error = says(vec![b'a'; 1 << 20]).receive().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn an_argument_does_not_become_a_command() {
        let mut stream = says("");
        let error = stream.send("RCPT TO:<a@b>\r\nRCPT TO:<c@d>").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(stream.stream().heard.is_empty());
    }

    #[test]
    fn the_dots_of_a_text_do_not_end_it() {
        let mut stream = says("..\r\n..a.\r\n\r\n.\r\nafter\r\n");
        assert_eq!(stream.receive_text_line().unwrap().as_deref(), Some("."));
        assert_eq!(stream.receive_text_line().unwrap().as_deref(), Some(".a."));
        assert_eq!(stream.receive_text_line().unwrap().as_deref(), Some(""));
        assert_eq!(stream.receive_text_line().unwrap(), None);
        assert_eq!(stream.receive().unwrap(), "after");
        stream.send_text(&b"a\n.\n.b"[..]).unwrap();
        assert_eq!(stream.stream().heard, b"a\r\n..\r\n..b\r\n.\r\n");
    }
}
