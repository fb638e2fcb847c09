//! Why a text is not a grant, and where. It must not know about files.

use std::fmt;

/// A mistake in the text of a grant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GrantError {
    /// Where in the text the mistake starts, in bytes.
    pub offset: usize,
    /// How many bytes it spans; none where something is missing.
    pub len: usize,
    /// What is wrong.
    pub reason: String,
    /// What to write instead, where that can be told.
    pub hint: Option<String>,
}

impl GrantError {
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.hint = self.hint.or(suggestion);
        self
    }
}

/// On one line: the reason, and the hint after a semicolon.
impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for GrantError {}
