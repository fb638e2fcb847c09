//! `cargo xtask demo`: a sandboxed server and client meet over a port that each
//! was granted, an ordinary client joins in, and the same sandboxed client
//! without its grant is turned away.
//!
//! It is a test as well: it fails at the first step that does not do what it
//! should, and leaves no process behind.

// The ordinary client is no guest: it shows that the server is an ordinary one.
#![expect(
    clippy::disallowed_methods,
    reason = "the demo's own client stands outside the sandbox"
)]

use std::env::consts::EXE_SUFFIX;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::child::{Child, Ended};
use crate::workspace::Workspace;
use crate::{child, guests, terminal};

/// What the server says to whoever connects, and about it.
const GREETING: &str = "Thank you for connecting";
const READY: &str = "Listening on ";
const CONNECTION: &str = "Got connection from ";

/// The first build compiles wasmtime.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
/// Starting and answering take well under a second where nothing else runs.
const STEP_LIMIT: Duration = Duration::from_secs(60);
/// A connection that should not be would show up within this.
const SETTLE: Duration = Duration::from_millis(300);

/// Does every step, or names the one that failed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let command = step(1, "build the portcullis command", || {
        build_command(workspace)
    })?;
    let guests = step(2, "build the guests", || guests::build(workspace))?;
    let address = free_address()?;
    let stage = Stage {
        workspace,
        command,
        guests,
        address,
    };

    let mut server = step(
        3,
        "a sandboxed server, granted one port to listen on",
        || stage.start_server(),
    )?;
    step(
        4,
        "a sandboxed client, granted that port to connect to",
        || {
            stage.run_granted_client()?;
            server.wait_for(CONNECTION, 1, STEP_LIMIT)
        },
    )?;
    step(5, "an ordinary client, outside any sandbox", || {
        stage.run_native_client()?;
        server.wait_for(CONNECTION, 2, STEP_LIMIT)
    })?;
    step(6, "the sandboxed client without its grant", || {
        stage.run_denied_client()
    })?;
    step(
        7,
        "the server saw the two that may connect, and no other",
        || {
            thread::sleep(SETTLE);
            let connections = server.stop(CONNECTION)?;
            ensure!(connections == 2, "it saw {connections} connections, not 2");
            Ok(())
        },
    )?;
    terminal::announce("demo: every step did what it should");
    Ok(())
}

fn step<T>(number: u8, title: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    terminal::announce(&format!("{number}/7 {title}"));
    run().with_context(|| format!("demo step {number} ({title})"))
}

/// With the features of the whole workspace, as the tests build it, so that
/// neither makes the other compile wasmtime again.
fn build_command(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--workspace", "--bin", "portcullis"]);
    child::run(&mut cargo, BUILD_LIMIT)?;
    Ok(workspace
        .target()
        .join("debug")
        .join(format!("portcullis{EXE_SUFFIX}")))
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// Where the steps take place.
struct Stage<'a> {
    workspace: &'a Workspace,
    command: PathBuf,
    guests: PathBuf,
    address: SocketAddr,
}

impl Stage<'_> {
    fn start_server(&self) -> Result<Child> {
        let grant = format!("listen tcp://{}", self.address);
        let mut server = self.start("server", "greeting-server.wasm", Some(&grant))?;
        server.wait_for(READY, 1, STEP_LIMIT)?;
        Ok(server)
    }

    fn run_granted_client(&self) -> Result<()> {
        let ended = self
            .start("client", "greeting-client.wasm", Some(&self.client_grant()))?
            .wait(STEP_LIMIT)?;
        ensure!(
            ended.status.success(),
            "the client failed: {}",
            ended.status
        );
        ensure!(
            ended.stdout.contains(GREETING),
            "the client did not print `{GREETING}`"
        );
        Ok(())
    }

    fn run_native_client(&self) -> Result<()> {
        let stream = TcpStream::connect_timeout(&self.address, STEP_LIMIT)
            .with_context(|| format!("cannot connect to {}", self.address))?;
        stream.set_read_timeout(Some(STEP_LIMIT))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        terminal::indented("native", line.trim_end());
        ensure!(
            line.contains(GREETING),
            "the server sent `{}`, not `{GREETING}`",
            line.trim_end()
        );
        Ok(())
    }

    fn run_denied_client(&self) -> Result<()> {
        let ended = self
            .start("client", "greeting-client.wasm", None)?
            .wait(STEP_LIMIT)?;
        check_denied(&ended, &self.client_grant())
    }

    fn client_grant(&self) -> String {
        format!("connect tcp://{}", self.address)
    }

    fn start(&self, speaker: &'static str, program: &str, grant: Option<&str>) -> Result<Child> {
        let mut command = self.workspace.command(&self.command);
        command.arg("run");
        if let Some(grant) = grant {
            command.args(["--allow", grant]);
        }
        command
            .arg(self.guests.join(program))
            .arg(self.address.to_string());
        show(&command, self.workspace.root());
        Child::start(&mut command, speaker)
    }
}

fn show(command: &Command, root: &Path) {
    terminal::note(&format!("    $ {}", child::command_line(command, root)));
}

/// A denial fails the guest, reaches nobody, and says why and what to do.
fn check_denied(ended: &Ended, request: &str) -> Result<()> {
    ensure!(
        !ended.status.success(),
        "the client without a grant succeeded"
    );
    ensure!(
        !ended.stdout.contains(GREETING),
        "the client without a grant was greeted"
    );
    let expected = [
        format!("portcullis: denied  {request}"),
        "reason:".into(),
        format!("to allow: --allow '{request}'"),
    ];
    for line in expected {
        if !ended.stderr.contains(&line) {
            bail!("the denial does not say `{line}`");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    const DENIAL: &str = "\
portcullis: denied  connect tcp://127.0.0.1:4000
  reason: no grant covers it; there are no grants
  to allow: --allow 'connect tcp://127.0.0.1:4000'
";

    #[track_caller]
    fn check(exit_code: i32, stdout: &str, stderr: &str, expected: Option<&str>) {
        let status = ExitStatus::from_raw(exit_code << 8);
        let ended = Ended {
            status,
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        let failure = check_denied(&ended, "connect tcp://127.0.0.1:4000").err();
        let failure = failure.map(|error| error.to_string()).unwrap_or_default();
        assert!(failure.contains(expected.unwrap_or_default()), "{failure}");
        assert_eq!(failure.is_empty(), expected.is_none(), "{failure}");
    }

    #[test]
    fn a_denial_fails_the_client_and_explains_itself() {
        check(1, "", DENIAL, None);
        check(0, "", DENIAL, Some("succeeded"));
        check(1, "Thank you for connecting\n", DENIAL, Some("greeted"));
        check(
            1,
            "",
            "error: access-denied\n",
            Some("portcullis: denied  connect"),
        );
        check(
            1,
            "",
            &DENIAL.replace("4000'", "4001'"),
            Some("to allow: --allow"),
        );
    }
}
