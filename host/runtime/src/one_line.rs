//! Text of others, as one short line: what a log or a terminal can be given
//! whoever wrote it.

use std::fmt::{self, Display, Write};

/// How many characters of it count.
const LONGEST: usize = 500;

/// The beginning of a text without ends of lines, and without what a terminal
/// would act on. What is left out is marked with `…`.
pub(crate) fn one_line(text: impl Display) -> String {
    let mut line = Line::default();
    // It is told to stop where there is too much of it, and fails then.
    if write!(line, "{text}").is_err() {
        line.text.push('…');
    }
    line.text
}

#[derive(Default)]
struct Line {
    text: String,
    count: usize,
    /// Whether something is to be kept apart from what came before.
    is_apart: bool,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if char.is_whitespace() {
                self.is_apart = !self.text.is_empty();
                continue;
            }
            if std::mem::take(&mut self.is_apart) {
                self.push(' ')?;
            }
            self.push(match is_harmless(char) {
                true => char,
                false => char::REPLACEMENT_CHARACTER,
            })?;
        }
        Ok(())
    }
}

impl Line {
    fn push(&mut self, char: char) -> fmt::Result {
        if self.count == LONGEST {
            return Err(fmt::Error);
        }
        self.count += 1;
        self.text.push(char);
        Ok(())
    }
}

/// Whether a terminal shows it, and shows all that is beside it where it is.
fn is_harmless(char: char) -> bool {
    // What turns the direction of writing (Unicode, "Bidirectional Formatting
    // Characters") makes a line look like another.
    let turns = matches!(char,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !char.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_without_orders_to_a_terminal() {
        let rows = [
            ("as it is: ä", "as it is: ä"),
            ("two\nlines\r\n", "two lines"),
            ("\n  \u{2028}wide  open\u{85}", "wide open"),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("\u{9b}2J", "\u{fffd}2J"),
            ("a\u{202e}b\u{2066}", "a\u{fffd}b\u{fffd}"),
            ("nul\0del\u{7f}", "nul\u{fffd}del\u{fffd}"),
        ];
        for (text, expected) in rows {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn of_a_long_text_the_beginning_is_shown() {
        let whole = "ä".repeat(LONGEST);
        assert_eq!(one_line(&whole), whole);
        assert_eq!(one_line(whole.clone() + "ä"), format!("{whole}…"));
        assert_eq!(one_line(whole.clone() + " \n"), whole);
    }

    /// Which would take a while to write, and all the memory.
    #[test]
    fn no_more_of_it_is_made_than_is_shown() {
        struct Endless;

        impl Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("again and ")?;
                }
            }
        }
        assert!(one_line(Endless).ends_with('…'));
    }
}
