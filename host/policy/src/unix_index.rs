//! Finding what stands over the name of a unix socket without a scan. It must
//! not know what it holds.

use std::sync::Arc;

use crate::UnixName;
use crate::keyed::KeyedMap;
use crate::unix_name::folders;
use crate::unix_pattern::UnixPattern;

/// Items by pattern of unix names; of several with the same pattern, the first.
#[derive(Debug)]
pub(crate) struct UnixIndex<T> {
    any_abstract: Option<T>,
    exact: KeyedMap<UnixName, T>,
    within: KeyedMap<Arc<[u8]>, T>,
    under: KeyedMap<Arc<[u8]>, T>,
}

impl<T> UnixIndex<T> {
    pub(crate) fn insert(&mut self, pattern: &UnixPattern, item: T) {
        match pattern {
            UnixPattern::AnyAbstract => {
                self.any_abstract.get_or_insert(item);
            }
            UnixPattern::Exact(name) => {
                self.exact.entry(name.clone()).or_insert(item);
            }
            UnixPattern::In(folder) => {
                self.within.entry(Arc::clone(folder)).or_insert(item);
            }
            UnixPattern::Under(folder) => {
                self.under.entry(Arc::clone(folder)).or_insert(item);
            }
        }
    }

    /// The items whose patterns match the name, the most exact first.
    pub(crate) fn matching(&self, name: &UnixName) -> impl Iterator<Item = &T> {
        let (beneath, other) = match name.as_path() {
            Some(path) => (Some(self.over(path)), None),
            None => (None, self.any_abstract.as_ref()),
        };
        let beneath = beneath.into_iter().flatten();
        self.exact.get(name).into_iter().chain(beneath).chain(other)
    }

    fn over(&self, path: &[u8]) -> impl Iterator<Item = &T> {
        let parent = folders(path).next();
        let within = parent.and_then(|parent| self.within.get(parent));
        let above = (!self.under.is_empty()).then(|| folders(path));
        let under = above.into_iter().flatten();
        within
            .into_iter()
            .chain(under.filter_map(|folder| self.under.get(folder)))
    }
}

impl<T> Default for UnixIndex<T> {
    fn default() -> Self {
        Self {
            any_abstract: None,
            exact: KeyedMap::default(),
            within: KeyedMap::default(),
            under: KeyedMap::default(),
        }
    }
}
