//! The command line of `portcullis policy`, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::arguments::{PolicyArguments, ResolverKind};

/// Ask what a policy says, without running anything.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    Check(CheckArguments),
    Diff(DiffArguments),
    Explain(ExplainArguments),
}

/// Look a policy through: whether it can be read, and what deserves a second look.
///
/// Exits with 0 if the policy is good, whatever it is warned of, and with 2 if it
/// cannot be used.
#[derive(Args, Debug)]
#[command(after_help = "Example: portcullis policy check policy.toml")]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,

    /// Print JSON: see docs/policy-commands.md.
    #[arg(long)]
    pub(crate) json: bool,

    /// Policy files, which add up.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Say what one policy opens and closes where it takes the place of another.
///
/// A line says what opens or closes, in the words of a grant, except that `in` says
/// all of where a name may lead. What the policies decide is compared, not how they
/// are written.
///
/// Exits with 0 if nothing differs, with 1 if something does, and with 2 if a policy
/// cannot be used, or the two are too much to compare.
#[derive(Args, Debug)]
#[command(after_help = "Example: portcullis policy diff old.toml new.toml")]
pub(crate) struct DiffArguments {
    /// Print JSON: see docs/policy-commands.md.
    #[arg(long)]
    pub(crate) json: bool,

    /// The policy that there was.
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,

    /// The policy that takes its place.
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
}

/// Say whether a request is allowed, and why.
///
/// A request is written as denials print it: a grant for one endpoint, such as
/// `connect tcp://10.0.0.5:5432`, `accept tcp://127.0.0.1:8080 from 10.1.2.3`,
/// `connect tcp://db.internal:5432` or `resolve db.internal`. Where a name leads,
/// may stand after `in`: `connect tcp://db.internal:5432 in 10.0.0.5`.
///
/// Exits with 0 if it is allowed, with 1 if it is denied, and with 2 if the policy or
/// the request cannot be used.
#[derive(Args, Debug)]
#[command(
    override_usage = "portcullis policy explain [OPTIONS] [FILE]... <REQUEST>",
    after_help = "Example: portcullis policy explain policy.toml 'connect tcp://10.0.0.5:5432'"
)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,

    /// Look the name of the request up, if the policy lets a guest do so, and judge
    /// each of its addresses.
    #[arg(long)]
    pub(crate) resolve: bool,

    /// Who looks it up.
    #[arg(long, value_enum, default_value_t = ResolverKind::Dns, requires = "resolve")]
    pub(crate) resolver: ResolverKind,

    /// Print JSON: see docs/policy-commands.md.
    #[arg(long)]
    pub(crate) json: bool,

    /// Policy files, which add up, and then the request.
    #[arg(value_name = "FILE... REQUEST", required = true)]
    operands: Vec<String>,
}

impl ExplainArguments {
    /// The policy files, and the request.
    pub(crate) fn operands(&self) -> (&[String], &str) {
        let (request, files) = match self.operands.split_last() {
            Some((request, files)) => (request.as_str(), files),
            None => ("", self.operands.as_slice()),
        };
        (files, request)
    }
}
