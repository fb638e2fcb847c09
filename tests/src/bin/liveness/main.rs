//! The liveness fuzz: `portcullis serve` with two workers runs random sequences of calls
//! by hostile guests, beside hostile peers, a hostile name server and file systems that do
//! not answer, while an honest client asks every 50 ms. It fails where an answer takes
//! longer than half a second, or where the server does not end within two seconds of its
//! drain.
//!
//! `cargo xtask liveness` builds what it takes and runs it.

#![expect(
    clippy::disallowed_methods,
    reason = "the peers of the server are not guests"
)]

mod ground;
mod honest;
mod loopback;
mod machine;
mod name_server;
mod peers;
mod regressions;
mod sequence;
mod visitors;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_test_operations::Step;
use portcullis_tests::dice::Dice;
use portcullis_tests::server::Server;
use proptest::strategy::ValueTree;
use tokio::runtime::Runtime;

use ground::Ground;
use honest::{Answers, Client};
use machine::Sample;
use sequence::Places;
use visitors::{Source, Visits, Which};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What the server grants a connection and a datagram.
const CONNECTION_TIME: Duration = Duration::from_secs(3);

/// How long the server may drain, and what it may take beyond that.
const DRAIN: Duration = Duration::from_secs(2);
const END: Duration = Duration::from_secs(2);

/// A server that has not ended by then is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one sequence is tried by itself.
const TRIAL: Duration = Duration::from_secs(15);

/// How many sequences are told of in full.
const TOLD: usize = 8;

const USAGE: &str = "usage: liveness PORTCULLIS HANDLER SECONDS SEED [NUMBER]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let (programs, numbers) = arguments.split_at_checked(2).ok_or(USAGE)?;
    let numbers: Option<Vec<u64>> = numbers
        .iter()
        .map(|number| number.to_str()?.parse().ok())
        .collect();
    let numbers = numbers.ok_or(USAGE)?;
    let [command, handler] = programs else {
        return Err(USAGE.into());
    };
    let (seconds, seed, only) = match numbers.as_slice() {
        [seconds, seed] => (*seconds, *seed, None),
        [seconds, seed, only] => (*seconds, *seed, Some(*only)),
        _ => return Err(USAGE.into()),
    };
    let folder = tempfile::Builder::new().prefix("pc").tempdir()?;
    let ground = Ground::prepare(folder.path());
    let mut fuzz = Fuzz::new(command, handler, folder.path(), seed, ground)?;
    say(&format!("liveness: seed {seed}, {seconds} s"))?;
    for missing in &fuzz.ground.missing {
        say(&format!("not tried: {missing}"))?;
    }
    match only {
        None => fuzz.all(Duration::from_secs(seconds)),
        Some(number) => fuzz.one(number),
    }
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// All that stays while servers come and go.
struct Fuzz {
    command: PathBuf,
    handler: PathBuf,
    folder: PathBuf,
    policy: PathBuf,
    seed: u64,
    ground: Ground,
    runtime: Runtime,
    places: Places,
    questions: Arc<AtomicU64>,
}

/// What servers did.
#[derive(Default)]
struct Seen {
    answers: Answers,
    visits: Visits,
    /// How long each server took to end.
    ends: Vec<Duration>,
    /// How long the slowest took beyond what others took of the machine.
    slowest_end_of_its_own: Duration,
}

impl Fuzz {
    fn new(
        command: &std::ffi::OsStr,
        handler: &std::ffi::OsStr,
        folder: &Path,
        seed: u64,
        ground: Ground,
    ) -> Result<Self> {
        let runtime = Runtime::new()?;
        let places = peers::start(&runtime, folder, seed)?;
        let questions = match ground.names {
            true => name_server::start(ground::NAME_SERVER.parse()?)?,
            false => Arc::default(),
        };
        let policy = folder.join("policy.toml");
        fs::write(&policy, policy_text(folder, &ground))?;
        Ok(Self {
            command: command.into(),
            handler: handler.into(),
            folder: folder.to_owned(),
            policy,
            seed,
            ground,
            runtime,
            places,
            questions,
        })
    }

