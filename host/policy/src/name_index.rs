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
}

impl<T: Default> NameIndex<T> {
    /// What stands under the pattern.
    pub(crate) fn entry(&mut self, pattern: &NamePattern) -> &mut T {
        match pattern {
            NamePattern::Any => self.any.get_or_insert_default(),
            NamePattern::Exact(name) => self.exact.entry(name.clone()).or_default(),
            NamePattern::Under(name) => self.under.entry(name.clone()).or_default(),
        }
    }
}

impl<T> NameIndex<T> {
    /// What stands under each pattern that matches the name, the most exact
    /// first.
    pub(crate) fn matching(&self, name: &Name) -> impl Iterator<Item = &T> {
        let under = name.parents().filter_map(|parent| self.under.get(parent));
        self.exact
            .get(name)
            .into_iter()
            .chain(under)
            .chain(&self.any)
    }
}
