//! Finding what stands under a name without a scan. It must not know what it
//! holds.

use std::collections::HashMap;

use crate::Name;
use crate::name_pattern::NamePattern;

/// Items by name pattern.
#[derive(Debug)]
pub(crate) struct NameIndex<T> {
    any: Vec<T>,
    exact: HashMap<Name, Vec<T>>,
    under: HashMap<Name, Vec<T>>,
}

impl<T> NameIndex<T> {
    pub(crate) fn insert(&mut self, pattern: &NamePattern, item: T) {
        match pattern {
            NamePattern::Any => self.any.push(item),
            NamePattern::Exact(name) => self.exact.entry(name.clone()).or_default().push(item),
            NamePattern::Under(name) => self.under.entry(name.clone()).or_default().push(item),
        }
    }

    /// The items whose pattern matches the name, the most exact first.
    pub(crate) fn matching(&self, name: &Name) -> impl Iterator<Item = &T> {
        let under = name.parents().filter_map(|parent| self.under.get(parent));
        self.exact
            .get(name)
            .into_iter()
            .chain(under)
            .flatten()
            .chain(&self.any)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.exact
            .values()
            .chain(self.under.values())
            .flatten()
            .chain(&self.any)
    }
}

impl<T> Default for NameIndex<T> {
    fn default() -> Self {
        Self {
            any: Vec::new(),
            exact: HashMap::new(),
            under: HashMap::new(),
        }
    }
}
