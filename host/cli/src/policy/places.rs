//! Where grants and denies are written. It must not be asked whether they are well
//! formed: the policy was read before.

use std::path::Path;

use anyhow::Result;
use portcullis::Grant;
use serde_json::{Value, json};
use toml_edit::Document;

use crate::arguments::PolicyArguments;
use crate::run::text;

/// The grants and denies of a policy, each with its place.
#[derive(Debug)]
pub(crate) struct Places(Vec<(Grant, Place)>);

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
        for (flag, grants) in [("--allow", &arguments.allow), ("--deny", &arguments.deny)] {
            places.extend(grants.iter().filter_map(|grant| {
                let place = Place::Flag(format!("{flag} '{grant}'"));
                Some((Grant::parse(grant).ok()?, place))
            }));
        }
        Ok(Self(places))
    }

    /// Where a grant or a deny is written first.
    pub(crate) fn of(&self, grant: &Grant) -> Option<&Place> {
        let mut places = self.0.iter();
        places.find(|(own, _)| own == grant).map(|(_, place)| place)
    }
}

fn in_file(path: &Path, text: &str) -> Vec<(Grant, Place)> {
    let Ok(document) = Document::parse(text) else {
        return Vec::new();
    };
    let lists = ["allow", "deny"].map(|key| document.get(key));
    let lists = lists
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_array());
    let place = |value: &toml_edit::Value| {
        let before = text.get(..value.span()?.start)?;
        Some(Place::File {
            file: path.display().to_string(),
            line: before.matches('\n').count() + 1,
        })
    };
    lists
        .flat_map(|list| list.iter())
        .filter_map(|value| Some((Grant::parse(value.as_str()?).ok()?, place(value)?)))
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
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
