//! Sets of ports. It must not know about services by name.

use std::fmt;
use std::ops::RangeInclusive;

/// The ports of a grant.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Ports {
    /// `*`: every port, and port 0 for one that the system chooses.
    All,
    /// Sorted, and merged as far as possible; port 0 stands alone.
    List(Vec<RangeInclusive<u16>>),
}

impl Ports {
    pub(crate) fn contain(&self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::List(items) => items.iter().any(|item| item.contains(&port)),
        }
    }

    /// The port, where it is only one.
    pub(crate) fn single(&self) -> Option<u16> {
        match self {
            Self::All => None,
            Self::List(items) => match items.as_slice() {
                [item] if item.start() == item.end() => Some(*item.start()),
                _ => None,
            },
        }
    }

    /// The range that they are, where they are only one.
    pub(crate) fn range(&self) -> Option<RangeInclusive<u16>> {
        match self {
            Self::All => Some(0..=u16::MAX),
            Self::List(items) => match items.as_slice() {
                [item] => Some(item.clone()),
                _ => None,
            },
        }
    }

    /// The ports that stand alone.
    pub(crate) fn singles(&self) -> impl Iterator<Item = u16> {
        let items = match self {
            Self::All => &[],
            Self::List(items) => items.as_slice(),
        };
        let single = items.iter().filter(|item| item.start() == item.end());
        single.map(|item| *item.start())
    }

    /// Whether no port is left out, but for the 0 that is none.
    pub(crate) fn are_complete(&self) -> bool {
        match self {
            Self::All => true,
            Self::List(items) => items.contains(&(1..=u16::MAX)),
        }
    }
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self::List(vec![port..=port])
    }
}

impl FromIterator<RangeInclusive<u16>> for Ports {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(items: I) -> Self {
        let mut items: Vec<_> = items.into_iter().collect();
        items.sort_unstable_by_key(|item| *item.start());
        let mut merged: Vec<RangeInclusive<u16>> = Vec::with_capacity(items.len());
        for item in items {
            match merged.last_mut() {
                Some(last) if touches(last, &item) => {
                    *last = *last.start()..=*last.end().max(item.end());
                }
                Some(_) | None => merged.push(item),
            }
        }
        Self::List(merged)
    }
}

/// Whether `next`, which starts no earlier, continues `last`. Nothing but
/// another 0 continues 0, since no range may start there.
fn touches(last: &RangeInclusive<u16>, next: &RangeInclusive<u16>) -> bool {
    match *last.end() {
        0 => *next.start() == 0,
        end => *next.start() <= end.saturating_add(1),
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = match self {
            Self::All => return f.write_str("*"),
            Self::List(items) => items,
        };
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if item.start() == item.end() {
                write!(f, "{}", item.start())?;
            } else {
                write!(f, "{}-{}", item.start(), item.end())?;
            }
        }
        Ok(())
    }
}
