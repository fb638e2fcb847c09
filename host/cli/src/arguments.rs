//! The command line, as clap reads it.

mod compile;
mod learn;
mod misplaced;
mod serve;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, Error};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use compile::CompileArguments;
pub(crate) use learn::LearnArguments;
pub(crate) use serve::{BoundArguments, ServeArguments};

use crate::policy::arguments::PolicyCommand;

/// Sockets for sandboxed WebAssembly components, granted one capability at a
/// time.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    /// Tell on standard error what the host does: `error`, `warn`, `info`, `debug`
    /// or `trace`, or levels by part, as in `portcullis_net=debug`.
    ///
    /// Without it the environment variable PORTCULLIS_LOG says so.
    #[arg(long, value_name = "LEVEL", global = true)]
    pub(crate) log: Option<String>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Reads the command line, or ends the process with what is wrong with it.
    pub(crate) fn read() -> Self {
        let line: Vec<OsString> = env::args_os().collect();
        let arguments = Self::try_parse_from(&line);
        let arguments = arguments.unwrap_or_else(|error| with_run(error).exit());
        misplaced::refuse(&arguments, &line);
        arguments
    }
}

/// The error, with `run` where somebody left that out.
fn with_run(mut error: Error) -> Error {
    let Some(ContextValue::String(program)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    if Path::new(program).is_file() || program.ends_with(".wasm") {
        let tip = format!("to run a program, write `portcullis run {program}`");
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
        error.remove(ContextKind::SuggestedSubcommand);
    }
    error
}

/// What the command can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Compile(CompileArguments),
    Learn(LearnArguments),
    #[command(subcommand)]
    Policy(PolicyCommand),
    Run(RunArguments),
    Serve(ServeArguments),
}

/// Run a program: a component that is a WASI command.
///
/// It has no network but what the policy grants. Without a policy it has none.
///
/// Exits as the program does; with 134 if it traps, with 130 or 143 if Ctrl-C or SIGTERM
/// ends it, with 125 if the audit log cannot be written, and with 2 if the command
/// line, the policy or the program cannot be used.
#[derive(Args, Debug)]
#[command(after_help = "Example: portcullis run --allow 'listen tcp://127.0.0.1:8080' server.wasm")]
pub(crate) struct RunArguments {
    /// The program, and what it is given.
    #[command(flatten)]
    pub(crate) guest: GuestArguments,

    /// Let everything pass, and report what would have been denied.
    ///
    /// Nothing is enforced, denies included, but for what --ceiling says: only for
    /// programs that could be trusted without any policy.
    #[arg(long, help_heading = "Policy", conflicts_with = "ask")]
    pub(crate) shadow: bool,

    /// Ask on the terminal before the program is denied what no grant covers.
    ///
    /// What a deny is against is not asked about. Where there is no terminal,
    /// everything that would be asked about is denied.
    #[arg(long, help_heading = "Policy")]
    pub(crate) ask: bool,
}

/// A program, and what it is given.
#[derive(Args, Debug)]
pub(crate) struct GuestArguments {
    /// What the program may do.
    #[command(flatten)]
    pub(crate) policy: PolicyArguments,

    /// Who looks up names: the DNS itself, or this machine's own resolver.
    ///
    /// The machine's resolver knows what else the machine is set up with (a
    /// directory, multicast DNS). It does not tell every alias that a name leads
    /// through, so that a deny by name sees only the first and the last, nor for
    /// how long an answer is valid: it counts for 60 seconds.
    #[arg(long, value_enum, default_value_t = ResolverKind::Dns)]
    pub(crate) resolver: ResolverKind,

    /// Write all that the program does with the network to a file, an event a line
    /// in JSON; `-` is standard error.
    ///
    /// Lines are added to the file, which is made where there is none. What
    /// cannot be written ends the program. SIGHUP opens the file anew, for
    /// whoever renames it.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,

    /// Set an environment variable, or hand on one of this process's own.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,

    /// Let the program use a folder, under the same name or another; with `:ro` behind
    /// it, only read it.
    ///
    /// What the operator names beside it must not be in it: the policy, logs, unix sockets
    /// that are granted or listened at, other folders.
    #[arg(long, value_name = "HOST[::GUEST][:ro]")]
    pub(crate) dir: Vec<String>,

    /// Open a socket for the program, which then needs no grant for it.
    ///
    /// It listens, or connects where the endpoint follows `connect`; the
    /// program finds it by its name: `web=tcp://127.0.0.1:8080 from loopback`,
    /// `db=connect tcp://db.internal:5432`, `app=unix:/run/app.sock`.
    #[arg(long, value_name = "NAME=[connect ]ENDPOINT")]
    pub(crate) socket: Vec<String>,

    /// The component.
    #[arg(index = 1)]
    pub(crate) program: PathBuf,

    /// What the program gets as its arguments: from the first on that is no option
    /// of this command, all that follows, options as well, but for what reads like an
    /// option of this command, which is an error. Behind `--` everything is for the
    /// program.
    #[arg(index = 2, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

impl GuestArguments {
    /// The files by which the program is held or watched, and itself where it is run
    /// as it is.
    pub(crate) fn held_by(&self) -> impl Iterator<Item = &Path> {
        let is_compiled = self.program.extension().is_some_and(|name| name == "cwasm");
        let program = is_compiled.then_some(&self.program);
        let policies = self.policy.policy.iter().chain(&self.policy.ceiling);
        let files = policies.chain(&self.audit).chain(program);
        files
            .map(PathBuf::as_path)
            .filter(|file| *file != Path::new("-"))
    }
}

/// Who looks up names.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ResolverKind {
    /// The name servers and the hosts file that this machine is set up with.
    Dns,
    /// This machine's own resolver.
    System,
}

/// The policy. All of it adds up; a deny always wins, and a ceiling bounds it.
#[derive(Args, Clone, Debug)]
pub(crate) struct PolicyArguments {
    /// Read grants, denies and the rest from a file.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(crate) policy: Vec<PathBuf>,

    /// Bound all of it by a policy file: only what that grants as well is
    /// allowed, and its denies and limits hold.
    #[arg(long, value_name = "FILE", help_heading = "Policy")]
    pub(crate) ceiling: Vec<PathBuf>,

    /// Grant something: `connect tcp://db.internal:5432`.
    #[arg(long, value_name = "GRANT", help_heading = "Policy")]
    pub(crate) allow: Vec<String>,

    /// Deny something, whatever is granted.
    #[arg(long, value_name = "GRANT", help_heading = "Policy")]
    pub(crate) deny: Vec<String>,
}
