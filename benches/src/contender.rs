//! Who is measured, and how each is started.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Where `cargo xtask` says the components are, here and for the tests.
const GUESTS: &str = "PORTCULLIS_GUESTS";

/// Python's part.
const PYTHON_ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/echo.py");

/// One who serves the echo.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    /// tokio, a task for each connection.
    Native,
    /// A guest with blocking calls, one visitor after the other.
    Guest,
    /// A guest with a task for each connection.
    GuestAsync,
    /// A handler, of which each connection and each datagram has an instance.
    Serve,
    /// The same handler, whose instances are kept for whoever comes next.
    ServeKept,
    /// A guest on wasmtime's own sockets.
    Wasi,
    /// Python's `socketserver`, a thread for each connection.
    Python,
}

/// What is echoed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// Where the programs are.
pub(crate) struct Programs {
    own: PathBuf,
    portcullis: PathBuf,
    guests: PathBuf,
    python: PathBuf,
    /// What servers say is kept here.
    pub(crate) log: PathBuf,
}

impl Contender {
    pub(crate) const ALL: [Self; 7] = [
        Self::Native,
        Self::Guest,
        Self::GuestAsync,
        Self::Serve,
        Self::ServeKept,
        Self::Wasi,
        Self::Python,
    ];

    /// On the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Guest => "guest",
            Self::GuestAsync => "guest-async",
            Self::Serve => "serve",
            Self::ServeKept => "serve-kept",
            Self::Wasi => "wasi",
            Self::Python => "python",
        }
    }

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Native => "native tokio",
            Self::Guest => "guest",
            Self::GuestAsync => "guest, async",
            Self::Serve => "serve",
            Self::ServeKept => "serve, kept",
            Self::Wasi => "wasi:sockets",
            Self::Python => "Python",
        }
    }

    /// Whether it serves several connections at a time.
    pub(crate) fn is_concurrent(self) -> bool {
        match self {
            Self::Native
            | Self::GuestAsync
            | Self::Serve
            | Self::ServeKept
            | Self::Wasi
            | Self::Python => true,
            Self::Guest => false,
        }
    }

    /// Whether it has an echo of this protocol. For datagrams a guest needs no
    /// tasks, so there is one guest.
    pub(crate) fn speaks(self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Tcp => true,
            Protocol::Udp => self != Self::GuestAsync,
        }
    }

    /// The command that serves the echo at an address, with a buffer of so many
    /// bytes, by so many threads.
    pub(crate) fn serve(
        self,
        programs: &Programs,
        protocol: Protocol,
        address: SocketAddr,
        buffer: usize,
        workers: usize,
    ) -> Command {
        let mut command = match (self, protocol) {
            (Self::Native, _) => programs.own(["serve", "native", protocol.scheme()]),
            (Self::Guest, Protocol::Tcp) => programs.guest("bench-echo", protocol, address),
            (Self::Guest | Self::GuestAsync, Protocol::Udp) => {
                programs.guest("bench-echo-udp", protocol, address)
            }
            (Self::GuestAsync, Protocol::Tcp) => {
                programs.guest("bench-echo-async", protocol, address)
            }
            (Self::Serve, _) => programs.handler(protocol, address, workers),
            (Self::ServeKept, _) => {
                let mut command = programs.handler(protocol, address, workers);
                command.args(["--connections-per-instance", "all"]);
                command
            }
            (Self::Wasi, _) => {
                let guest = match protocol {
                    Protocol::Tcp => "bench-wasi-echo",
                    Protocol::Udp => "bench-wasi-echo-udp",
                };
                let mut command = programs.own(["serve", "wasi"]);
                command.arg(programs.component(guest));
                command
            }
            (Self::Python, _) => {
                let mut command = Command::new(&programs.python);
                command.args([PYTHON_ECHO, protocol.scheme()]);
                command
            }
        };
        match self {
            // It has been told where, and sees to its buffer itself.
            Self::Serve | Self::ServeKept => {}
            Self::Native | Self::Guest | Self::GuestAsync | Self::Wasi | Self::Python => {
                command.args([address.to_string(), buffer.to_string()]);
            }
        }
        if self == Self::Native {
            command.arg(workers.to_string());
        }
        command
    }

    /// The command that starts, does nothing, and ends, if it has one.
    pub(crate) fn do_nothing(self, programs: &Programs) -> Option<Command> {
        match self {
            Self::Native => Some(programs.own(["nothing"])),
            Self::Guest => {
                let mut command = Command::new(&programs.portcullis);
                command.arg("run").arg(programs.component("bench-nothing"));
                Some(command)
            }
            Self::Python => {
                let mut command = Command::new(&programs.python);
                command.args(["-c", "pass"]);
                Some(command)
            }
            // It starts as the other guest does; and the stock command is not here.
            Self::GuestAsync | Self::Serve | Self::ServeKept | Self::Wasi => None,
        }
    }
}

impl Protocol {
    fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl Programs {
    /// Finds them: the command beside this program, where cargo put both. What
    /// servers say goes into a folder.
    pub(crate) fn find(log: &Path) -> Result<Self> {
        let own = std::env::current_exe()?;
        let portcullis = own.with_file_name("portcullis");
        let guests = std::env::var_os(GUESTS)
            .with_context(|| format!("no {GUESTS}; run `cargo xtask bench`"))?;
        let programs = Self {
            own,
            portcullis,
            guests: guests.into(),
            python: python()?,
            log: log.join("server.log"),
        };
        let guest = programs.component("bench-echo");
        for file in [&programs.portcullis, &guest] {
            if !file.exists() {
                bail!("no {}; run `cargo xtask bench`", file.display());
            }
        }
        Ok(programs)
    }

    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.guests.join(name).with_extension("wasm")
    }

    fn own<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(&self.own);
        command.args(arguments);
        command
    }

    fn handler(&self, protocol: Protocol, address: SocketAddr, workers: usize) -> Command {
        let handler = match protocol {
            Protocol::Tcp => "echo-handler",
            Protocol::Udp => "bench-echo-udp-handler",
        };
        let mut command = Command::new(&self.portcullis);
        command
            .arg("serve")
            .arg(self.component(handler))
            .arg("--listen")
            .arg(format!("{}://{address} from loopback", protocol.scheme()))
            .args(["--workers", &workers.to_string()]);
        command
    }

    fn guest(&self, name: &str, protocol: Protocol, address: SocketAddr) -> Command {
        let scheme = protocol.scheme();
        let mut command = Command::new(&self.portcullis);
        command
            .args(["run", "--allow"])
            .arg(format!("listen {scheme}://{address} from loopback"))
            .arg(self.component(name));
        command
    }
}

/// The interpreter itself: what is found first may be a script that looks for it,
/// which would be measured as well.
fn python() -> Result<PathBuf> {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .context("cannot run python3, which is one of those measured")?;
    if !output.status.success() {
        bail!("python3: {}", output.status);
    }
    let path = String::from_utf8(output.stdout).context("python3 is at no path in UTF-8")?;
    Ok(Path::new(OsStr::new(path.trim())).to_owned())
}
