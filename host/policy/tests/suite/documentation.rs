//! Whatever `docs/policy.md` shows: the grants parse, those that are called
//! wrong are refused as it says, and denials and errors read as they are.

use std::collections::HashMap;

use portcullis_policy::{Grant, Policy};

use crate::check::decide;

const TEXT: &str = include_str!("../../../../docs/policy.md");

/// The blocks of one kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let fences: Vec<&str> = TEXT.split("```").collect();
    assert_eq!(fences.len() % 2, 1, "a block is not closed");
    let inside = fences.iter().skip(1).step_by(2);
    let found: Vec<_> = inside
        .filter_map(|block| block.split_once('\n'))
        .filter(|(info, _)| *info == kind)
        .map(|(_, block)| block)
        .collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

/// The files, by the name in their first line.
fn files() -> HashMap<&'static str, &'static str> {
    let named = |block: &'static str| {
        let (first, _) = block.split_once('\n')?;
        Some((first.strip_prefix("# ")?, block))
    };
    blocks("toml").into_iter().filter_map(named).collect()
}

#[test]
fn every_block_is_of_a_kind_that_is_checked() {
    let infos = TEXT.split("```").skip(1).step_by(2);
    for info in infos.filter_map(|block| block.lines().next()) {
        let known = ["console", "ebnf", "sh", "text", "text wrong", "toml"];
        assert!(known.contains(&info), "{info}");
    }
}

#[test]
fn grants_parse() {
    for line in blocks("text").iter().flat_map(|block| block.lines()) {
        let grant = line.split('#').next().unwrap().trim_end();
        if let Err(error) = Grant::parse(grant) {
            panic!("{grant}: {error}");
        }
    }
}

#[test]
fn wrong_grants_are_refused_as_is_said() {
    for line in blocks("text wrong").iter().flat_map(|block| block.lines()) {
        let (grant, says) = line.split_once(" # ").unwrap();
        let error = Grant::parse(grant.trim_end()).unwrap_err();
        assert_eq!(error.to_string(), says, "{grant}");
    }
}

#[test]
fn files_are_policies() {
    for block in blocks("toml") {
        let policy = Policy::builder().file("policy.toml", block).build();
        assert!(policy.is_ok(), "{}", policy.unwrap_err());
    }
    let limits = Policy::builder().file("p", blocks("toml")[1]).build();
    let limits = format!("{:?}", limits.unwrap().limits());
    assert!(!limits.contains("None"), "a limit is missing: {limits}");
}

#[test]
fn sockets_have_endpoints() {
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        let socket = line.strip_prefix("--socket '").unwrap();
        let (_, grant) = socket.strip_suffix('\'').unwrap().split_once('=').unwrap();
        let listen = format!("listen {grant}");
        let grant = Grant::parse(grant).or_else(|_| Grant::parse(&listen));
        assert!(grant.unwrap().opening().is_some(), "{line}");
    }
}

#[test]
fn denials_and_errors_read_as_they_are_shown() {
    for block in blocks("console") {
        let (command, shown) = block.split_once('\n').unwrap();
        let found = match run(command) {
            Ok(policy) => {
                let (_, request) = shown.split_once("denied  ").unwrap();
                let request = request.lines().next().unwrap();
                decide(&policy, request).unwrap_err().report().to_string()
            }
            Err(error) => error,
        };
        assert_eq!(found, shown.trim_end(), "{command}");
    }
}

/// The policy of a command, or what is wrong with it.
fn run(command: &str) -> Result<Policy, String> {
    let rest = command.strip_prefix("$ portcullis run ").unwrap();
    let (files, mut builder) = (files(), Policy::builder());
    let mut words = rest.split_inclusive(' ');
    while let Some(flag) = words.next().filter(|word| word.starts_with("--")) {
        let mut value = words.next().unwrap().to_owned();
        while value.starts_with('\'') && !value.trim_end().ends_with('\'') {
            value += words.next().unwrap();
        }
        let value = value.trim_end().trim_matches('\'');
        builder = match flag.trim_end() {
            "--allow" => builder.allow(value),
            "--ceiling" => builder.ceiling(value, files[value]),
            "--deny" => builder.deny(value),
            "--policy" => builder.file(value, files[value]),
            _ => panic!("{flag}"),
        };
    }
    builder.build().map_err(|error| error.to_string())
}
