//! Names that a set of patterns does not tell apart. It must not look at
//! addresses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::Name;
use crate::diff::tree::{Node, Tree};
use crate::name_pattern::NamePattern;

/// The classes of names: each that is called by itself, what is below one and
/// called by nothing nearer, and the others, which come first.
#[derive(Debug)]
pub(crate) struct NameClasses {
    pub(crate) tree: Tree<Name>,
    exact: HashMap<Name, usize>,
    under: HashMap<Name, usize>,
}

impl NameClasses {
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a NamePattern>) -> Self {
        let (mut exact, mut under) = (BTreeSet::new(), BTreeSet::new());
        for pattern in patterns {
            match pattern {
                NamePattern::Any => {}
                NamePattern::Exact(name) => {
                    exact.insert(name.clone());
                }
                NamePattern::Under(name) => {
                    under.insert(name.clone());
                }
            }
        }
        let mut taken = Taken::default();
        exact.iter().chain(&under).for_each(|name| taken.add(name));
        let mut classes = Self {
            tree: Tree(vec![Node {
                label: "*".to_owned(),
                parent: None,
                sample: taken.other(None),
            }]),
            exact: HashMap::new(),
            under: HashMap::new(),
        };
        let mut under: Vec<Name> = under.into_iter().collect();
        under.sort_by_key(|name| name.parents().count());
        for name in under {
            let sample = taken.other(Some(&name));
            let at = classes.push(NamePattern::Under(name.clone()), &name, sample);
            classes.under.insert(name, at);
        }
        for name in exact {
            let at = classes.push(NamePattern::Exact(name.clone()), &name, Some(name.clone()));
            classes.exact.insert(name, at);
        }
        classes
    }

    /// The class of a name.
    pub(crate) fn of(&self, name: &Name) -> usize {
        self.exact
            .get(name)
            .copied()
            .unwrap_or_else(|| self.above(name))
    }

    fn above(&self, name: &Name) -> usize {
        let mut parents = name.parents();
        let nearest = parents.find_map(|parent| self.under.get(parent));
        nearest.copied().unwrap_or_default()
    }

    fn push(&mut self, pattern: NamePattern, name: &Name, sample: Option<Name>) -> usize {
        let at = self.tree.0.len();
        self.tree.0.push(Node {
            label: pattern.to_string(),
            parent: Some(self.above(name)),
            sample,
        });
        at
    }
}

/// By parent, the labels that lead to a name that a pattern calls.
#[derive(Default)]
struct Taken(BTreeMap<String, BTreeSet<String>>);

impl Taken {
    fn add(&mut self, name: &Name) {
        let mut rest = name.as_str();
        while let Some((label, parent)) = rest.split_once('.') {
            self.insert(parent, label);
            rest = parent;
        }
        self.insert("", rest);
    }

    fn insert(&mut self, parent: &str, label: &str) {
        let labels = self.0.entry(parent.to_owned()).or_default();
        labels.insert(label.to_owned());
    }

    /// A name directly below `parent` that leads to none of them.
    fn other(&self, parent: Option<&Name>) -> Option<Name> {
        let (key, suffix) = match parent {
            Some(parent) => (parent.as_str(), format!(".{parent}")),
            None => ("", String::new()),
        };
        let taken = self.0.get(key);
        let is_free = |label: &String| taken.is_none_or(|taken| !taken.contains(label));
        labels()
            .filter(is_free)
            .find_map(|label| Name::parse(&format!("{label}{suffix}")).ok())
    }
}

/// Labels, short ones first: a name has at most 253 octets.
fn labels() -> impl Iterator<Item = String> {
    let letters = || 'a'..='z';
    let one = letters().map(String::from);
    let two =
        letters().flat_map(move |first| letters().map(move |second| format!("{first}{second}")));
    let more = (0..=u16::MAX).map(|number| format!("x{number}"));
    one.chain(two).chain(more)
}
