//! Sending a file's bytes: Python's `sendfile`.

use std::io::{self, Read, Seek, SeekFrom};

use super::Socket;

/// How much is read at once.
const PIECE: usize = 64 << 10;

impl Socket {
    /// Sends the bytes of `file` from `offset` on, up to `count` of them or to
    /// its end, and says how many.
    ///
    /// When it returns, even with an error, the file stands behind the last byte
    /// that was sent.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), and of reading the file.
    pub fn send_file<F: Read + Seek>(
        &self,
        file: &mut F,
        offset: u64,
        count: Option<u64>,
    ) -> io::Result<u64> {
        send_file(file, offset, count, |data| self.send(data))
    }
}

fn send_file<F: Read + Seek>(
    file: &mut F,
    offset: u64,
    count: Option<u64>,
    send: impl FnMut(&[u8]) -> io::Result<usize>,
) -> io::Result<u64> {
    file.seek(SeekFrom::Start(offset))?;
    let mut sent = 0;
    let outcome = send_pieces(file, count.unwrap_or(u64::MAX), &mut sent, send);
    // Where it stands is known even where the error is not the file's.
    let position = file.seek(SeekFrom::Start(offset.saturating_add(sent)));
    outcome?;
    position?;
    Ok(sent)
}

fn send_pieces(
    file: &mut impl Read,
    count: u64,
    sent: &mut u64,
    mut send: impl FnMut(&[u8]) -> io::Result<usize>,
) -> io::Result<()> {
    let mut file = file.take(count);
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece)?;
        let mut rest = piece.get(..length).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        while !rest.is_empty() {
            let taken = send(rest)?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            *sent = sent.saturating_add(taken as u64);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Sends a file with a peer that takes up to seven bytes at once, and fails
    /// after `patience` bytes. Returns what was sent, the outcome, and where the
    /// file stands.
    fn send(
        file: &[u8],
        offset: u64,
        count: Option<u64>,
        patience: usize,
    ) -> (Vec<u8>, io::Result<u64>, u64) {
        let mut file = Cursor::new(file);
        let mut peer = Vec::new();
        let outcome = send_file(&mut file, offset, count, |data| {
            if peer.len() >= patience {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let taken = data.len().min(7);
            peer.extend_from_slice(&data[..taken]);
            Ok(taken)
        });
        (peer, outcome, file.position())
    }

    #[test]
    fn a_file_is_sent_to_its_end() {
        let file: Vec<u8> = (0..PIECE + 100)
            .map(|index| index.to_le_bytes()[0])
            .collect();
        let (sent, outcome, position) = send(&file, 0, None, usize::MAX);
        assert_eq!(sent, file);
        assert_eq!(outcome.unwrap(), file.len() as u64);
        assert_eq!(position, file.len() as u64);
    }

    #[test]
    fn a_part_of_a_file_is_sent() {
        let (sent, outcome, position) = send(b"0123456789", 2, Some(5), usize::MAX);
        assert_eq!(sent, b"23456");
        assert_eq!(outcome.unwrap(), 5);
        assert_eq!(position, 7);
    }

    #[test]
    fn after_an_error_the_file_stands_behind_what_was_sent() {
        let (sent, outcome, position) = send(b"0123456789", 1, None, 7);
        assert_eq!(sent, b"1234567");
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(position, 8);
    }

    #[test]
    fn nothing_is_sent_from_beyond_the_end() {
        let (sent, outcome, _) = send(b"short", 10, None, usize::MAX);
        assert!(sent.is_empty());
        assert_eq!(outcome.unwrap(), 0);
    }
}
