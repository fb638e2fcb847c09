//! The descriptors that the process was started with: sockets of a service manager
//! (sd_listen_fds(3)), of whoever gave their numbers, and of the process that this
//! one takes over from.

use std::collections::BTreeMap;
use std::io::{self, PipeWriter, Write};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::{env, fs};

use anyhow::{Context, Result};
use listenfd::ListenFd;
use rustix::io::{FdFlags, fcntl_setfd};

use crate::complaints::say;

/// What the pipe is called by which a predecessor hears that it can go.
pub(crate) const PREDECESSOR: &str = "ready=";

/// What is written to it.
pub(crate) const READY: &[u8] = b"READY=1\n";

/// The standard streams come first.
pub(crate) const FIRST: RawFd = 3;

/// Each is taken at most once.
pub(crate) struct Inherited {
    /// Those that were passed, with their names, in order.
    passed: Vec<(String, OwnedFd)>,
    /// All others, by number.
    others: BTreeMap<RawFd, OwnedFd>,
    predecessor: Option<Predecessor>,
}

/// The process that this one takes over from, which waits for that.
pub(crate) struct Predecessor(PipeWriter);

impl Predecessor {
    /// Lets it go.
    pub(crate) fn tell_ready(&mut self) -> Result<()> {
        let told = self.0.write_all(READY);
        told.context("the process to take over from is gone")
    }
}

impl Inherited {
    /// Takes all that is open, before anything else is opened. Other programs that
    /// are started have none of it.
    pub(crate) fn take() -> Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut listed = ListenFd::from_env();
        let mut others = open().context("cannot tell which descriptors are open")?;
        let mut passed = Vec::new();
        for index in 0..listed.len() {
            let Some(number) = listed.take_raw_fd(index)? else {
                continue;
            };
            let descriptor = others.remove(&number).with_context(|| {
                format!("LISTEN_FDS says that descriptor {number} was passed, but it is not open")
            })?;
            passed.push((names.next().unwrap_or_default().to_owned(), descriptor));
        }
        let mut inherited = Self {
            passed,
            others,
            predecessor: None,
        };
        let pipe = inherited.named(PREDECESSOR).pop();
        inherited.predecessor = pipe.map(|pipe| Predecessor(pipe.into()));
        Ok(inherited)
    }

    /// The process that this one takes over from, if it does.
    pub(crate) fn predecessor(&mut self) -> Option<&mut Predecessor> {
        self.predecessor.as_mut()
    }

    /// The one that a predecessor passed under a name, if there is one.
    pub(crate) fn of_predecessor(&mut self, name: &str) -> Option<OwnedFd> {
        self.predecessor.as_ref()?;
        self.named(name).pop()
    }

    /// All that were passed and not taken yet, but for those of a predecessor.
    pub(crate) fn all(&mut self) -> Vec<OwnedFd> {
        self.passed.drain(..).map(|(_, passed)| passed).collect()
    }

    /// Those that were passed under a name.
    pub(crate) fn named(&mut self, name: &str) -> Vec<OwnedFd> {
        let named = self.passed.extract_if(.., |(other, _)| other == name);
        named.map(|(_, passed)| passed).collect()
    }

    /// The one that has a number and was not passed by name.
    pub(crate) fn numbered(&mut self, number: RawFd) -> Option<OwnedFd> {
        self.others.remove(&number)
    }

    /// Closes what was passed for nothing, and says so. What else there is stays
    /// open, for whoever opened it.
    pub(crate) fn leave(self) {
        for (name, _) in &self.passed {
            say(&format!(
                "the socket `{name}` was passed, but no --listen is for it"
            ));
        }
        for other in self.others.into_values() {
            let _ = other.into_raw_fd();
        }
    }
}

/// All descriptors beside the standard streams.
#[expect(
    unsafe_code,
    reason = "there is no other way to come by a descriptor that is known by its number"
)]
fn open() -> io::Result<BTreeMap<RawFd, OwnedFd>> {
    let numbers = fs::read_dir("/proc/self/fd")?.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<RawFd>().ok()
    });
    let mut numbers: Vec<RawFd> = numbers.filter(|number| *number >= FIRST).collect();
    // The listing is open no longer.
    numbers.retain(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    let mut open = BTreeMap::new();
    for number in numbers {
        // SAFETY: it is open, since it was just read where it leads. Nothing in this
        // process owns it: this is called once, before anything is opened that
        // lasts, and so each that is open came with the process.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
        open.insert(number, descriptor);
    }
    Ok(open)
}
