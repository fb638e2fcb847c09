//! Whoever sits at the terminal, asked before a guest is denied what no grant
//! covers. It must not take for an answer what was not typed as one.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Result;
use portcullis::{Act, Ask, Consent, Denial, Grant, Policy, Shown};
use rustix::termios::{QueueSelector, tcflush};

use crate::arguments::GuestArguments;
use crate::policy_file::{self, List, PolicyFile};

/// How many questions are asked. A guest that scans the network must not keep
/// anybody busy.
const QUESTIONS: usize = 1000;

/// How often an answer may be none before it counts as a no.
const TRIES: usize = 3;

/// The terminal that the command was started from, whatever its standard input
/// and output are: those are for the guest.
#[derive(Debug)]
pub(crate) struct Terminal {
    program: Shown,
    /// The policy that can be added to.
    policy: Option<PathBuf>,
    asked: Mutex<HashSet<String>>,
}

enum Answer {
    Deny,
    Once,
    Session,
    Write,
}

impl Terminal {
    pub(crate) fn new(guest: &GuestArguments) -> Self {
        let program = guest.program.file_name();
        let program = program.unwrap_or(guest.program.as_os_str());
        Self {
            program: Shown::line(program.to_string_lossy()),
            policy: guest.policy.policy.first().cloned(),
            asked: Mutex::default(),
        }
    }

    /// Whether nobody was asked that before.
    fn is_new(&self, denial: &Denial, grant: &Grant) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.len() < QUESTIONS && asked.insert(format!("{} {grant}", denial.request()))
    }

    fn question(&self, denial: &Denial, grant: &Grant) -> Result<Consent> {
        let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        // Whatever the program did to the looks of what follows is undone: colours,
        // concealment, a character set, a region that scrolls (ECMA-48; DECSTR).
        write!(terminal, "\r\n\x1b[0m\x1b[!p\x0f")?;
        write!(
            terminal,
            "portcullis: {} asks for  {}\n  reason: {}\n  grant: {grant}\n",
            self.program,
            denial.request(),
            denial.reason()
        )?;
        for _ in 0..TRIES {
            self.choices(&mut terminal, grant)?;
            match self.answer(&mut terminal, grant)? {
                Some(Answer::Deny) => return Ok(Consent::Denied),
                Some(Answer::Once) => return Ok(Consent::Once),
                Some(Answer::Session) => return Ok(Consent::Always),
                Some(Answer::Write) => match self.write(grant) {
                    Ok(()) => return Ok(Consent::Always),
                    Err(error) => {
                        let error = Shown::line(format_args!("{error:#}"));
                        writeln!(terminal, "  cannot write it: {error}")?;
                    }
                },
                None => {}
            }
        }
        Ok(Consent::Denied)
    }

    fn choices(&self, terminal: &mut File, grant: &Grant) -> io::Result<()> {
        // What was typed before the question was not typed as an answer.
        tcflush(&mut *terminal, QueueSelector::IFlush)?;
        let once = if is_once(grant) { "once (o), " } else { "" };
        write!(terminal, "  allow {once}for this session (s)")?;
        if let Some(policy) = &self.policy {
            let policy = Shown::line(policy.display());
            write!(terminal, ", write into {policy} (w)")?;
        }
        write!(terminal, ", or deny (d)? [d] ")
    }

    /// What is answered, if it is an answer; where nothing is, that is a no.
    fn answer(&self, terminal: &mut File, grant: &Grant) -> io::Result<Option<Answer>> {
        let mut line = [0; 256];
        let length = terminal.read(&mut line)?;
        let line = line.get(..length).unwrap_or_default().trim_ascii();
        Ok(match line {
            b"" | b"d" => Some(Answer::Deny),
            b"o" if is_once(grant) => Some(Answer::Once),
            b"s" => Some(Answer::Session),
            b"w" if self.policy.is_some() => Some(Answer::Write),
            _ => None,
        })
    }

    fn write(&self, grant: &Grant) -> Result<()> {
        let Some(path) = &self.policy else {
            return Ok(());
        };
        add(path, grant)
    }
}

impl Ask for Terminal {
    fn ask(&self, denial: &Denial) -> Consent {
        match denial.grant() {
            // Where nobody can be asked, nobody has allowed it.
            Some(grant) if self.is_new(denial, grant) => {
                self.question(denial, grant).unwrap_or(Consent::Denied)
            }
            Some(_) | None => Consent::Denied,
        }
    }
}

/// Whether the grant can be for one operation: to listen takes it for each who
/// comes.
fn is_once(grant: &Grant) -> bool {
    grant
        .opening()
        .is_none_or(|opening| opening.act != Act::Listen)
}

/// Adds a grant to a policy file.
fn add(path: &Path, grant: &Grant) -> Result<()> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    let mut file = PolicyFile::read(path)?;
    file.add(
        List::Allow,
        &grant.to_string(),
        &format!("allowed at {now}"),
    )?;
    let text = file.to_string();
    Policy::builder()
        .file(&path.display().to_string(), &text)
        .build()?;
    policy_file::replace(path, &text)
}
