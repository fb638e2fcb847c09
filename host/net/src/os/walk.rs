//! Walking a path to where it leads, one component after the other.
//!
//! The kernel walks faster, but where it fails it does not say how far it came. A
//! link can lead out of what is granted, and why the walk failed there would tell
//! what is there. Here the path is known wherever the walk ends, so that it can be
//! judged first. Nothing is judged here.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat, readlink, readlinkat};
use rustix::io::Errno;

/// How many components one walk takes at the most, those of links among them: as
/// many as a guest can have the host look at in one go.
const STEPS: usize = 1024;

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The path without links: as far as there is one, and then as it was to go on.
    pub(crate) path: Vec<u8>,
    /// What is there, held open; or why it cannot be reached.
    pub(crate) end: Result<OwnedFd, Errno>,
}

impl Walk {
    /// Walks an absolute path. Links of the kernel's own making (`/proc`) are
    /// followed as their text says, and so lead nowhere that has no path.
    ///
    /// A link that goes down and then up again (`a/../b`) is not followed: that
    /// would tell whether the first part is there, whatever comes of the second.
    ///
    /// # Errors
    ///
    /// Where the machine is not as it should be, whatever the path is.
    pub(crate) fn to(path: &[u8]) -> io::Result<Self> {
        let mut here = root()?;
        // The next component is the last.
        let mut rest: Vec<Vec<u8>> = Vec::new();
        push(&mut rest, path);
        for _ in 0..STEPS {
            let Some(name) = rest.pop() else {
                return Self::ended_at(here);
            };
            let next = match openat(&here, &*name, HANDLE | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(next) => next,
                Err(error) => return Self::failed(&here, &name, &rest, error),
            };
            // Of what is not a link there is none to read.
            match readlinkat(&next, c"", Vec::new()) {
                Err(_) => here = next,
                Ok(link) if turns_back(link.to_bytes()) => {
                    return Self::failed(&here, &name, &rest, Errno::LOOP);
                }
                Ok(link) => {
                    let link = link.to_bytes();
                    if link.starts_with(b"/") {
                        here = root()?;
                    }
                    push(&mut rest, link);
                }
            }
        }
        Self::failed(&here, b"", &rest, Errno::LOOP)
    }

    fn ended_at(end: OwnedFd) -> io::Result<Self> {
        let path = path_of(&end)?;
        let end = match path.ends_with(b" (deleted)") {
            true => Err(Errno::NOENT),
            false => Ok(end),
        };
        Ok(Self { path, end })
    }

    fn failed(here: &OwnedFd, name: &[u8], rest: &[Vec<u8>], error: Errno) -> io::Result<Self> {
        let mut path = path_of(here)?;
        for component in std::iter::once(name).chain(rest.iter().rev().map(Vec::as_slice)) {
            path.push(b'/');
            path.extend_from_slice(component);
        }
        Ok(Self {
            path,
            end: Err(error),
        })
    }
}

/// Reaches nothing, and does not wait for anybody.
const HANDLE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

fn root() -> io::Result<OwnedFd> {
    let flags = HANDLE | OFlags::DIRECTORY;
    Ok(openat(CWD, c"/", flags, Mode::empty())?)
}

/// Where what is held is, without links on the way.
fn path_of(handle: &OwnedFd) -> io::Result<Vec<u8>> {
    let link = format!("/proc/thread-self/fd/{}", handle.as_raw_fd());
    Ok(readlink(link, Vec::new())?.into_bytes())
}

fn push(rest: &mut Vec<Vec<u8>>, path: &[u8]) {
    let components = path.split(|byte| *byte == b'/').rev();
    let components = components.filter(|component| !matches!(*component, b"" | b"."));
    rest.extend(components.map(<[u8]>::to_vec));
}

/// Whether there is a `..` after a name.
fn turns_back(link: &[u8]) -> bool {
    let mut components = link.split(|byte| *byte == b'/');
    let is_name = |component: &&[u8]| !matches!(*component, b"" | b"." | b"..");
    components.any(|component| is_name(&component))
        && components.any(|component| component == b"..")
}
