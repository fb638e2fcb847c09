//! Text that is not ours inside our messages. It must not let a control
//! character, or a page of text, reach a terminal.

use std::fmt;

use crate::shown::is_legible;

/// Shows text escaped, and cut when it is long.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

const LONGEST: usize = 80;

/// Shows all of a text, but for what a terminal would act on: for what the
/// operator wrote and looks for, such as the name of a file.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\'' | '"' | '\\' => write!(f, "{c}"),
            _ => escape(c, f),
        })
    }
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(LONGEST) {
            match c {
                '\'' | '"' => write!(f, "{c}")?,
                _ => escape(c, f)?,
            }
        }
        if self.0.chars().nth(LONGEST).is_some() {
            f.write_str("…")?;
        }
        Ok(())
    }
}

fn escape(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c.escape_debug() {
        // It knows less of what is not seen.
        shown if shown.len() == 1 && !is_legible(c) => write!(f, "{}", c.escape_unicode()),
        shown => write!(f, "{shown}"),
    }
}
