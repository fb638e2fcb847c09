//! The command line of `portcullis learn`.

use std::path::PathBuf;

use clap::Args;

use super::GuestArguments;

/// Run a program without a policy, and write the policy that it needs.
///
/// Everything passes but what a deny matches or a ceiling does not allow, so this
/// is only for programs, and peers, that could be trusted without any policy. What is written is the
/// smallest readable policy that covers what the program did, for you to review.
/// It starts from the grants that are given, and keeps them.
///
/// A program that does not end by itself is used for a while and then ended
/// with Ctrl-C; what it did by then is written, and so it is if it traps.
///
/// Exits as the program does, and with 0 where it is ended so.
#[derive(Args, Debug)]
#[command(after_help = "Example: portcullis learn -o policy.toml server.wasm 127.0.0.1:8080")]
pub(crate) struct LearnArguments {
    /// Where to write the policy; to standard output if it is `-` or left out.
    #[arg(short, long, value_name = "FILE", help_heading = "Policy")]
    pub(crate) output: Option<PathBuf>,

    /// Write over the file if it is there already.
    #[arg(long, requires = "output", help_heading = "Policy")]
    pub(crate) force: bool,

    /// The program, and what it is given.
    #[command(flatten)]
    pub(crate) guest: GuestArguments,
}
