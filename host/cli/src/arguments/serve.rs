//! The command line of `portcullis serve`.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use portcullis::{Bounds, Reuse, WhenFull};

use super::GuestArguments;
use crate::metrics::MetricsAddress;

/// Serve: run a fresh instance of a handler for each connection and each datagram.
///
/// A handler is a component without a `main`, that exports what the contract has for
/// connections or for datagrams. Each instance may do what the policy grants, and
/// to serve takes no grant. What one does wrong ends its own connection.
///
/// SIGTERM and SIGINT end it when all are served who have come, SIGHUP reads the
/// policy and the handler anew, SIGUSR2 has the command as it is installed by then
/// take over. Exits with 0, and with 1 if connections had to be dropped at the end.
#[derive(Args, Debug)]
#[command(after_help = "Example: portcullis serve handler.wasm --listen tcp://127.0.0.1:8080")]
#[command(mut_arg("program", |program| program.value_name("HANDLER")))]
#[command(mut_arg("socket", |socket| {
    socket
        .value_name("NAME=connect ENDPOINT")
        .help("Connect a socket for each instance, which then needs no grant for it")
        .long_help(SOCKET)
}))]
pub(crate) struct ServeArguments {
    /// The handler, and what it is given.
    #[command(flatten)]
    pub(crate) guest: GuestArguments,

    /// Listen there, and at each other that is given: `tcp://127.0.0.1:8080`, `tcp://*:80 from private`,
    /// `udp://127.0.0.1:5353`, `unix:/run/app.sock`; at sockets that systemd
    /// passes, `systemd` or by name `systemd:web from private`; at a socket that is
    /// open, `fd:3`.
    ///
    /// Who is not within the `from` range is reset before there is an instance.
    #[arg(long, value_name = "ENDPOINT", required = true)]
    pub(crate) listen: Vec<String>,

    /// How many threads serve; as many as there are processors, unless it is said.
    #[arg(long, value_name = "NUMBER", value_parser = number::<NonZero<usize>>)]
    pub(crate) workers: Option<NonZero<usize>>,

    /// How long whoever has come is served after SIGTERM, before they are dropped.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) drain_timeout: Duration,

    /// How long the process that is to take over (SIGUSR2) may take until it serves.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) restart_timeout: Duration,

    /// When the policy is read anew, drop connections that the new one would not
    /// let in. Else they last as they began.
    #[arg(long)]
    pub(crate) drop_denied: bool,

    /// Write whom it served to a file, a line in JSON for each connection and each
    /// datagram when it is over; `-` is standard error.
    ///
    /// Lines are added to the file, which is made where there is none. What cannot be
    /// written is counted, and does not end the server. SIGHUP opens the file anew.
    #[arg(long, value_name = "FILE", help_heading = "Watching")]
    pub(crate) access_log: Option<PathBuf>,

    /// Answer there over HTTP what is measured (`/metrics`), whether the process is
    /// there (`/healthz`), and whether it lets in who comes (`/readyz`):
    /// `127.0.0.1:9100`, `unix:/run/portcullis/metrics.sock`.
    ///
    /// No instance may go there, whatever it is granted.
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Watching")]
    pub(crate) metrics: Option<MetricsAddress>,

    /// Pass on what handlers print as it is, without the number of the connection, or
    /// datagram, before each line.
    #[arg(long, help_heading = "Watching")]
    pub(crate) no_numbers: bool,

    /// What each instance and all of them may take.
    #[command(flatten)]
    pub(crate) bounds: BoundArguments,
}

impl ServeArguments {
    /// The files by which instances are held or watched, and the handler, which is read
    /// anew.
    pub(crate) fn held_by(&self) -> impl Iterator<Item = &Path> {
        let metrics = self.metrics.as_ref();
        let access_log = self.access_log.as_deref();
        let own = access_log.filter(|file| *file != Path::new("-"));
        let own = own.into_iter().chain(metrics.and_then(|at| at.as_path()));
        self.guest
            .held_by()
            .chain([self.guest.program.as_path()])
            .chain(own)
    }
}

