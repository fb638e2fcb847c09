//! `cargo xtask rows`: whether each row of `docs/interface.md` has its test, and
//! each test of a row has its row.
//!
//! The tests are those that cargo compiled and would run, so one that is ignored
//! or left out does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child;
use crate::terminal;
use crate::workspace::Workspace;

/// Where the rows are, from the top of the repository.
const DOCUMENT: &str = "docs/interface.md";

/// What the tests begin with that are named after a row.
const PREFIX: &str = "row_";

/// The first build of the tests compiles wasmtime.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// Lists what is missing, and fails if anything is.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let document = fs::read_to_string(workspace.root().join(DOCUMENT))
        .with_context(|| format!("{DOCUMENT} cannot be read"))?;
    let rows = rows(&document);
    let every = list(workspace, &[])?;
    let ignored = list(workspace, &["--ignored"])?;
    let tests: BTreeSet<&str> = every.difference(&ignored).map(String::as_str).collect();
    let missing = missing(&rows, &tests);
    for line in &missing {
        terminal::result(line);
    }
    if rows.is_empty() || !missing.is_empty() {
        bail!("{} of {} rows", missing.len(), rows.len());
    }
    terminal::result(&format!("{} rows, each with its test", rows.len()));
    Ok(())
}

/// A row of the document.
#[derive(Debug, Eq, PartialEq)]
struct Row {
    id: String,
    test: String,
}

/// The rows of the document's tables; those whose first column is called `row`
/// have them.
fn rows(document: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut columns: Option<Vec<&str>> = None;
    for line in document.lines() {
        let Some(cells) = cells(line) else {
            columns = None;
            continue;
        };
        let Some(columns) = &columns else {
            columns = Some(cells);
            continue;
        };
        let cell = |name| {
            let index = columns.iter().position(|column| *column == name)?;
            code(cells.get(index)?)
        };
        if columns.first() == Some(&"row")
            && let Some(id) = cell("row")
        {
            let test = cell("tested by").map_or_else(|| test_of(id), str::to_owned);
            rows.push(Row {
                id: id.to_owned(),
                test,
            });
        }
    }
    rows
}

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let line = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(line.split('|').map(str::trim).collect())
}

/// What stands between backticks.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// The name of a row's test.
fn test_of(id: &str) -> String {
    let name = id.chars().map(|character| match character {
        'a'..='z' | '0'..='9' => character,
        'A'..='Z' => character.to_ascii_lowercase(),
        _ => '_',
    });
    PREFIX.chars().chain(name).collect()
}

/// The tests of the whole workspace by their own names, without the modules that
/// they are in.
fn list(workspace: &Workspace, which: &[&str]) -> Result<BTreeSet<String>> {
    let mut cargo = workspace.cargo();
    cargo
        .args(["test", "--workspace", "--tests", "--"])
        .args(["--list", "--format", "terse"])
        .args(which);
    let listed = child::run_quietly(&mut cargo, LIMIT)?;
    if !listed.status.success() {
        bail!(
            "the tests do not build: {}\n{}",
            listed.status,
            listed.stderr
        );
    }
    Ok(listed
        .stdout
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .map(|path| path.rsplit("::").next().unwrap_or(path).to_owned())
        .collect())
}

/// What is wrong, a line for each.
fn missing(rows: &[Row], tests: &BTreeSet<&str>) -> Vec<String> {
    let mut missing = Vec::new();
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for Row { id, test } in rows {
        if !tests.contains(test.as_str()) {
            missing.push(format!("{id} has no test: {test} is not there"));
        }
        let shared = named.insert(test, id);
        if let (Some(other), true) = (shared, test.starts_with(PREFIX)) {
            missing.push(format!("{id} has no test of its own: {test} is {other}'s"));
        }
    }
    for test in tests {
        if test.starts_with(PREFIX) && !named.contains_key(test) {
            missing.push(format!("{test} has no row in {DOCUMENT}"));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "\
# Words, and `code`

| row | what it means |
|---|---|
| `recv.MSG_PEEK` | `peek` |

| other | tables |
|---|---|
| `are` | `not` |

| row | what it means | tested by |
|---|---|---|
| `chat` | | `the_pair_talks` |
| `poll` | | |
";

    #[test]
    fn a_row_has_the_test_that_its_table_names_or_one_named_after_it() {
        let expected = [
            ("recv.MSG_PEEK", "row_recv_msg_peek"),
            ("chat", "the_pair_talks"),
            ("poll", "row_poll"),
        ];
        let expected = expected.map(|(id, test)| Row {
            id: id.into(),
            test: test.into(),
        });
        assert_eq!(rows(TABLES), expected);
    }

    #[track_caller]
    fn check(tests: &[&str], expected: &[&str]) {
        let tests = tests.iter().copied().collect();
        assert_eq!(missing(&rows(TABLES), &tests), expected);
    }

    #[test]
    fn a_row_without_a_test_is_missing() {
        check(&["row_recv_msg_peek", "the_pair_talks", "row_poll"], &[]);
        check(
            &["row_recv_msg_peek", "row_poll"],
            &["chat has no test: the_pair_talks is not there"],
        );
        check(
            &["the_pair_talks", "row_poll"],
            &["recv.MSG_PEEK has no test: row_recv_msg_peek is not there"],
        );
    }

    #[test]
    fn a_test_of_a_row_that_is_not_there_is_missing() {
        check(
            &[
                "row_recv_msg_peek",
                "the_pair_talks",
                "row_poll",
                "row_x",
                "x",
            ],
            &["row_x has no row in docs/interface.md"],
        );
    }

    #[test]
    fn two_rows_do_not_share_a_test_that_is_named_after_one() {
        let twice = format!("{TABLES}| `POLL` | | |\n");
        let tests = ["row_recv_msg_peek", "the_pair_talks", "row_poll"];
        assert_eq!(
            missing(&rows(&twice), &tests.into()),
            ["POLL has no test of its own: row_poll is poll's"]
        );
    }
}
