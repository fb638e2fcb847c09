//! What a handler prints, line by line, each behind the number of the connection that
//! it is for. It must not print.

/// How long a line may be before it is broken.
const LONGEST: usize = 4 << 10;

/// The line that a handler has begun.
#[derive(Debug, Default)]
pub(super) struct Lines {
    number: u64,
    begun: Vec<u8>,
}

impl Lines {
    /// What is to be printed once a piece has been added for a connection, and how much
    /// of the piece is in it: the rest is the beginning of a line.
    pub(super) fn with(&self, number: u64, piece: &[u8]) -> (Vec<u8>, usize) {
        let mut text = Vec::new();
        let mut begun = self.begun.as_slice();
        if number != self.number {
            // It was for another, and nothing more comes for that one.
            print(&mut text, self.number, begun);
            begun = &[];
        }
        let end = piece.iter().rposition(|byte| *byte == b'\n');
        let printed = match end {
            Some(end) => end + 1,
            None if begun.len() + piece.len() > LONGEST => piece.len(),
            None => 0,
        };
        let (whole, _) = piece.split_at(printed);
        if printed > 0 {
            print(&mut text, number, &[begun, whole].concat());
        }
        (text, printed)
    }

    /// Adds the piece, of which so much is printed, as is what came before if anything
    /// is.
    pub(super) fn add(&mut self, number: u64, piece: &[u8], is_printed: bool, printed: usize) {
        let (_, rest) = piece.split_at(printed.min(piece.len()));
        if is_printed {
            self.begun.clear();
        }
        self.number = number;
        self.begun.extend_from_slice(rest);
    }

    /// What is to be printed at the end.
    pub(super) fn rest(&self) -> Vec<u8> {
        let mut text = Vec::new();
        print(&mut text, self.number, &self.begun);
        text
    }
}

/// Adds lines with their number, the last one with its end.
fn print(text: &mut Vec<u8>, number: u64, lines: &[u8]) {
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(format!("[{number}] ").as_bytes());
        text.extend_from_slice(line);
    }
    if lines.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(pieces: &[(u64, &str)]) -> String {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for (number, piece) in pieces {
            let (text, printed) = lines.with(*number, piece.as_bytes());
            lines.add(*number, piece.as_bytes(), !text.is_empty(), printed);
            all.extend(text);
        }
        all.extend(lines.rest());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn each_line_has_the_number_of_its_connection() {
        assert_eq!(printed(&[(1, "one\ntwo\n")]), "[1] one\n[1] two\n");
        assert_eq!(
            printed(&[(1, "o"), (1, "n"), (1, "e\n\nt")]),
            "[1] one\n[1] \n[1] t\n"
        );
        assert_eq!(printed(&[(1, "one"), (2, "two\n")]), "[1] one\n[2] two\n");
        assert_eq!(
            printed(&[(1, "one"), (2, "two"), (2, "\n")]),
            "[1] one\n[2] two\n"
        );
        assert_eq!(printed(&[(7, "\n")]), "[7] \n");
        assert_eq!(printed(&[(7, "")]), "");
    }

    #[test]
    fn a_line_without_an_end_is_broken() {
        let piece = "x".repeat(3000);
        let line = printed(&[(1, &piece), (1, &piece), (1, "end\n")]);
        assert_eq!(line, format!("[1] {piece}{piece}\n[1] end\n"));
    }
}
