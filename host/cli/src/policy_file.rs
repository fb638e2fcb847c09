//! A policy file as a person wrote it: what is added to it leaves the rest as
//! it is, comments and layout as well. It must not decide what a policy means.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use toml_edit::{Array, DocumentMut, Item, RawString, Value};

/// The text of a policy file.
#[derive(Clone, Debug)]
pub(crate) struct PolicyFile {
    document: DocumentMut,
}

/// A list of grants in it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum List {
    Allow,
    Deny,
}

impl List {
    fn key(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl PolicyFile {
    /// A policy that grants nothing.
    pub(crate) fn empty() -> Self {
        let mut document = DocumentMut::new();
        document.insert("version", toml_edit::value(1));
        document.insert("allow", toml_edit::value(Array::new()));
        Self { document }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let document = text.parse().map_err(|error| anyhow!("{error}"))?;
        Ok(Self { document })
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        fs::read_to_string(path)
            .map_err(anyhow::Error::from)
            .and_then(|text| Self::parse(&text))
            .with_context(|| format!("cannot read the policy {}", path.display()))
    }

    /// What is granted in it, as it is written.
    pub(crate) fn allowed(&self) -> impl Iterator<Item = &str> {
        let list = self.document.get("allow").and_then(Item::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Adds a grant to the end of a list, on a line of its own, with a comment
    /// behind it.
    pub(crate) fn add(&mut self, list: List, grant: &str, comment: &str) -> Result<()> {
        let key = list.key();
        let item = self.document.entry(key);
        let array = item
            .or_insert_with(|| toml_edit::value(Array::new()))
            .as_array_mut()
            .with_context(|| format!("`{key}` is a list of strings"))?;
        // What stands behind the last item, comments as well, stays there: a
        // comma goes between.
        let mut before = raw(array.trailing());
        let indentation = indentation(array);
        let last = array
            .len()
            .checked_sub(1)
            .and_then(|last| array.get_mut(last));
        if let Some(last) = last {
            let decor = last.decor_mut();
            before = decor.suffix().map(raw).unwrap_or_default() + &before;
            decor.set_suffix("");
        }
        let before = before.trim_end();
        let grant = Value::from(grant).decorated(format!("{before}\n{indentation}"), "");
        array.push_formatted(grant);
        array.set_trailing_comma(true);
        array.set_trailing(format!(" # {comment}\n"));
        Ok(())
    }
}

impl std::fmt::Display for PolicyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.document.fmt(f)
    }
}

fn raw(text: &RawString) -> String {
    text.as_str().unwrap_or_default().to_owned()
}

/// How far the items of a list are indented.
fn indentation(array: &Array) -> String {
    let indented = array.iter().filter_map(|item| {
        let prefix = item.decor().prefix()?.as_str()?;
        Some(prefix.rsplit_once('\n')?.1.to_owned())
    });
    indented.last().unwrap_or_else(|| "    ".to_owned())
}

/// Writes a file that is not there yet.
pub(crate) fn create(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a policy is none.
        let _ = fs::remove_file(path);
    }
    Ok(written?)
}

/// Writes a file in the place of another, all at once and with its permissions.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    // A link stays one.
    let path = &fs::canonicalize(path)?;
    let permissions = fs::metadata(path)?.permissions();
    let (temporary, mut file) = beside(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.set_permissions(permissions))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    Ok(written?)
}

/// A new file in the same folder, for nobody else to read.
fn beside(path: &Path) -> Result<(PathBuf, File)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        bail!("{} is not a file", path.display());
    };
    let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
    let temporary = folder.join(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options.open(&temporary)?;
    Ok((temporary, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, grants: &[&str], expected: &str) {
        let mut file = PolicyFile::parse(text).unwrap();
        for grant in grants {
            file.add(List::Allow, grant, "once").unwrap();
        }
        assert_eq!(file.to_string(), expected);
        PolicyFile::parse(expected).unwrap();
    }

    #[test]
    fn an_empty_policy_takes_grants() {
        let mut file = PolicyFile::empty();
        assert_eq!(file.to_string(), "version = 1\nallow = []\n");
        for grant in ["a", "b"] {
            file.add(List::Allow, grant, "once").unwrap();
        }
        file.add(List::Deny, "c", "as ordered").unwrap();
        assert_eq!(
            file.to_string(),
            "version = 1\nallow = [\n    \"a\", # once\n    \"b\", # once\n]\n\
             deny = [\n    \"c\", # as ordered\n]\n"
        );
        assert_eq!(file.allowed().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        check(
            "# mine\nversion = 1 # one\nallow = [\n  # why\n  \"a\", # that is why\n  \"b\" # and so\n]\n\
             [hosts] # all\n\"x\" = []\n",
            &["c", "d"],
            "# mine\nversion = 1 # one\nallow = [\n  # why\n  \"a\", # that is why\n  \"b\", # and so\n  \
             \"c\", # once\n  \"d\", # once\n]\n[hosts] # all\n\"x\" = []\n",
        );
        check(
            "version = 1\nallow = [\"a\", \"b\"]\n",
            &["c"],
            "version = 1\nallow = [\"a\", \"b\",\n    \"c\", # once\n]\n",
        );
        check(
            "version = 1\nallow = [\n\t\"a\",\n\t# the end\n]\n",
            &["c"],
            "version = 1\nallow = [\n\t\"a\",\n\t# the end\n\t\"c\", # once\n]\n",
        );
    }

    #[test]
    fn a_list_that_is_missing_stands_before_the_tables() {
        check(
            "version = 1\n[hosts]\n\"x\" = []\n",
            &["c"],
            "version = 1\nallow = [\n    \"c\", # once\n]\n[hosts]\n\"x\" = []\n",
        );
    }

    #[test]
    fn a_list_that_is_none_takes_nothing() {
        let mut file = PolicyFile::parse("allow = 1\n").unwrap();
        assert!(file.add(List::Allow, "a", "once").is_err());
    }
}
