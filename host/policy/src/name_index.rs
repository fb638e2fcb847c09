//! Finding what stands under a name without a scan. It must not know what it
//! holds.

use std::collections::HashMap;

use crate::Name;
use crate::name_pattern::NamePattern;

/// One `T` for each name pattern.
#[derive(Debug, Default)]
pub(crate) struct NameIndex<T> {
    any: Option<T>,
    exact: HashMap<Name, T>,
    under: HashMap<Name, T>,
    /// A bit for each length of a name in `under`: of a name with many labels
    /// few of those above are worth a search.
    lengths: [u128; 2],
}

impl<T: Default> NameIndex<T> {
    /// What stands under the pattern.
    pub(crate) fn entry(&mut self, pattern: &NamePattern) -> &mut T {
        match pattern {
            NamePattern::Any => self.any.get_or_insert_default(),
            NamePattern::Exact(name) => self.exact.entry(name.clone()).or_default(),
            NamePattern::Under(name) => {
                let (at, bit) = length_bit(name.as_str());
                if let Some(lengths) = self.lengths.get_mut(at) {
                    *lengths |= bit;
                }
                self.under.entry(name.clone()).or_default()
            }
        }
    }
}

impl<T> NameIndex<T> {
    /// What stands under each pattern that matches the name, the most exact
    /// first.
    pub(crate) fn matching(&self, name: &Name) -> impl Iterator<Item = &T> {
        let parents = if self.under.is_empty() {
            None
        } else {
            Some(name.parents())
        };
        let under = parents
            .into_iter()
            .flatten()
            .filter(|parent| self.is_length(parent))
            .filter_map(|parent| self.under.get(parent));
        self.exact
            .get(name)
            .into_iter()
            .chain(under)
            .chain(&self.any)
    }

    fn is_length(&self, name: &str) -> bool {
        let (at, bit) = length_bit(name);
        self.lengths
            .get(at)
            .is_some_and(|lengths| lengths & bit != 0)
    }
}

/// Where the bit for the length of a name is: names have at most 253 octets.
fn length_bit(name: &str) -> (usize, u128) {
    (name.len() / 128, 1 << (name.len() % 128))
}
