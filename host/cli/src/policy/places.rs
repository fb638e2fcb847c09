//! Where grants and denies are written. It must not be asked whether they are well
//! formed: the policy was read before.

use std::path::Path;

use anyhow::Result;
use portcullis::{Grant, Shown};
use serde_json::{Value, json};
use toml_edit::Document;

use crate::arguments::PolicyArguments;
use crate::run::text;

/// The grants and denies of a policy, each with its place.
#[derive(Debug)]
pub(crate) struct Places(Vec<Written>);

/// What stands somewhere in a policy.
#[derive(Debug)]
struct Written {
    list: List,
    grant: Grant,
    place: Place,
}

/// What a grant stands among.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum List {
    Allow,
    Deny,
}

/// Where a grant is written.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    File { file: String, line: usize },
    Flag(String),
}

impl Places {
    /// Finds all of them.
    pub(crate) fn read(arguments: &PolicyArguments) -> Result<Self> {
        let mut places = Vec::new();
        for path in arguments.policy.iter().chain(&arguments.ceiling) {
            places.extend(in_file(path, &text(path)?));
        }
        for (list, flag, grants) in [
            (List::Allow, "--allow", &arguments.allow),
            (List::Deny, "--deny", &arguments.deny),
        ] {
            places.extend(grants.iter().filter_map(|text| {
                let (grant, place) = (Grant::parse(text).ok()?, format!("{flag} '{text}'"));
                let place = Place::Flag(place);
                Some(Written { list, grant, place })
            }));
        }
        Ok(Self(places))
    }

    /// Where something is written first in lists of one sort.
    pub(crate) fn of(&self, list: List, grant: &Grant) -> Option<&Place> {
        let mut written = self.0.iter();
        let found = written.find(|written| written.list == list && written.grant == *grant);
        found.map(|written| &written.place)
    }
}

fn in_file(path: &Path, text: &str) -> Vec<Written> {
    let Ok(document) = Document::parse(text) else {
        return Vec::new();
    };
    let lists = [(List::Allow, "allow"), (List::Deny, "deny")];
    let lists = lists
        .into_iter()
        .filter_map(|(list, key)| Some((list, document.get(key)?.as_array()?)));
    let place = |value: &toml_edit::Value| {
        let before = text.get(..value.span()?.start)?;
        Some(Place::File {
            file: path.display().to_string(),
            line: before.matches('\n').count() + 1,
        })
    };
    lists
        .flat_map(|(list, grants)| grants.iter().map(move |value| (list, value)))
        .filter_map(|(list, value)| {
            let (grant, place) = (Grant::parse(value.as_str()?).ok()?, place(value)?);
            Some(Written { list, grant, place })
        })
        .collect()
}

impl Place {
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::File { file, line } => json!({ "file": file, "line": line }),
            Self::Flag(flag) => json!({ "flag": flag }),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{}:{line}", Shown::line(file)),
            Self::Flag(flag) => Shown::line(flag).fmt(f),
        }
    }
}
