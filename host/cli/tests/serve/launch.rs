//! Starting a server with sockets that are open, as a service manager does.

use std::process::Command;

use crate::server::guest;

/// A server with sockets of these kinds and names (`tcp=web`): see `launch.py`.
pub(crate) fn with_sockets(sockets: &[&str], handler: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/serve/launch.py"
        ))
        .args(sockets)
        .args(["--", env!("CARGO_BIN_EXE_portcullis"), "serve"])
        .args(arguments)
        .arg(guest(handler));
    command
}
