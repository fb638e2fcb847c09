//! `docs/socket-state.md` against the contract: what stays in a socket is said of each
//! flag of a send and of each option.

use std::collections::BTreeSet;

const CONTRACT: &str = include_str!("../../../wit/socket.wit");
const STATE: &str = include_str!("../../../docs/socket-state.md");

/// The names within the first braces behind `head`.
fn names(head: &str) -> BTreeSet<&'static str> {
    let (_, behind) = CONTRACT.split_once(head).unwrap();
    let (within, _) = behind.split_once("    }\n").unwrap();
    let lines = within.lines().map(str::trim);
    lines.filter_map(|line| line.strip_suffix(',')).collect()
}

/// The names in the first cells of the rows of a section.
fn rows(section: &str) -> BTreeSet<&'static str> {
    let (_, behind) = STATE.split_once(section).unwrap();
    let section = behind.split("\n## ").next().unwrap();
    let cells = section.lines().filter_map(|line| line.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split(", "));
    names
        .filter_map(|name| name.trim().strip_prefix('`')?.strip_suffix('`'))
        .collect()
}

#[test]
fn each_flag_and_option_has_its_row() {
    let flags = names("flags send-flags {\n");
    assert!(flags.contains("more"), "{flags:?}");
    assert_eq!(rows("## Flags of a send\n"), flags);
    let options = names("enum option-name {\n");
    assert!(options.contains("v6-only"), "{options:?}");
    assert_eq!(rows("## Options\n"), options);
}
