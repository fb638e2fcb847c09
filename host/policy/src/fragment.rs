//! Pieces of a text that know where they stand in it, so that each mistake can
//! be pointed at. It must not know the grammar.

use crate::GrantError;

/// A piece of the text of a grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) text: &'a str,
    offset: usize,
}

impl<'a> Fragment<'a> {
    pub(crate) fn whole(text: &'a str) -> Self {
        Self { text, offset: 0 }
    }

    /// A mistake that spans this piece.
    pub(crate) fn error(self, reason: impl Into<String>) -> GrantError {
        GrantError {
            offset: self.offset,
            len: self.text.len(),
            reason: reason.into(),
            hint: None,
        }
    }

    /// The empty piece behind this one.
    pub(crate) fn end(self) -> Self {
        self.part(self.text.len(), "")
    }

    pub(crate) fn words(self) -> impl Iterator<Item = Self> {
        self.split(' ').filter(|word| !word.text.is_empty())
    }

    pub(crate) fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut start = 0;
        self.text.split(separator).map(move |text| {
            let part = self.part(start, text);
            start += text.len() + separator.len_utf8();
            part
        })
    }

    pub(crate) fn split_once(self, separator: &str) -> Option<(Self, Self)> {
        self.split_at(self.text.find(separator)?, separator.len())
    }

    /// What stands before `at`, and what follows it after `gap` bytes.
    pub(crate) fn split_at(self, at: usize, gap: usize) -> Option<(Self, Self)> {
        let after = at + gap;
        Some((
            self.part(0, self.text.get(..at)?),
            self.part(after, self.text.get(after..)?),
        ))
    }

    pub(crate) fn strip_prefix(self, prefix: &str) -> Option<Self> {
        let rest = self.text.strip_prefix(prefix)?;
        Some(self.part(prefix.len(), rest))
    }

    pub(crate) fn strip_suffix(self, suffix: &str) -> Option<Self> {
        let rest = self.text.strip_suffix(suffix)?;
        Some(self.part(0, rest))
    }

    /// The first character that is so.
    pub(crate) fn find(self, is_so: impl FnMut(char) -> bool) -> Option<Self> {
        let (at, character) = self.text.match_indices(is_so).next()?;
        Some(self.part(at, character))
    }

    fn part(self, start: usize, text: &'a str) -> Self {
        Self {
            text,
            offset: self.offset + start,
        }
    }
}
