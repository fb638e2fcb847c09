//! Finding what stands over the name of a unix socket without a scan. It must
//! not know what it holds.

use std::collections::HashMap;
use std::sync::Arc;

use crate::UnixName;
use crate::unix_name::folders;
use crate::unix_pattern::UnixPattern;

/// Items by pattern of unix names; of several with the same pattern, the last.
#[derive(Debug)]
pub(crate) struct UnixIndex<T> {
    any_abstract: Option<T>,
    exact: HashMap<UnixName, T>,
    within: HashMap<Arc<[u8]>, T>,
    under: HashMap<Arc<[u8]>, T>,
}

impl<T> UnixIndex<T> {
    pub(crate) fn insert(&mut self, pattern: &UnixPattern, item: T) {
        match pattern {
            UnixPattern::AnyAbstract => self.any_abstract = Some(item),
            UnixPattern::Exact(name) => {
                self.exact.insert(name.clone(), item);
            }
            UnixPattern::In(folder) => {
                self.within.insert(Arc::clone(folder), item);
            }
            UnixPattern::Under(folder) => {
                self.under.insert(Arc::clone(folder), item);
            }
        }
    }

    /// An item whose pattern matches the name, the most exact first.
    pub(crate) fn matching(&self, name: &UnixName) -> Option<&T> {
        self.exact.get(name).or_else(|| match name.as_path() {
            Some(path) => self.over(path),
            None => self.any_abstract.as_ref(),
        })
    }

    fn over(&self, path: &[u8]) -> Option<&T> {
        let parent = folders(path).next()?;
        self.within
            .get(parent)
            .or_else(|| folders(path).find_map(|folder| self.under.get(folder)))
    }
}

impl<T> Default for UnixIndex<T> {
    fn default() -> Self {
        Self {
            any_abstract: None,
            exact: HashMap::new(),
            within: HashMap::new(),
            under: HashMap::new(),
        }
    }
}
