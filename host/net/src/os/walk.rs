//! Walking a path, from its root to the first link on it.
//!
//! The kernel walks faster, and follows links by itself. But a link can lead out of
//! what is granted, and to look at what is there has effects: it can tell what is
//! there, and a file system of others can let the caller wait. So the way that a link
//! leads is put together here as text, for the caller to judge before the next leg.
//! Nothing is judged here.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat, readlink, readlinkat};
use rustix::io::Errno;

/// What a walk is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Goal {
    /// The folder that holds, or is to hold, the last component.
    Folder,
    /// What is there.
    Socket,
}

/// How a leg ends.
#[derive(Debug)]
pub(crate) enum Leg {
    /// At a link: this is the whole path with the link's text in its place, without
    /// `.` and `..`.
    AtLink(Vec<u8>),
    /// At the goal, held open, and where that is.
    AtGoal(OwnedFd, Vec<u8>),
    /// On the way, for this reason.
    Stuck(Errno),
}

impl Leg {
    /// Walks an absolute path without `.` and `..`. Links of the kernel's own making
    /// (`/proc`) count as their text says, and so lead nowhere that has no path.
    ///
    /// A link that goes down and then up again (`a/../b`) is not followed: that
    /// would tell whether the first part is there, whatever comes of the second.
    ///
    /// # Errors
    ///
    /// Where the machine is not as it should be, whatever the path is.
    pub(crate) fn along(path: &[u8], goal: Goal) -> io::Result<Self> {
        let components: Vec<&[u8]> = components(path).collect();
        let mut here = openat(CWD, c"/", HANDLE | OFlags::DIRECTORY, Mode::empty())?;
        for (number, name) in components.iter().enumerate() {
            let (before, rest) = components.split_at(number);
            let rest = rest.get(1..).unwrap_or_default();
            if rest.is_empty() && goal == Goal::Folder {
                return Self::at(here, Some(name));
            }
            here = match openat(&here, *name, HANDLE | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(next) => next,
                Err(error) => return Ok(Self::Stuck(error)),
            };
            // Of what is not a link there is none to read.
            if let Ok(link) = readlinkat(&here, c"", Vec::new()) {
                return Ok(match followed(before, link.to_bytes(), rest) {
                    Some(path) => Self::AtLink(path),
                    None => Self::Stuck(Errno::LOOP),
                });
            }
        }
        Self::at(here, None)
    }

    fn at(end: OwnedFd, name: Option<&[u8]>) -> io::Result<Self> {
        let mut path = path_of(&end)?;
        if path.ends_with(b" (deleted)") {
            return Ok(Self::Stuck(Errno::NOENT));
        }
        if let Some(name) = name {
            push(&mut path, name);
        }
        Ok(Self::AtGoal(end, path))
    }
}

/// Reaches nothing, and does not wait for a peer.
const HANDLE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Where what is held is, without links on the way.
fn path_of(handle: &OwnedFd) -> io::Result<Vec<u8>> {
    let link = format!("/proc/thread-self/fd/{}", handle.as_raw_fd());
    Ok(readlink(link, Vec::new())?.into_bytes())
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let components = path.split(|byte| *byte == b'/');
    components.filter(|component| !matches!(*component, b"" | b"."))
}

fn push(path: &mut Vec<u8>, component: &[u8]) {
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(component);
}

/// The path on which a link leads, between what lies before it and the rest. None
/// where the link has a `..` after a name.
fn followed(before: &[&[u8]], link: &[u8], rest: &[&[u8]]) -> Option<Vec<u8>> {
    let mut way = match link.starts_with(b"/") {
        true => Vec::new(),
        false => before.to_vec(),
    };
    let mut has_name = false;
    for component in components(link) {
        match component {
            b".." if has_name => return None,
            b".." => {
                way.pop();
            }
            name => {
                has_name = true;
                way.push(name);
            }
        }
    }
    let mut path = Vec::new();
    way.iter()
        .chain(rest)
        .for_each(|component| push(&mut path, component));
    Some(path)
}
