//! The line that a mistake is on, as far as it is worth showing. It must not
//! hold what a terminal would act on, nor more than fits on one.

use std::ops::Range;

use crate::shown::is_legible;

/// One line of text, cut to what surrounds a part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Excerpt {
    pub(crate) line: String,
    /// The part of `line`, in bytes.
    pub(crate) span: Range<usize>,
}

/// How many characters are shown before the part, of the part, and behind it.
const BEFORE: usize = 50;
const WITHIN: usize = 50;
const BEHIND: usize = 30;

const CUT: &str = "…";

impl Excerpt {
    /// The line of a file on which `span` starts, around what of the span is on
    /// that line.
    pub(crate) fn of_file(text: &str, span: Range<usize>) -> Self {
        let (before, rest) = parts(text, span.start);
        let before = before.rsplit('\n').next().unwrap_or_default();
        let rest = rest.split('\n').next().unwrap_or_default();
        let rest = rest.strip_suffix('\r').unwrap_or(rest);
        Self::around(before, rest, span.len())
    }

    /// The text of a flag, which is one line whatever it holds.
    pub(crate) fn of_flag(text: &str, span: Range<usize>) -> Self {
        let (before, rest) = parts(text, span.start);
        Self::around(before, rest, span.len())
    }

    fn around(before: &str, rest: &str, length: usize) -> Self {
        let (within, behind) = parts(rest, length.min(rest.len()));
        let mut line = tail(before, BEFORE);
        let start = line.len();
        let (shown, is_cut) = head(within, WITHIN);
        line.push_str(&shown);
        let span = start..line.len();
        let (shown, is_cut) = match is_cut {
            true => (String::new(), true),
            false => head(behind, BEHIND),
        };
        line.push_str(&shown);
        line.push_str(if is_cut { CUT } else { "" });
        Self { line, span }
    }
}

fn parts(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// The last characters of a text.
fn tail(text: &str, most: usize) -> String {
    let mut last: Vec<char> = text.chars().rev().take(most + 1).map(printable).collect();
    let is_cut = last.len() > most;
    last.truncate(most);
    let last = last.into_iter().rev().collect::<String>();
    match is_cut {
        true => format!("{CUT}{last}"),
        false => last,
    }
}

/// The first characters of a text, and whether there are more.
fn head(text: &str, most: usize) -> (String, bool) {
    let shown = text.chars().take(most).map(printable).collect();
    (shown, text.chars().nth(most).is_some())
}

/// One character for one, so that the columns stay.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        '"' | '\'' | '\\' => c,
        _ if !is_legible(c) || c.escape_debug().len() > 1 => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}