/// What `--socket` is for a handler.
const SOCKET: &str = "\
Connect a socket for each instance, which then needs no grant for it.

The handler finds it by its name: `db=connect tcp://db.internal:5432`, \
`cache=connect unix:/run/cache.sock`.";

/// Bounds of a server.
#[derive(Args, Debug)]
#[command(next_help_heading = "Bounds")]
pub(crate) struct BoundArguments {
    /// How many are served at once.
    #[arg(long, value_name = "NUMBER", default_value = "1024", value_parser = number::<NonZero<u32>>)]
    max_connections: NonZero<u32>,

    /// What becomes of those who come when as many are served: they wait in the
    /// queue of the operating system, or are reset.
    #[arg(long, value_name = "WHAT", default_value = "wait")]
    when_full: Full,

    /// How many connections one address may have at once; of IPv6, one network of
    /// 64 bits.
    #[arg(long, value_name = "NUMBER", value_parser = number::<NonZero<u32>>)]
    max_connections_per_peer: Option<NonZero<u32>>,

    /// How much memory an instance may have, with what the host keeps for it.
    #[arg(long, value_name = "SIZE", default_value = "64 MiB", value_parser = size)]
    memory: ByteSize,

    /// How many sockets an instance may have open at once beside its connection.
    ///
    /// With each go five handles, of which there are 64 beside: of sockets, files,
    /// streams, timers and what waits for them. Who wants one more traps.
    #[arg(long, value_name = "NUMBER", default_value = "64")]
    max_sockets: u32,

    /// How many datagrams a datagram may be answered with; one with more is answered
    /// with none.
    #[arg(long, value_name = "NUMBER", default_value = "32")]
    max_answers: u32,

    /// How long an instance may compute for one connection; to wait takes nothing of
    /// it.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    cpu_time: Duration,

    /// How long a connection may last.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    connection_time: Option<Duration>,

    /// How long a connection may last on which nothing moves; `0s` is for ever.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    idle_time: Duration,

    /// Let an instance serve so many connections, one after the other, or `all`.
    ///
    /// What it knows of one peer it may tell the next: only for handlers that could
    /// as well serve all of them in one process.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = reuse)]
    connections_per_instance: Reuse,

    /// Make each instance anew, rather than in a place that is set aside at the start:
    /// where there are not addresses enough for --max-connections places.
    #[arg(long)]
    pub(crate) no_pool: bool,
}

/// See [`WhenFull`].
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Full {
    /// They wait.
    Wait,
    /// They are reset.
    Refuse,
}

impl BoundArguments {
    /// The bounds that they are.
    pub(crate) fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        bounds.connections = self.max_connections.get();
        bounds.when_full = match self.when_full {
            Full::Wait => WhenFull::Wait,
            Full::Refuse => WhenFull::Refuse,
        };
        bounds.connections_per_peer = self.max_connections_per_peer.map(NonZero::get);
        bounds.memory = usize::try_from(self.memory.as_u64()).unwrap_or(usize::MAX);
        bounds.sockets = self.max_sockets;
        bounds.answers = self.max_answers;
        bounds.cpu_time = self.cpu_time;
        bounds.time = self.connection_time;
        bounds.idle_time = Some(self.idle_time).filter(|time| !time.is_zero());
        bounds.reuse = self.connections_per_instance;
        bounds
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    let number = text.parse();
    number.map_err(|_| "give a number from 1 on".to_owned())
}

fn size(text: &str) -> Result<ByteSize, String> {
    let size = text.parse();
    size.map_err(|_| "give a number of bytes, or of `KiB`, `MiB` or `GiB`: `64 MiB`".to_owned())
}

fn reuse(text: &str) -> Result<Reuse, String> {
    match (text, text.parse::<NonZero<u32>>().map(NonZero::get)) {
        ("all", _) => Ok(Reuse::Always),
        (_, Ok(1)) => Ok(Reuse::Never),
        (_, Ok(times)) => Ok(Reuse::Times(times)),
        (_, Err(_)) => Err("give a number from 1 on, or `all`".to_owned()),
    }
}
