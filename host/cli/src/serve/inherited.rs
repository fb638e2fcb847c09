//! The descriptors that the process was started with: sockets of a service manager
//! (sd_listen_fds(3)), of whoever gave their numbers, and of the process that this
//! one takes over from.

use std::collections::BTreeMap;
use std::io::{self, PipeWriter, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::{env, fs, process};

use anyhow::{Context, Result, bail};
use listenfd::ListenFd;
use rustix::fs::{FileType, fstat};
use rustix::io::{FdFlags, dup2, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::complaints::say;

/// What the pipe is called by which a predecessor hears that it can go.
pub(crate) const PREDECESSOR: &str = "ready=";

/// What is written to it.
pub(crate) const READY: &[u8] = b"READY=1\n";

/// The standard streams come first.
pub(crate) const FIRST: RawFd = 3;

/// Each is taken at most once.
pub(crate) struct Inherited {
    /// Those that were passed and not taken yet, in order.
    passed: Vec<Passed>,
    /// What there was of them, for people.
    told: Told,
    /// All others, by number.
    others: BTreeMap<RawFd, OwnedFd>,
    predecessor: Option<Predecessor>,
}

struct Passed {
    /// Empty if it has none.
    name: String,
    descriptor: OwnedFd,
}

/// What the process was told of those that were passed.
enum Told {
    /// Their names and numbers.
    Sockets(Vec<(String, RawFd)>),
    /// That there are none, or none for it: why.
    Nothing(String),
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
        let why_none = why_none();
        let mut listed = ListenFd::from_env();
        let mut others = open().context("cannot tell which descriptors are open")?;
        let (mut passed, mut sockets) = (Vec::new(), Vec::new());
        for index in 0..listed.len() {
            let Some(number) = listed.take_raw_fd(index)? else {
                continue;
            };
            let descriptor = others.remove(&number).with_context(|| {
                format!("LISTEN_FDS says that descriptor {number} was passed, but it is not open")
            })?;
            let name = names.next().unwrap_or_default().to_owned();
            sockets.push((name.clone(), number));
            passed.push(Passed { name, descriptor });
        }
        let told = match sockets.is_empty() {
            true => Told::Nothing(why_none),
            false => Told::Sockets(sockets),
        };
        let mut inherited = Self {
            passed,
            told,
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
        self.passed
            .drain(..)
            .map(|passed| passed.descriptor)
            .collect()
    }

    /// Those that were passed under a name.
    pub(crate) fn named(&mut self, name: &str) -> Vec<OwnedFd> {
        let named = self.passed.extract_if(.., |passed| passed.name == name);
        named.map(|passed| passed.descriptor).collect()
    }

    /// Why there is none, by this name or at all.
    pub(crate) fn want(&self, name: Option<&str>) -> String {
        let sockets = match &self.told {
            Told::Sockets(sockets) => sockets,
            Told::Nothing(why) if is_socket(&io::stdin()) => {
                return format!(
                    "{why}; standard input is a socket, which is taken with `--listen fd:0`"
                );
            }
            Told::Nothing(why) => return why.clone(),
        };
        let names: Vec<_> = sockets.iter().map(|(name, _)| &**name).collect();
        if names.iter().all(|name| name.is_empty()) && name.is_some() {
            return "the sockets that were passed have no names (LISTEN_FDNAMES); `--listen \
                    systemd` takes all of them"
                .to_owned();
        }
        let names = listed(&names);
        match name {
            Some(name) if sockets.iter().any(|(other, _)| other == name) => {
                format!("an earlier --listen takes what was passed as `{name}`")
            }
            Some(name) => {
                format!("no socket was passed as `{name}` (LISTEN_FDNAMES), but as {names}")
            }
            None => format!("earlier ones take all that was passed: {names}"),
        }
    }

    /// The one that has a number and was not passed by name.
    ///
    /// # Errors
    ///
    /// Where there is none; says which there are.
    pub(crate) fn numbered(&mut self, number: RawFd) -> Result<OwnedFd> {
        if number == io::stdin().as_raw_fd() {
            return input().context("cannot take standard input");
        }
        if let Some(descriptor) = self.others.remove(&number) {
            return Ok(descriptor);
        }
        if let Told::Sockets(sockets) = &self.told
            && let Some((name, _)) = sockets.iter().find(|(_, passed)| *passed == number)
        {
            match name.as_str() {
                "" => bail!("it was passed (LISTEN_FDS): `--listen systemd` takes it"),
                name => bail!("it was passed as `{name}`: `--listen systemd:{name}` takes it"),
            }
        }
        let open: Vec<_> = self.others.keys().map(RawFd::to_string).collect();
        match open.is_empty() {
            true => bail!("no descriptor is open but the standard streams and what was passed"),
            false => bail!("it is not open; open are {}", open.join(", ")),
        }
    }

    /// Closes what was passed for nothing, and says so. What else there is stays
    /// open, for whoever opened it.
    pub(crate) fn leave(self) {
        for Passed { name, .. } in &self.passed {
            say(&format!(
                "the socket `{name}` was passed, but no --listen is for it"
            ));
        }
        for other in self.others.into_values() {
            let _ = other.into_raw_fd();
        }
    }
}

/// Why nothing was passed, as far as the environment says.
fn why_none() -> String {
    let Ok(count) = env::var("LISTEN_FDS") else {
        return "nothing was passed: LISTEN_FDS is not set; systemd sets it where a socket unit \
                starts the service"
            .to_owned();
    };
    match count.parse::<u32>() {
        Err(_) => {
            return format!("LISTEN_FDS says how many were passed, and `{count}` is no number");
        }
        Ok(0) => return "nothing was passed: LISTEN_FDS is 0".to_owned(),
        Ok(_) => {}
    }
    let own = process::id();
    match env::var("LISTEN_PID") {
        Ok(other) => format!(
            "what was passed is for the process {other} (LISTEN_PID), and this one is {own}; a \
             shell in between is to `exec` this command"
        ),
        Err(_) => format!("{count} were passed (LISTEN_FDS), and cannot be taken"),
    }
}

/// Names, for people.
fn listed(names: &[&str]) -> String {
    let names = names.iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

fn is_socket(descriptor: &impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|about| FileType::from_raw_mode(about.st_mode) == FileType::Socket)
}

/// What is standard input, in whose place nothing is read from now on: were it left
/// there, a listener would still be open after it was closed.
#[expect(
    unsafe_code,
    reason = "there is no other way to put something else in the place of standard input"
)]
fn input() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    let own = fcntl_dupfd_cloexec(&stdin, FIRST)?;
    let nothing = fs::File::open("/dev/null")?;
    // SAFETY: the runtime of Rust sees to it that the standard streams are open. It is
    // not dropped, so it is not closed, and stays the standard input.
    let mut place = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(stdin.as_raw_fd()) });
    dup2(&nothing, &mut place)?;
    Ok(own)
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