    /// Runs every sequence that there is time for.
    fn all(&mut self, time: Duration) -> Result<()> {
        let source = Source {
            places: self.places.clone(),
            which: Which::All {
                seed: self.seed,
                next: Arc::default(),
            },
        };
        let mut seen = Seen::default();
        let native = Client::start_native()?;
        let mut dice = Dice::new(self.seed);
        let end = Instant::now() + time;
        let mut outcome = Ok(());
        while Instant::now() < end && outcome.is_ok() {
            // Now and then hardly any, so that the end meets a server that begins.
            let stay = match dice.below(4) {
                0 => Duration::from_millis(dice.below(1500)),
                _ => Duration::from_millis(3000 + dice.below(12_000)),
            };
            let left = end.saturating_duration_since(Instant::now());
            outcome = self.round(&source, stay.min(left), &mut seen);
        }
        let mut native = native.stop()?;
        seen.answers.times.sort_unstable();
        let questions = self.questions.load(Ordering::Relaxed);
        let hangs = self.ground.hangs();
        say(&format!(
            "{seen}\nmachine: a native server's slowest answer took {:.0?}, 99 % up to {:.1?}\n\
             hostile: {questions} questions to the name server, {hangs} file systems that do not answer",
            native.within(1.0),
            native.within(0.99),
        ))?;
        if let Some(failure) = native.failure {
            return Err(failure.into());
        }
        if let Err(error) = &outcome {
            say(&format!("failed: {error}"))?;
            self.tell(&seen)?;
        }
        outcome
    }

    /// Prints what ran when it failed.
    fn tell(&self, seen: &Seen) -> Result<()> {
        let suspects = seen.visits.suspects();
        let count = suspects.len();
        say(&format!(
            "{count} sequences that may have to do with it, each to be tried with `--case`:"
        ))?;
        for (number, age) in suspects.into_iter().take(TOLD) {
            let steps = sequence::tree(&self.places, self.seed, number)?.current();
            say(&format!(
                "--seed {} --case {number}, for {age:.1?}:",
                self.seed
            ))?;
            tell_steps(&steps)?;
        }
        Ok(())
    }

    /// Runs one sequence again and again; if that fails, leaves out of it what it does not
    /// take.
    fn one(&mut self, number: u64) -> Result<()> {
        let mut tree = sequence::tree(&self.places, self.seed, number)?;
        tell_steps(&tree.current())?;
        let Err(first) = self.trial(number, tree.current()) else {
            return say("nothing happens");
        };
        say(&format!("error: {first}"))?;
        let mut smallest = tree.current();
        while tree.simplify() {
            loop {
                let steps = tree.current();
                if self.trial(number, steps.clone()).is_err() {
                    smallest = steps;
                    break;
                }
                if !tree.complicate() {
                    break;
                }
            }
            say(&format!("{} steps are left", smallest.len()))?;
        }
        say("all that it takes:")?;
        tell_steps(&smallest)?;
        Err(first)
    }

    fn trial(&mut self, number: u64, steps: Vec<Step>) -> Result<()> {
        let source = Source {
            places: self.places.clone(),
            which: Which::One { number, steps },
        };
        self.round(&source, TRIAL, &mut Seen::default())
    }

    /// A server from its start to its end.
    fn round(&mut self, source: &Source, stay: Duration, seen: &mut Seen) -> Result<()> {
        self.tidy()?;
        seen.visits.forget();
        let mut serve = self.serve();
        // What the handlers of some servers print is not read.
        let (unread, output) = io::pipe()?;
        match seen.ends.len() % 3 {
            2 => serve.stdout(output),
            _ => serve.stdout(Stdio::null()),
        };
        let server = Server::start(&mut serve)?;
        // Sometimes it is told to end before it listens.
        if stay < Duration::from_millis(200) {
            thread::sleep(stay);
            return self.end(server, seen);
        }
        let stream = server.address("tcp")?;
        let datagram = server.address("udp")?;
        let visitors = self.visit([stream, datagram], source, seen);
        let client = Client::start(stream, server.process());
        let end = Instant::now() + stay;
        while Instant::now() < end && !client.has_failed() {
            thread::sleep(Duration::from_millis(20).min(stay));
        }
        let answers = client.stop()?;
        let failure = answers.failure.clone();
        seen.answers.add(answers);
        if let Some(failure) = failure {
            return Err(format!("an honest client was not served: {failure}").into());
        }
        let ended = self.end(server, seen);
        drop((visitors, unread));
        ended
    }

    fn visit(
        &self,
        addresses: [SocketAddr; 2],
        source: &Source,
        seen: &Seen,
    ) -> tokio::task::JoinSet<Result<()>> {
        visitors::start(&self.runtime, addresses, source, &seen.visits)
    }

