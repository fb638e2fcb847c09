//! The command line of `portcullis compile`.

use std::path::PathBuf;

use clap::Args;

/// Compile a component ahead of time, for this version of the command and this
/// kind of processor.
///
/// `run`, `learn` and `serve` take the file in place of the component. What is in it
/// is run as it is: they take it only if it belongs to this user or to root, and
/// nobody else can write to it.
#[derive(Args, Debug)]
#[command(after_help = "Example: portcullis compile server.wasm && portcullis run server.cwasm")]
pub(crate) struct CompileArguments {
    /// Where to write it; beside the component, unless it is said. The name ends in
    /// `.cwasm`.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The component.
    pub(crate) program: PathBuf,
}
