//! Text of others, made safe to show: on a terminal, in a log, in a file that people
//! read. It must not let through what a reader does not see as it is.

use std::fmt::{self, Display, Write};

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::quoted::Quoted;

/// How many characters of a line are shown.
const LINE: usize = 500;

/// How many characters of several lines are shown.
const LINES: usize = 1 << 16;

/// By how much those are indented that go on.
const INDENTATION: usize = 2;

const CUT: char = '…';

/// Text that is safe to show, whatever component, peer or file it came from.
///
/// What prints takes this type, so that no other text is printed by mistake. In it
/// stands [`char::REPLACEMENT_CHARACTER`] in place of each character that a terminal
/// acts on or that a reader does not see: control characters, those that turn the
/// direction of writing or isolate a part of it, characters without a width, others
/// that are ignored by default or that only format, and what is no character (yet).
///
/// ```
/// use portcullis_policy::Shown;
///
/// let name = "\u{1b}[2Jinvoice\u{202e}fdp.exe\n";
/// assert_eq!(Shown::line(name).as_str(), "\u{fffd}[2Jinvoice\u{fffd}fdp.exe");
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Shown(String);

impl Shown {
    /// As one line: the first 500 characters, with one space for all that stands
    /// between words. What is left out is marked with `…`.
    pub fn line(text: impl Display) -> Self {
        Self::written(text, LINE, Layout::Line { is_apart: false })
    }

    /// As several lines that belong together: the first 65,536 characters, with the
    /// spaces that they have. All but the first begin with two spaces at least, so that
    /// none is taken for a message of its own. What is left out is marked with `…`.
    pub fn lines(text: impl Display) -> Self {
        Self::written(text, LINES, Layout::Lines { missing: 0 })
    }

    /// As several lines, and all of it: of what the operator wrote.
    pub fn whole(text: impl Display) -> Self {
        Self::written(text, usize::MAX, Layout::Whole)
    }

    /// Between quotation marks of ours: the first 80 characters, with what is not shown
    /// as escapes (`\u{202e}`).
    pub fn quoted(text: &str) -> Self {
        Self(Quoted(text).to_string())
    }

    /// A text in JSON, which says the same: what is not shown is escaped within its
    /// strings.
    pub fn json(text: impl Into<String>) -> Self {
        let text = text.into();
        // Only strings hold such characters.
        if text.chars().all(|c| is_legible(c) || c == '\n') {
            return Self(text);
        }
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match is_legible(c) || c == '\n' {
                true => escaped.push(c),
                false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                    // A `String` takes all that is written to it.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }),
            }
        }
        Self(escaped)
    }

    /// What this crate has put together out of what is safe, with styles of its own.
    pub(crate) fn of_ours(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, as one that others may change.
    pub fn into_string(self) -> String {
        self.0
    }

    fn written(text: impl Display, most: usize, layout: Layout) -> Self {
        let mut writer = Writer {
            text: String::new(),
            left: most,
            layout,
        };
        // It is told to stop where there is too much of it, and fails then.
        if write!(writer, "{text}").is_err() {
            writer.text.push(CUT);
        }
        Self(writer.text)
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a reader sees the character, and sees all that is beside it where it is.
pub(crate) fn is_legible(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // Of the spaces only that of ASCII is told from the others.
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let is_unseen = GeneralCategoryGroup::Other.contains(category)
        || GeneralCategoryGroup::Separator.contains(category);
    !is_unseen && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// What becomes of the spaces and the ends of lines.
enum Layout {
    Line {
        /// Whether something is to be kept apart from what came before.
        is_apart: bool,
    },
    Lines {
        /// How many spaces are to come before the next character.
        missing: usize,
    },
    Whole,
}

struct Writer {
    text: String,
    /// How many characters there is room for.
    left: usize,
    layout: Layout,
}

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match &mut self.layout {
            Layout::Whole if c == '\t' => self.push(' '),
            Layout::Whole => self.push(c),
            Layout::Lines { missing } if c == '\n' => {
                *missing = INDENTATION;
                self.push(c)
            }
            Layout::Lines { missing } if matches!(c, ' ' | '\t') => {
                *missing = missing.saturating_sub(1);
                self.push(' ')
            }
            Layout::Lines { missing } => {
                for _ in 0..std::mem::take(missing) {
                    self.push(' ')?;
                }
                self.push(c)
            }
            Layout::Line { is_apart } if c.is_whitespace() => {
                *is_apart = !self.text.is_empty();
                Ok(())
            }
            Layout::Line { is_apart } => {
                if std::mem::take(is_apart) {
                    self.push(' ')?;
                }
                self.push(c)
            }
        })
    }
}

