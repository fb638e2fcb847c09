//! What is wrong with the text of a policy, and where. It must not stop at the
//! first mistake, nor keep more of them than anybody reads.

use std::fmt;

use crate::excerpt::Excerpt;
use crate::file::Mistake;
use crate::quoted::{Printable, Quoted};
use crate::rendering;
use crate::{GrantError, Shown};

/// Everything that is wrong with a policy, in the order in which it was given.
///
/// Displays each mistake with its line, the part of it that is wrong, and a
/// hint, in the manner of rustc and without colours;
/// [`styled`](PolicyError::styled) has them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicyError {
    diagnostics: Vec<Diagnostic>,
    omitted: usize,
}

/// One mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The file, or the flag with its text.
    pub place: String,
    /// Where in the file; none for a flag.
    pub position: Option<Position>,
    /// How many characters from there on are wrong, on that line; none where
    /// something is missing.
    pub length: usize,
    /// What is wrong.
    pub reason: String,
    /// What to write instead, where that can be told.
    pub hint: Option<String>,
    pub(crate) excerpt: Excerpt,
}

/// A position in a file. Both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// How many mistakes are told; of the others, how many they are.
const MOST: usize = 20;

impl PolicyError {
    /// The first mistakes: at least one, and at most twenty.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many mistakes there are besides.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// What is displayed.
    pub fn shown(&self) -> Shown {
        rendering::plain(self)
    }

    /// What is displayed, in colours: for a terminal, by way of something that
    /// strips them where there is none.
    pub fn styled(&self) -> Shown {
        rendering::styled(self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Adds the mistakes in a file, which are in order.
    pub(crate) fn add_file(&mut self, place: &str, text: &str, mistakes: Vec<Mistake>) {
        let mut positions = Positions::new(text);
        for mistake in mistakes {
            self.add(|| {
                let position = positions.at(mistake.span.start);
                Diagnostic {
                    place: place.to_owned(),
                    length: length(text, &mistake),
                    position: Some(position),
                    excerpt: Excerpt::of_file(text, mistake.span),
                    reason: mistake.reason,
                    hint: mistake.hint,
                }
            });
        }
    }

    /// Adds the mistake in the text of a flag.
    pub(crate) fn add_flag(&mut self, flag: &str, text: &str, error: GrantError) {
        self.add(|| {
            let span = error.offset..error.offset + error.len;
            Diagnostic {
                place: format!("{flag} '{}'", Quoted(text)),
                position: None,
                length: text.get(span.clone()).unwrap_or_default().chars().count(),
                excerpt: Excerpt::of_flag(text, span),
                reason: error.reason,
                hint: error.hint,
            }
        });
    }

    fn add(&mut self, diagnostic: impl FnOnce() -> Diagnostic) {
        match self.diagnostics.len() < MOST {
            true => self.diagnostics.push(diagnostic()),
            false => self.omitted += 1,
        }
    }
}

fn length(text: &str, mistake: &Mistake) -> usize {
    let part = text.get(mistake.span.clone()).unwrap_or_default();
    part.lines().next().unwrap_or_default().chars().count()
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

impl std::error::Error for PolicyError {}

impl Diagnostic {
    /// Without the hint: the place and the reason.
    pub(crate) fn title(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "{}", Printable(&self.place))?;
            if let Some(Position { line, column }) = self.position {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", self.reason)
        })
    }
}

/// On one line: the place, the reason, and the hint after a semicolon.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.title())?;
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
