//! The names in the file system of the unix sockets that were made for the server.
//! They are gone when nobody listens there any more, so that it can be started again.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use portcullis::{SocketAddress, UnixAddress};

use crate::entry::Entry;

/// Removed when this is dropped, those that are this process's.
#[derive(Debug, Default)]
pub(crate) struct Entries(Vec<Noted>);

#[derive(Debug)]
struct Noted {
    entry: Entry,
    /// Which `--listen` it is for.
    index: usize,
    /// Else another process listens there as well.
    is_own: bool,
}

impl Entries {
    /// Notes where a socket is that this process has made.
    pub(crate) fn note(&mut self, index: usize, address: &SocketAddress) {
        // Where it is gone already there is nothing to remove.
        let entry = path(address).and_then(Entry::at);
        self.0.extend(entry.map(|entry| Noted {
            entry,
            index,
            is_own: true,
        }));
    }

    /// Notes where a socket is that another process has made and hands over, by what
    /// that holds of it.
    pub(crate) fn take_over(&mut self, index: usize, address: &SocketAddress, held: OwnedFd) {
        let entry = path(address).and_then(|path| Entry::held(path, held));
        self.0.extend(entry.map(|entry| Noted {
            entry,
            index,
            is_own: false,
        }));
    }

    /// All are this process's from now on, or another's.
    pub(crate) fn belong(&mut self, to_this_process: bool) {
        for noted in &mut self.0 {
            noted.is_own = to_this_process;
        }
    }

    /// What is held of each, for a process that is to take over, with which `--listen` it
    /// is for.
    pub(crate) fn held(&self) -> io::Result<Vec<(usize, OwnedFd)>> {
        let held = |noted: &Noted| Ok((noted.index, noted.entry.as_fd().try_clone_to_owned()?));
        self.0.iter().map(held).collect()
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        for noted in self.0.iter().filter(|noted| noted.is_own) {
            // Where this fails, the next start says that the path is taken.
            let _ = noted.entry.remove();
        }
    }
}

fn path(address: &SocketAddress) -> Option<&Path> {
    match address {
        SocketAddress::Unix(UnixAddress::Path(path)) => Some(Path::new(OsStr::from_bytes(path))),
        SocketAddress::Inet(_) | SocketAddress::Unix(_) => None,
    }
}
