//! Finding what stands over the name of a unix socket without a scan. It must
//! not know what it holds.

use std::sync::Arc;

use crate::UnixName;
use crate::footprint;
use crate::keyed::KeyedMap;
use crate::unix_name::{LONGEST, folders};
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
    /// How much memory one more pattern takes at the most, with what holds its name.
    pub(crate) fn footprint() -> usize {
        footprint::entry::<UnixName, T>() + footprint::shared(LONGEST)
    }

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

    /// What `pick` makes of the first of the items whose patterns match the name
    /// that it takes, the most exact first.
    pub(crate) fn find_matching<'a, R>(
        &'a self,
        name: &UnixName,
        mut pick: impl FnMut(&'a T) -> Option<R>,
    ) -> Option<R> {
        let exact = self.exact.get(name).and_then(&mut pick);
        exact.or_else(|| match name.as_path() {
            Some(path) => self.find_over(path, pick),
            None => self.any_abstract.as_ref().and_then(pick),
        })
    }

    fn find_over<'a, R>(
        &'a self,
        path: &[u8],
        mut pick: impl FnMut(&'a T) -> Option<R>,
    ) -> Option<R> {
        let parent = folders(path).next();
        let within = parent.and_then(|parent| self.within.get(parent));
        within.and_then(&mut pick).or_else(|| {
            if self.under.is_empty() {
                return None;
            }
            folders(path).find_map(|folder| self.under.get(folder).and_then(&mut pick))
        })
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
