//! Random sequences of socket operations, done by a guest and on sockets of the
//! OS: results, errors and data are the same.
//!
//! `PORTCULLIS_DIFFERENTIAL_CASES` is how many sequences to try. What fails is
//! reduced to what it takes, and tried first from then on.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and the executor asks of a few of many values"
)]

mod deviation;
mod errno;
mod guest;
mod names;
mod native;
mod option;
mod os;
mod regressions;
mod sockaddr;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use portcullis_test_operations::{Case, Operation, Outcome};
use portcullis_tests::generator;
use proptest::test_runner::{
    Config, FileFailurePersistence, TestCaseError, TestError, TestRng, TestRunner,
};

use crate::guest::Guest;

/// How many sequences are tried where nobody says: half a minute's worth.
const CASES: u32 = 1000;

/// With fewer, not every operation has its turn.
const FEWEST_CASES: u32 = 300;

/// The seeds of what failed.
const SEEDS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/suites/differential/proptest-regressions.txt"
);

#[test]
fn a_guests_sockets_are_as_the_os_has_them() {
    let more = env::var("PORTCULLIS_DIFFERENTIAL_CASES").ok();
    let cases = more.as_ref().map_or(CASES, |cases| cases.parse().unwrap());
    let config = Config {
        cases: cases.max(FEWEST_CASES),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(SEEDS))),
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let sides = RefCell::new(Sides::new());
    // Who looks for differences wants new sequences each time; who checks a change,
    // the same.
    let mut runner = match more {
        Some(_) => TestRunner::new(config),
        None => {
            let rng = TestRng::deterministic_rng(config.rng_algorithm);
            TestRunner::new_with_rng(config, rng)
        }
    };
    let result = runner.run(&generator::sequence(), |operations| {
        sides.borrow_mut().compare(&operations)
    });
    let mut sides = sides.into_inner();
    println!("{}", sides.summary());
    match result {
        Ok(()) => sides.assert_coverage(),
        Err(TestError::Fail(_, operations)) => panic!("{}", sides.reduce(operations)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_was_once_different_stays_the_same() {
    let mut sides = Sides::new();
    for (name, operations) in regressions::sequences() {
        if let Err(difference) = sides.compare(&operations) {
            panic!("{name}: {difference}");
        }
    }
}

/// Both sides, and what they have done so far.
struct Sides {
    folder: tempfile::TempDir,
    guest: Guest,
    cases: u32,
    /// How many differed at first and not when there was time to settle.
    unsettled: u32,
    /// Of each operation, how many there were and how many succeeded.
    counts: BTreeMap<&'static str, (u64, u64)>,
}

impl Sides {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pc").tempdir().unwrap();
        let guest = Guest::new(folder.path().to_str().unwrap());
        Self {
            folder,
            guest,
            cases: 0,
            unsettled: 0,
            counts: BTreeMap::new(),
        }
    }

    /// Does the operations on both sides. What differs only where there is no
    /// time in between is the network's delay and not a difference.
    fn compare(&mut self, operations: &[Operation]) -> Result<(), TestCaseError> {
        let (guest, native, _) = self.run(operations, 0);
        self.count(operations, &native);
        if guest == native {
            return Ok(());
        }
        // What comes after the first difference is of no account.
        let same = guest
            .iter()
            .zip(&native)
            .take_while(|(a, b)| a == b)
            .count();
        let operations = operations.get(..=same).unwrap_or(operations);
        for _ in 0..2 {
            let (guest, native, denials) = self.run(operations, 1);
            if guest == native {
                self.unsettled += 1;
                return Ok(());
            }
            if let Some(report) = difference(operations, &guest, &native, &denials) {
                return Err(TestCaseError::fail(report));
            }
        }
        Ok(())
    }

    /// Leaves out, of operations of which one differs, what that does not take;
    /// says what is left. proptest leaves more: it knows the groups in which they
    /// were made.
    fn reduce(&mut self, mut operations: Vec<Operation>) -> String {
        let mut report = "it does not happen again".to_owned();
        let mut at = operations.len();
        while at > 0 {
            at -= 1;
            let mut fewer = operations.clone();
            fewer.remove(at);
            if let Err(difference) = self.compare(&fewer) {
                report = difference.to_string();
                operations = fewer;
            }
        }
        match self.compare(&operations) {
            Err(difference) => difference.to_string(),
            Ok(()) => report,
        }
    }

    fn run(
        &mut self,
        operations: &[Operation],
        pause_millis: u32,
    ) -> (Vec<Outcome>, Vec<Outcome>, Vec<String>) {
        self.cases += 1;
        let sandboxed = self.case("g", operations, pause_millis);
        let (guest, denials) = self.guest.run(&sandboxed);
        let plain = self.case("n", operations, pause_millis);
        let native = native::run(&plain);
        for case in [&sandboxed, &plain] {
            fs::remove_dir_all(folder_of(case)).unwrap();
        }
        (
            names::rename(guest, &sandboxed),
            names::rename(native, &plain),
            denials,
        )
    }

    /// The sequence with names of its own, and a folder with what paths can
    /// lead to.
    fn case(&self, side: &str, operations: &[Operation], pause_millis: u32) -> Case {
        let name = format!("{side}{:07}", self.cases);
        let folder = self.folder.path().join(&name);
        fs::create_dir_all(folder.join("folder")).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        symlink("s1", folder.join("link")).unwrap();
        symlink("folder", folder.join("linked")).unwrap();
        symlink("loop", folder.join("loop")).unwrap();
        Case {
            folder: folder.to_str().unwrap().into(),
            prefix: format!("portcullis-{}-{name}-", process::id()).into(),
            pause_millis,
            operations: operations.to_vec(),
        }
    }

    fn count(&mut self, operations: &[Operation], outcomes: &[Outcome]) {
        for (operation, outcome) in operations.iter().zip(outcomes) {
            if *outcome == Outcome::NoSocket {
                continue;
            }
            let (all, successes) = self.counts.entry(operation.name()).or_default();
            *all += 1;
            *successes += u64::from(outcome.is_success());
        }
    }

    fn summary(&self) -> String {
        let mut lines: Vec<_> = (self.counts.iter())
            .map(|(name, (all, successes))| format!("{name}: {all}, {successes} succeeded"))
            .collect();
        lines.push(format!(
            "{} sequences ran, {} had to settle, {} operations",
            self.cases,
            self.unsettled,
            self.counts.values().map(|(all, _)| all).sum::<u64>()
        ));
        lines.join("\n")
    }

    /// A test that does nothing, or nothing that works, shows nothing.
    fn assert_coverage(&self) {
        for name in Operation::NAMES {
            let (all, successes) = self.counts.get(name).copied().unwrap_or_default();
            assert!(all >= 20, "{name} was done {all} times");
            assert!(
                successes * 20 >= all,
                "{name} succeeded {successes} times of {all}"
            );
        }
        assert!(
            self.unsettled * 50 <= self.cases,
            "{} of {} sequences had to settle",
            self.unsettled,
            self.cases
        );
    }
}

fn folder_of(case: &Case) -> PathBuf {
    Path::new(std::str::from_utf8(&case.folder).unwrap()).to_owned()
}

/// What was done up to the first outcome that differs.
fn difference(
    operations: &[Operation],
    guest: &[Outcome],
    native: &[Outcome],
    denials: &[String],
) -> Option<String> {
    let mut report = String::new();
    for ((operation, guest), native) in operations.iter().zip(guest).zip(native) {
        if guest == native {
            report += &format!("\n  {operation:?}: {guest:?}");
        } else {
            report += &format!("\n! {operation:?}\n    guest:  {guest:?}\n    native: {native:?}");
            report += &format!("\ndenied: {denials:#?}");
            return Some(report);
        }
    }
    None
}