impl Writer {
    fn push(&mut self, c: char) -> fmt::Result {
        self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
        let is_shown = is_legible(c) || c == '\n';
        self.text.push(match is_shown {
            true => c,
            false => char::REPLACEMENT_CHARACTER,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_without_orders_to_a_terminal() {
        let rows = [
            ("as it is: ä", "as it is: ä"),
            ("two\nlines\r\n", "two lines"),
            ("\n  \u{2028}wide  open\u{85}", "wide open"),
            ("no\u{a0}break", "no break"),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("\u{9b}2J", "\u{fffd}2J"),
            ("nul\0del\u{7f}", "nul\u{fffd}del\u{fffd}"),
        ];
        for (text, expected) in rows {
            assert_eq!(Shown::line(text).as_str(), expected);
        }
    }

    #[test]
    fn lines_keep_their_layout_and_nothing_else() {
        let text = "one:\n  two\tand  three\r\n\n\u{2029}four\u{1b}[1A\n six";
        assert_eq!(
            Shown::lines(text).as_str(),
            "one:\n  two and  three\u{fffd}\n\n  \u{fffd}four\u{fffd}[1A\n  six"
        );
        assert_eq!(
            Shown::whole(text).as_str(),
            "one:\n  two and  three\u{fffd}\n\n\u{fffd}four\u{fffd}[1A\n six"
        );
    }

    /// One of each sort that is not seen, from the charts of Unicode.
    #[test]
    fn what_is_not_seen_is_shown_in_no_manner() {
        let unseen = [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{206a}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffe}',
            '\u{1d173}',
            '\u{e000}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
        ];
        for c in unseen {
            let text = format!("a{c}b");
            let shown = [
                Shown::line(&text),
                Shown::lines(&text),
                Shown::whole(&text),
                Shown::quoted(&text),
                Shown::json(format!("\"{text}\"")),
            ];
            for shown in shown {
                assert!(!shown.as_str().contains(c), "{c:?}: {shown:?}");
                assert!(shown.as_str().contains('a') && shown.as_str().contains('b'));
            }
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in [
            "naïve",
            "Ωmega",
            "東京",
            "مرحبا",
            "שלום",
            "नमस्ते",
            "한국어",
            "🦀",
        ] {
            assert_eq!(Shown::line(text).as_str(), text);
            assert_eq!(Shown::json(text).as_str(), text);
        }
    }

    #[test]
    fn json_says_the_same() {
        let text = "{\"a\":\"x\u{202e}y\u{7f}\u{e0001}\"}\n";
        assert_eq!(
            Shown::json(text).as_str(),
            "{\"a\":\"x\\u202ey\\u007f\\udb40\\udc01\"}\n"
        );
    }

    #[test]
    fn of_a_long_text_the_beginning_is_shown() {
        let whole = "ä".repeat(LINE);
        assert_eq!(Shown::line(&whole).as_str(), whole);
        let longer = Shown::line(whole.clone() + "ä");
        assert_eq!(longer.as_str(), format!("{whole}…"));
        assert_eq!(Shown::line(whole.clone() + " \n").as_str(), whole);
        let long = Shown::lines("ä\n".repeat(LINES));
        assert_eq!(long.as_str().chars().count(), LINES + 1);
        assert!(long.as_str().ends_with(CUT));
        assert_eq!(
            Shown::whole("ä\n".repeat(LINES)).as_str(),
            "ä\n".repeat(LINES)
        );
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
        assert!(Shown::line(Endless).as_str().ends_with(CUT));
        assert!(Shown::lines(Endless).as_str().ends_with(CUT));
    }
}
