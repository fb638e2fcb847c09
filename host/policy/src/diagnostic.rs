//! What is wrong with the text of a policy, and where. It must not stop at the
//! first mistake.

use std::fmt;

use crate::file::Mistake;

/// Everything that is wrong with a policy, in the order in which it was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyError {
    diagnostics: Vec<Diagnostic>,
}

/// One mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// The file, or the flag with its text.
    pub place: String,
    /// Where in the file; none for a flag.
    pub position: Option<Position>,
    /// What is wrong.
    pub reason: String,
    /// What to write instead, where that can be told.
    pub hint: Option<String>,
}

/// A position in a file. Both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Diagnostic {
    /// The mistakes in a file, which are in order.
    pub(crate) fn in_file(
        place: &str,
        text: &str,
        mistakes: Vec<Mistake>,
    ) -> impl Iterator<Item = Self> {
        let mut places = Positions::new(text);
        mistakes.into_iter().map(move |mistake| Self {
            place: place.to_owned(),
            position: Some(places.at(mistake.span.start)),
            reason: mistake.reason,
            hint: mistake.hint,
        })
    }
}

impl PolicyError {
    pub(crate) fn new(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics }
    }

    /// The mistakes, at least one.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

/// Each mistake on a line of its own.
impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// On one line: the place, the reason, and the hint after a semicolon.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.reason)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Counts lines, on and on: once over the text, however many are asked for.
struct Positions<'a> {
    text: &'a str,
    line: usize,
    line_start: usize,
}

impl<'a> Positions<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            line: 1,
            line_start: 0,
        }
    }

    /// The position at `offset`, which is not before the one asked for last.
    fn at(&mut self, offset: usize) -> Position {
        let before = self.text.get(self.line_start..offset).unwrap_or_default();
        self.line += before.matches('\n').count();
        self.line_start += before.rfind('\n').map_or(0, |newline| newline + 1);
        let before = self.text.get(self.line_start..offset).unwrap_or_default();
        Position {
            line: self.line,
            column: before.chars().count() + 1,
        }
    }
}
