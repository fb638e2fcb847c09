//! The files that unix sockets leave. They stay when their sockets are closed, as
//! POSIX has it, so that no limit on sockets bounds them.

use std::io;

use parking_lot::Mutex;
use rustix::fs::{FileType, lstat};

use super::Limit;

/// How many the guests of one network leave at the most, who come one after the other
/// with the connections of a server.
const MOST: usize = 256;

/// Those that are there, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct SocketFiles(Mutex<Left>);

#[derive(Debug, Default)]
struct Left {
    files: Vec<File>,
    /// How many are being made.
    begun: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct File {
    path: Vec<u8>,
    /// By which it is told from what others put in its place.
    identity: (u64, u64),
}

impl SocketFiles {
    /// Has a file made, if there is room for one more. It looks at those that it knows
    /// of where there seems to be none, and so may wait for their file systems.
    pub(crate) fn make(
        &self,
        path: &[u8],
        make: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Result<(), Limit>> {
        let Some(begun) = self.begin().or_else(|| {
            self.forget_those_gone();
            self.begin()
        }) else {
            return Ok(Err(Limit::SocketFiles(MOST as u64)));
        };
        make()?;
        // Where it is gone already there is nothing to count.
        if let Some(identity) = identity(path) {
            let path = path.to_owned();
            self.0.lock().files.push(File { path, identity });
        }
        drop(begun);
        Ok(Ok(()))
    }

    fn begin(&self) -> Option<Begun<'_>> {
        let mut left = self.0.lock();
        if left.files.len() + left.begun >= MOST {
            return None;
        }
        left.begun += 1;
        Some(Begun(self))
    }

    /// Others, and guests with their folder, may remove them.
    fn forget_those_gone(&self) {
        let known = self.0.lock().files.clone();
        let is_gone = |file: &File| identity(&file.path) != Some(file.identity);
        let gone: Vec<_> = known.into_iter().filter(is_gone).collect();
        self.0.lock().files.retain(|file| !gone.contains(file));
    }
}

/// A file that is being made.
struct Begun<'a>(&'a SocketFiles);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.0.lock().begun -= 1;
    }
}

/// None of what is no socket: it may have the number of one that was removed.
fn identity(path: &[u8]) -> Option<(u64, u64)> {
    let about = lstat(path).ok()?;
    let is_socket = FileType::from_raw_mode(about.st_mode).is_socket();
    is_socket.then_some((about.st_dev, about.st_ino))
}
