//! Names of unix sockets that a set of patterns does not tell apart. It must not
//! look at a file system.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::UnixName;
use crate::diff::tree::{Node, Tree};
use crate::unix_name::folders;
use crate::unix_pattern::UnixPattern;

/// The classes of names: each that is called by itself; of each folder that is
/// called, what lies in it, and what lies deeper; and abstract names.
#[derive(Debug)]
pub(crate) struct PathClasses {
    pub(crate) tree: Tree<UnixName>,
    exact: HashMap<UnixName, usize>,
    within: HashMap<Arc<[u8]>, usize>,
    under: HashMap<Arc<[u8]>, usize>,
}

/// Where abstract names are in the tree.
const ABSTRACT: usize = 0;

impl PathClasses {
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a UnixPattern>) -> Self {
        let mut exact = BTreeSet::new();
        let mut all: BTreeSet<Arc<[u8]>> = BTreeSet::from([Arc::default()]);
        for pattern in patterns {
            match pattern {
                UnixPattern::AnyAbstract => {}
                UnixPattern::Exact(name) => {
                    exact.insert(name.clone());
                }
                UnixPattern::In(folder) | UnixPattern::Under(folder) => {
                    all.insert(Arc::clone(folder));
                }
            }
        }
        let mut taken: BTreeSet<Vec<u8>> = BTreeSet::new();
        for path in exact
            .iter()
            .filter_map(UnixName::as_path)
            .chain(all.iter().map(AsRef::as_ref))
        {
            taken.insert(path.to_vec());
            taken.extend(folders(path).map(<[u8]>::to_vec));
        }
        let mut classes = Self {
            tree: Tree(vec![Node {
                label: UnixPattern::AnyAbstract.to_string(),
                parent: None,
                sample: Some(UnixName::unnamed()),
            }]),
            exact: HashMap::new(),
            within: HashMap::new(),
            under: HashMap::new(),
        };
        // In order, a folder comes before what it holds.
        for folder in all {
            classes.add_folder(&folder, &taken);
        }
        for name in exact {
            let parent = classes.above(&name);
            let at = classes.push(name.to_string(), parent, Some(name.clone()));
            classes.exact.insert(name, at);
        }
        classes
    }

    /// The class of a name.
    pub(crate) fn of(&self, name: &UnixName) -> usize {
        match self.exact.get(name) {
            Some(class) => *class,
            None => self.above(name).unwrap_or(ABSTRACT),
        }
    }

    /// The class that a name belongs to unless it is called by itself.
    fn above(&self, name: &UnixName) -> Option<usize> {
        let Some(path) = name.as_path() else {
            return Some(ABSTRACT);
        };
        let mut above = folders(path);
        let within = above.next().and_then(|folder| self.within.get(folder));
        let under = || folders(path).find_map(|folder| self.under.get(folder));
        within.or_else(under).copied()
    }

    fn add_folder(&mut self, folder: &Arc<[u8]>, taken: &BTreeSet<Vec<u8>>) {
        let parent = folders(folder)
            .find_map(|above| self.under.get(above))
            .copied();
        let inside = other(folder, taken);
        let deeper = inside.as_ref().and_then(|path| other(path, taken));
        let named = |path: Option<Vec<u8>>| UnixName::path(&path?).ok();
        let label = UnixPattern::Under(Arc::clone(folder)).to_string();
        let under = self.push(label, parent, named(deeper));
        self.under.insert(Arc::clone(folder), under);
        let label = UnixPattern::In(Arc::clone(folder)).to_string();
        let within = self.push(label, Some(under), named(inside));
        self.within.insert(Arc::clone(folder), within);
    }

    fn push(&mut self, label: String, parent: Option<usize>, sample: Option<UnixName>) -> usize {
        let at = self.tree.0.len();
        self.tree.0.push(Node {
            label,
            parent,
            sample,
        });
        at
    }
}

/// A path directly in the folder that no pattern calls, nor anything in it.
fn other(folder: &[u8], taken: &BTreeSet<Vec<u8>>) -> Option<Vec<u8>> {
    let letters = (b'a'..=b'z').map(|letter| vec![letter]);
    let bytes = (1..=u8::MAX)
        .filter(|byte| !matches!(byte, b'/' | b'.' | b'a'..=b'z'))
        .map(|byte| vec![byte]);
    let more = (0..=u16::MAX).map(|number| format!("x{number}").into_bytes());
    letters
        .chain(bytes)
        .chain(more)
        .map(|component| [folder, b"/", &component].concat())
        .find(|path| !taken.contains(path) && UnixName::path(path).is_ok())
}
