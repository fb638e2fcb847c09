//! The head of a message: everything before its body, unparsed.

use std::io::{self, BufRead, Read};

use super::invalid;

/// What nginx and Apache take by default, or more.
const LIMIT: u64 = 16 * 1024;

/// As many as `http.client` takes.
pub(super) const HEADERS_LIMIT: usize = 100;

/// Receives a head with the empty line that ends it; none if the peer closed
/// before it began.
pub(super) fn receive(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut reader = reader.take(LIMIT);
    let mut head = Vec::new();
    loop {
        let start = head.len();
        if reader.read_until(b'\n', &mut head)? == 0 {
            return match () {
                () if reader.limit() == 0 => Err(invalid("a head of more than 16 KiB")),
                () if head.is_empty() => Ok(None),
                () => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        if matches!(head.get(start..), Some(b"\r\n" | b"\n")) {
            if start > 0 {
                return Ok(Some(head));
            }
            // An empty line that is too many after the message before.
            head.clear();
        }
    }
}
