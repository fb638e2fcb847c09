//! `cargo xtask test`: every check that a change has to pass, in an order that
//! finds the cheap mistakes first, up to the first that fails.
//!
//! Each check takes the whole workspace, so that cargo settles on one set of
//! features and compiles the large dependencies once. What could part them is a
//! dev-dependency that asks more of a crate below wasmtime (serde, indexmap)
//! than the ordinary ones do: the demo's build would leave that out.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{child, demo, guests, liveness, peers, rows, soak, terminal};

/// No check takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// Where the tests find the components.
const GUESTS: &str = "PORTCULLIS_GUESTS";
/// Where they find the programs that the examples talk to.
const PEERS: &str = "PORTCULLIS_PEERS";

const CHECKS: [Check; 11] = [
    Check {
        name: "rustfmt",
        run: |suite| suite.rustfmt(),
    },
    Check {
        name: "guests",
        run: |suite| suite.guests(),
    },
    Check {
        name: "peers",
        run: |suite| suite.peers(),
    },
    Check {
        name: "clippy",
        run: |suite| suite.clippy(),
    },
    Check {
        name: "tests",
        run: |suite| suite.tests(),
    },
    Check {
        name: "rows",
        run: |suite| suite.rows(),
    },
    Check {
        name: "rustdoc",
        run: |suite| suite.rustdoc(),
    },
    Check {
        name: "cargo-deny",
        run: |suite| suite.cargo_deny(),
    },
    Check {
        name: "demo",
        run: |suite| suite.demo(),
    },
    Check {
        name: "soak",
        run: |suite| suite.soak(),
    },
    Check {
        name: "liveness",
        run: |suite| suite.liveness(),
    },
];

struct Check {
    name: &'static str,
    run: fn(&mut Suite<'_>) -> Result<Outcome>,
}

enum Outcome {
    Passed,
    /// Not done, and why.
    Skipped(&'static str),
}

/// Runs every check, and says at the end what passed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut suite = Suite {
        workspace,
        guests: None,
        peers: None,
    };
    let mut report = Vec::new();
    let started = Instant::now();
    for (number, Check { name, run }) in (1..).zip(CHECKS) {
        terminal::announce(&format!("check {number}/{}: {name}", CHECKS.len()));
        let check_started = Instant::now();
        let outcome = run(&mut suite).with_context(|| format!("check `{name}` failed"))?;
        if let Outcome::Skipped(why) = &outcome {
            terminal::announce(&format!("skipped {name}: {why}"));
        }
        report.push((name, outcome, check_started.elapsed()));
    }
    terminal::announce(&summary(&report, started.elapsed()));
    Ok(())
}

struct Suite<'a> {
    workspace: &'a Workspace,
    /// The folder of the components, once they are built.
    guests: Option<PathBuf>,
    /// The folder of what the examples talk to, once it is there.
    peers: Option<PathBuf>,
}

impl Suite<'_> {
    fn rustfmt(&mut self) -> Result<Outcome> {
        passes(self.workspace.cargo().args(["fmt", "--all", "--check"]))
    }

    fn guests(&mut self) -> Result<Outcome> {
        self.guests = Some(guests::build(self.workspace)?);
        Ok(Outcome::Passed)
    }

    fn peers(&mut self) -> Result<Outcome> {
        self.peers = Some(peers::prepare(self.workspace)?);
        Ok(Outcome::Passed)
    }

    fn clippy(&mut self) -> Result<Outcome> {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        passes(self.workspace.cargo().args(arguments))
    }

    /// Unit, integration and documentation tests.
    fn tests(&mut self) -> Result<Outcome> {
        let (Some(guests), Some(peers)) = (&self.guests, &self.peers) else {
            bail!("the guests are not built, or have nobody to talk to")
        };
        passes(
            self.workspace
                .cargo()
                .args(["test", "--workspace"])
                .env(GUESTS, guests)
                .env(PEERS, peers),
        )
    }

    /// Each row of the interface has its test, which the check before ran.
    fn rows(&mut self) -> Result<Outcome> {
        rows::run(self.workspace)?;
        Ok(Outcome::Passed)
    }

    fn rustdoc(&mut self) -> Result<Outcome> {
        let mut cargo = self.workspace.cargo();
        cargo
            .args(["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings");
        passes(&mut cargo)
    }

    /// Licences, duplicates and sources; advisories need the network and change
    /// without a change of ours.
    fn cargo_deny(&mut self) -> Result<Outcome> {
        let mut version = self.workspace.cargo();
        version.args(["deny", "--version"]);
        if !child::run_quietly(&mut version, LIMIT)?.status.success() {
            return Ok(Outcome::Skipped("not installed (cargo install cargo-deny)"));
        }
        passes(
            self.workspace
                .cargo()
                .args(["deny", "check", "licenses", "bans", "sources"]),
        )
    }

    fn demo(&mut self) -> Result<Outcome> {
        demo::run(self.workspace)?;
        Ok(Outcome::Passed)
    }

    /// A minute of what is done for longer by hand.
    fn soak(&mut self) -> Result<Outcome> {
        let Some(guests) = &self.guests else {
            bail!("the guests are not built")
        };
        soak::soak(self.workspace, guests, 1)?;
        Ok(Outcome::Passed)
    }

    /// A minute of sequences, other ones each time.
    fn liveness(&mut self) -> Result<Outcome> {
        let Some(guests) = &self.guests else {
            bail!("the guests are not built")
        };
        liveness::fuzz(self.workspace, guests, 1, None, None)?;
        Ok(Outcome::Passed)
    }
}

fn passes(command: &mut Command) -> Result<Outcome> {
    child::run(command, LIMIT)?;
    Ok(Outcome::Passed)
}

fn summary(report: &[(&str, Outcome, Duration)], total: Duration) -> String {
    let lines = report.iter().map(|(name, outcome, took)| match outcome {
        Outcome::Passed => format!("{name} {:.1} s", took.as_secs_f64()),
        Outcome::Skipped(_) => format!("{name} skipped"),
    });
    format!(
        "passed in {:.1} s: {}",
        total.as_secs_f64(),
        lines.collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_one_line_with_each_check_and_its_time() {
        let report = [
            ("rustfmt", Outcome::Passed, Duration::from_millis(420)),
            (
                "cargo-deny",
                Outcome::Skipped("not installed"),
                Duration::ZERO,
            ),
        ];
        let summary = summary(&report, Duration::from_secs(61));
        assert_eq!(
            summary,
            "passed in 61.0 s: rustfmt 0.4 s, cargo-deny skipped"
        );
    }
}
