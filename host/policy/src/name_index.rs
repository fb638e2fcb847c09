//! Finding what stands under a name without a scan. It must not know what it
//! holds.

use smol_str::SmolStr;

use crate::Name;
use crate::footprint;
use crate::keyed::KeyedMap;
use crate::name_pattern::NamePattern;

/// One `T` for each name pattern.
#[derive(Debug, Default)]
pub(crate) struct NameIndex<T> {
    any: Option<T>,
    exact: KeyedMap<SmolStr, T>,
    under: KeyedMap<SmolStr, T>,
    /// A bit for each length of a name in `under`: of a name with many labels
    /// few of those above are worth a search.
    lengths: [u128; 2],
}

impl<T> NameIndex<T> {
    /// How much memory one more pattern takes at the most, with what holds its name.
    pub(crate) fn footprint(pattern: &NamePattern) -> usize {
        let length = match pattern {
            NamePattern::Any => 0,
            NamePattern::Exact(name) | NamePattern::Under(name) => name.as_str().len(),
        };
        footprint::entry::<SmolStr, T>() + 2 * footprint::shared(length)
    }
}

impl<T: Default> NameIndex<T> {
    /// What stands under the pattern.
    pub(crate) fn entry(&mut self, pattern: &NamePattern) -> &mut T {
        match pattern {
            NamePattern::Any => self.any.get_or_insert_default(),
            NamePattern::Exact(name) => self.exact.entry(name.as_str().into()).or_default(),
            NamePattern::Under(name) => {
                let (at, bit) = length_bit(name.as_str());
                if let Some(lengths) = self.lengths.get_mut(at) {
                    *lengths |= bit;
                }
                self.under.entry(name.as_str().into()).or_default()
            }
        }
    }
}

impl<T> NameIndex<T> {
    /// What `pick` makes of the first of what stands under patterns that match the
    /// name that it takes, the most exact first.
    pub(crate) fn find_matching<'a, R>(
        &'a self,
        name: &Name,
        mut pick: impl FnMut(&'a T) -> Option<R>,
    ) -> Option<R> {
        let exact = self.exact.get(name.as_str()).and_then(&mut pick);
        exact
            .or_else(|| self.find_above(name, &mut pick))
            .or_else(|| self.any.as_ref().and_then(pick))
    }

    fn find_above<'a, R>(
        &'a self,
        name: &Name,
        pick: &mut impl FnMut(&'a T) -> Option<R>,
    ) -> Option<R> {
        if self.under.is_empty() {
            return None;
        }
        let mut parents = name.parents().filter(|parent| self.is_length(parent));
        parents.find_map(|parent| self.under.get(parent).and_then(&mut *pick))
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
