//! `portcullis learn`.

use std::fs;
use std::future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use portcullis::{Audit, Event, Grant, Learner, Policy, Shown};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{LearnArguments, PolicyArguments};
use crate::audit;
use crate::exit::Exit;
use crate::policy_file::{self, List, PolicyFile};
use crate::report::Report;
use crate::run;
use crate::stderr;

/// Runs a program until it or the user ends it, and writes the policy that it
/// needs.
pub(crate) fn learn(arguments: LearnArguments) -> Result<Exit> {
    let LearnArguments {
        output,
        force,
        guest,
    } = arguments;
    // The program may have a `-o` of its own, but who wants that says `-o -`.
    if output.is_none() && guest.arguments.iter().any(|argument| argument == "-o") {
        bail!(
            "`-o` after an argument of the program is for the program; put it before them, or \
             `-o -` to write to standard output"
        );
    }
    let own = output.clone().filter(|file| file != Path::new("-"));
    let folders = run::folders(&guest, own.as_deref())?;
    let output = Output::new(output, force)?;
    let policy = folders.guard(&run::policy(&guest.policy)?)?;
    let mut file = given(&guest.policy)?;
    let known = file.allowed().map(Grant::parse);
    let lesson = Lessons::beyond(known.collect::<Result<Vec<_>, _>>()?);

    let log = audit::open(guest.audit.as_deref())?;
    let network = run::network(guest.resolver)
        .with_policy(policy.shadowed_but_for_denies())
        .with_audit((log.clone(), lesson.clone()));
    let folders = Arc::new(folders);
    // What was learnt until then is written.
    let interrupted = async {
        interrupt().await;
        Exit::Guest(0)
    };
    let exit = run::execute(&guest, &folders, network, log, interrupted)?;
    lesson.report.finish();

    let learner = lesson.learner();
    let lessons = learner.lessons();
    for lesson in &lessons {
        file.add(List::Allow, &lesson.grant().to_string(), &lesson.evidence())?;
    }
    let text = header(&guest.program, learner.left_out()) + &file.to_string();
    // Whatever is wrong with it, nobody is to find out later.
    Policy::builder().file("what was learned", &text).build()?;
    // Links may lead elsewhere by now.
    folders.keep_from(own.as_deref())?;
    output.write(&text)?;
    let grants = match lessons.len() {
        1 => "1 grant".to_owned(),
        number => format!("{number} grants"),
    };
    stderr::say(&Shown::line(format_args!(
        "portcullis: learned {grants}{output}"
    )));
    Ok(exit)
}

/// The policy to start from, which is kept.
fn given(arguments: &PolicyArguments) -> Result<PolicyFile> {
    let mut file = match arguments.policy.as_slice() {
        [] => PolicyFile::empty(),
        [path] => PolicyFile::read(path)?,
        [_, _, ..] => bail!("learning starts from one --policy at the most; join them into one"),
    };
    for grant in &arguments.allow {
        file.add(List::Allow, grant, "given by --allow")?;
    }
    for grant in &arguments.deny {
        file.add(List::Deny, grant, "given by --deny")?;
    }
    Ok(file)
}

/// The comment at the top.
fn header(program: &Path, left_out: u64) -> String {
    let program = program.file_name().unwrap_or(program.as_os_str());
    let program = Shown::line(program.to_string_lossy());
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    let mut header = format!(
        "# Learned by `portcullis learn` from {program} at {now}.\n\
         # Review this: it grants what the program did, whether it should or not.\n"
    );
    if left_out > 0 {
        header += &format!(
            "# It does not cover {left_out} requests more, which were too many to tell apart.\n"
        );
    }
    header
}

/// Waits for Ctrl-C, or to be terminated.
async fn interrupt() {
    let (interrupt, terminate) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    match (interrupt, terminate) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        // Then they end it as they end everything.
        (Err(_), _) | (_, Err(_)) => future::pending().await,
    }
}

/// An audit that learns from what passes only since nothing is enforced, and
/// reports what does not. Clones learn together.
#[derive(Clone)]
struct Lessons {
    learner: Arc<Mutex<Learner>>,
    report: Report,
}

impl Lessons {
    fn beyond(known: Vec<Grant>) -> Self {
        Self {
            learner: Arc::new(Mutex::new(Learner::beyond(known))),
            report: Report::new(stderr::say),
        }
    }

    fn learner(&self) -> MutexGuard<'_, Learner> {
        self.learner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit for Lessons {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        let Event::Allowed(allowed) = event else {
            return self.report.record(event);
        };
        if allowed.shadowed.is_some() {
            self.learner().note(allowed.request);
        }
        Ok(())
    }
}

/// Where the policy goes.
#[derive(Debug)]
enum Output {
    /// A file that is not there yet.
    New(PathBuf),
    /// A file that is written over.
    Old(PathBuf),
    Standard,
}

impl Output {
    /// Refuses before the program runs what would be refused after.
    fn new(path: Option<PathBuf>, force: bool) -> Result<Self> {
        let path = match path {
            Some(path) if path != Path::new("-") => path,
            Some(_) | None => return Ok(Self::Standard),
        };
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        match (fs::metadata(&path), folder) {
            (Ok(found), _) if !found.is_file() => Err(anyhow!("{} is not a file", path.display())),
            (Ok(_), _) if force => Ok(Self::Old(path)),
            (Ok(_), _) => Err(anyhow!(
                "{} is there already; write to another file, or over it with --force",
                path.display()
            )),
            (Err(_), Some(folder)) if !folder.is_dir() => {
                Err(anyhow!("there is no folder {}", folder.display()))
            }
            (Err(_), _) => Ok(Self::New(path)),
        }
    }

    fn write(&self, text: &str) -> Result<()> {
        let (path, written) = match self {
            Self::New(path) => (path, policy_file::create(path, text)),
            Self::Old(path) => (path, policy_file::replace(path, text)),
            Self::Standard => return Ok(io::stdout().write_all(text.as_bytes())?),
        };
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// What to say of it in the end.
impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::New(path) | Self::Old(path) => write!(f, "; review {}", path.display()),
            Self::Standard => Ok(()),
        }
    }
}
