//! `docs/adversarial.md` against the tests: each row names tests that are there
//! and run, and each test of the table has its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const INDEX: &str = "docs/adversarial.md";
const TABLE: &str = "tests/suites/adversarial";

/// What the rows of the index name: a file and a test in it each.
fn named(index: &str) -> Vec<(String, String)> {
    let rows = index.lines().filter_map(|line| {
        let cells: Vec<&str> = line
            .strip_prefix('|')?
            .strip_suffix('|')?
            .split('|')
            .collect();
        assert_eq!(cells.len(), 3, "{line}");
        Some(cells[2].trim())
    });
    let tests = rows.filter(|cell| cell.starts_with('`'));
    let tests = tests.flat_map(|cell| cell.split(", "));
    tests
        .map(|test| {
            let path = test
                .strip_prefix('`')
                .and_then(|test| test.strip_suffix('`'));
            let (file, name) = path.and_then(|path| path.split_once("::")).unwrap();
            (file.to_owned(), name.to_owned())
        })
        .collect()
}

/// The tests of a file that are run.
fn tests(source: &str) -> BTreeSet<String> {
    let (mut is_test, mut is_ignored) = (false, false);
    let mut tests = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            is_ignored |= line.starts_with("#[ignore");
        } else if let Some(function) = line.trim_start_matches("async ").strip_prefix("fn ") {
            let name = function.split('(').next().unwrap();
            if is_test && !is_ignored {
                tests.insert(name.to_owned());
            }
            (is_test, is_ignored) = (false, false);
        }
    }
    tests
}

#[test]
fn every_row_has_its_test_and_every_test_its_row() {
    let read = |path: &str| fs::read_to_string(Path::new(TOP).join(path)).unwrap();
    let named = named(&read(INDEX));
    assert!(named.len() > 50, "{named:?}");
    for (file, name) in &named {
        assert!(
            tests(&read(file)).contains(name),
            "{file} has no test {name}"
        );
    }
    for entry in fs::read_dir(Path::new(TOP).join(TABLE)).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        if file == "index.rs" {
            continue;
        }
        let module = format!("mod {};", file.trim_end_matches(".rs"));
        assert!(
            file == "main.rs" || include_str!("main.rs").contains(&module),
            "{file}"
        );
        let path = format!("{TABLE}/{file}");
        for name in tests(&read(&path)) {
            let row = (path.clone(), name);
            assert!(named.contains(&row), "{row:?} has no row in {INDEX}");
        }
    }
}

#[test]
fn a_test_that_is_ignored_or_none_does_not_count() {
    let source = "#[test]\nfn one() {}\n#[test]\n#[ignore = \"slow\"]\nfn two() {}\nfn three() {}\n\
                  #[tokio::test]\nasync fn four() {}";
    assert_eq!(tests(source), ["four", "one"].map(str::to_owned).into());
}
