//! The soak: full load on `portcullis serve`, with faults thrown in, for as long as
//! it is told to. It fails where somebody who was let in did not hear what they
//! should, or where the server takes more of the machine at the end than at the
//! beginning.
//!
//! `cargo xtask soak` builds what it takes and runs it.

#![expect(
    clippy::disallowed_methods,
    reason = "the peers of the server are not guests"
)]

mod load;
mod peer;
mod watch;

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use load::Load;
use portcullis_tests::server::Server;
use watch::Watch;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// How often the server is told to read its handler and its policy anew, and is
/// looked at.
const TURN: Duration = Duration::from_secs(1);

/// The server has no connection left when it is told to end.
const END_LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match soak() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn soak() -> Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [command, handler, seconds] = arguments.as_slice() else {
        return Err("usage: soak PORTCULLIS HANDLER SECONDS".into());
    };
    let seconds = seconds.to_str().and_then(|seconds| seconds.parse().ok());
    let time = Duration::from_secs(seconds.ok_or("the seconds are not a number")?);
    let runtime = tokio::runtime::Runtime::new()?;
    let server = Server::start(&mut serve(command, handler))?;
    let address = server.address("tcp")?;
    // What is made once is made, and has been as large as it gets.
    runtime.block_on(run(&server, address, time / 4, |_| {}))?;
    let mut watch = Watch::begin(server.process());
    let load = runtime.block_on(run(&server, address, time, |server| {
        watch.look(server.process());
    }))?;
    watch.end(server.process());
    let said = server.stop(END_LIMIT)?;
    let mut stdout = io::stdout();
    writeln!(
        stdout,
        "soak: {} s at full load, {} SIGHUPs",
        time.as_secs(),
        said.reloads
    )?;
    writeln!(stdout, "{load}\n{watch}")?;
    load.check()?;
    said.check()?;
    watch.check()
}

fn serve(command: &OsStr, handler: &OsStr) -> Command {
    let mut serve = Command::new(command);
    serve
        .arg("serve")
        .args(["--listen", "tcp://127.0.0.1:0 from 127.0.0.1"])
        // Little more than come at once, so that each place is soon used.
        .args(["--max-connections", "96", "--memory", "16 MiB"])
        .args(["--cpu-time", "500ms", "--idle-time", "30s"])
        .arg(handler)
        .stdout(Stdio::null());
    serve
}

/// Puts the server under load for a time, while it reads everything anew again and
/// again, and waits until nobody is left.
async fn run(
    server: &Server,
    address: SocketAddr,
    time: Duration,
    mut look: impl FnMut(&Server),
) -> Result<Load> {
    let load = load::run(address, time);
    tokio::pin!(load);
    let mut turns = tokio::time::interval(TURN);
    loop {
        tokio::select! {
            load = &mut load => {
                // Those whom nobody waits for are gone soon as well.
                tokio::time::sleep(TURN * 2).await;
                return Ok(load);
            }
            _ = turns.tick() => {
                server.hang_up()?;
                look(server);
            }
        }
    }
}