    fn end(&self, server: Server, seen: &mut Seen) -> Result<()> {
        let process = server.process();
        let before = Sample::take(process);
        let said = server.stop(PATIENCE)?;
        // Its threads are gone, so that they tell nothing: what others took of the machine
        // is all that is known.
        let taken = Sample::take(process).taken_since(&before);
        let of_its_own = said.took.saturating_sub(taken);
        seen.ends.push(said.took);
        seen.slowest_end_of_its_own = seen.slowest_end_of_its_own.max(of_its_own);
        if of_its_own > DRAIN + END {
            return Err(format!("the server took {:.1?} to end", said.took).into());
        }
        // Connections were dropped, or it had not begun.
        let is_well = said
            .status
            .is_some_and(|status| matches!(status.code(), Some(0 | 1) | None));
        if !said.panics.is_empty() || !is_well {
            return Err(format!("the server did not do well: {said:#?}").into());
        }
        Ok(())
    }

    /// Removes the sockets that guests of the server before have left.
    fn tidy(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let is_ours = entry.file_name().to_string_lossy().starts_with("peer");
            // A file system that does not answer tells its type as well.
            if !is_ours && entry.file_type()?.is_socket() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn serve(&self) -> Command {
        let mut serve = Command::new(&self.command);
        serve
            .args(["serve", "--workers", "2"])
            .args(["--listen", "tcp://127.0.0.9:0"])
            .args(["--listen", "udp://127.0.0.9:0"])
            .args(["--max-connections", "64", "--memory", "32 MiB"])
            // To send very many has to be bounded by time alone.
            .args(["--max-answers", "1000000"])
            .args(["--cpu-time", "500ms", "--idle-time", "2s"])
            .args(["--connection-time", &seconds(CONNECTION_TIME)])
            .args(["--drain-timeout", &seconds(DRAIN)])
            .arg("--policy")
            .arg(&self.policy)
            .arg(&self.handler);
        serve
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

fn tell_steps(steps: &[Step]) -> Result<()> {
    for step in steps {
        let mut text = format!("{step:?}");
        if let Some((end, _)) = text.char_indices().nth(300) {
            text.truncate(end);
            text.push('…');
        }
        say(&format!("    {text}"))?;
    }
    Ok(())
}

/// Loopback, but not where the server is, and the folder.
fn policy_text(folder: &Path, ground: &Ground) -> String {
    let folder = folder.display();
    let mut allow = Vec::new();
    for protocol in ["tcp", "udp"] {
        allow.push(format!("connect {protocol}://loopback:*"));
        for address in ["127.0.0.1", "[::1]"] {
            allow.push(format!("listen {protocol}://{address}:*"));
        }
    }
    for kind in ["unix", "unixgram"] {
        for verb in ["connect", "listen"] {
            allow.push(format!("{verb} {kind}:{folder}/**"));
            allow.push(format!("{verb} {kind}:@*"));
        }
    }
    allow.push("join udp://multicast:*".to_owned());
    if ground.names {
        let names = format!("*.{}", name_server::DOMAIN);
        allow.push(format!("connect tcp://{names}:* in any"));
        allow.push(format!("connect udp://{names}:* in any"));
        allow.push("resolve *.in-addr.arpa".to_owned());
    }
    let list = |grants: &[String]| {
        let lines = grants.iter().map(|grant| format!("    \"{grant}\",\n"));
        lines.collect::<String>()
    };
    let deny = ["tcp", "udp"].map(|protocol| format!("connect {protocol}://127.0.0.9:*"));
    format!(
        "version = 1\nallow = [\n{}]\ndeny = [\n{}]\n",
        list(&allow),
        list(&deny)
    )
}

impl fmt::Display for Seen {
    /// With the answers in order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (begun, done) = (
            self.visits.begun(),
            self.visits.done.load(Ordering::Relaxed),
        );
        let slowest = self.answers.times.last().copied().unwrap_or_default();
        let slowest_end = self.ends.iter().max().copied().unwrap_or_default();
        writeln!(f, "sequences: {begun}, of which {done} came to their end")?;
        writeln!(
            f,
            "answers: {}, the slowest took {slowest:.0?}; at most {:.0?} without what others took of the machine",
            self.answers.times.len(),
            self.answers.slowest_of_its_own,
        )?;
        write!(
            f,
            "ends: {}, the slowest took {slowest_end:.2?}; at most {:.2?} without what others took of the machine",
            self.ends.len(),
            self.slowest_end_of_its_own,
        )
    }
}
