//! The names in the file system of the unix sockets that were made for the server.
//! They are gone when nobody listens there any more, so that it can be started again.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use portcullis::{SocketAddress, UnixAddress};

/// Removed when this is dropped, those that are this process's.
#[derive(Debug, Default)]
pub(crate) struct Entries(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    /// By which it is told from what others put in its place.
    identity: (u64, u64),
    /// Else another process listens there as well.
    is_own: bool,
}

impl Entries {
    /// Notes where a socket is that this process has made, or that is handed over to
    /// it.
    pub(crate) fn note(&mut self, address: &SocketAddress, is_own: bool) {
        let SocketAddress::Unix(UnixAddress::Path(path)) = address else {
            return;
        };
        let path = PathBuf::from(OsStr::from_bytes(path));
        // Where it is gone already there is nothing to remove.
        if let Some(identity) = identity(&path) {
            self.0.push(Entry {
                path,
                identity,
                is_own,
            });
        }
    }

    /// All are this process's from now on, or another's.
    pub(crate) fn belong(&mut self, to_this_process: bool) {
        for entry in &mut self.0 {
            entry.is_own = to_this_process;
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        for entry in self.0.iter().filter(|entry| entry.is_own) {
            if identity(&entry.path) == Some(entry.identity) {
                // Where this fails, whoever starts it again is told.
                let _ = fs::remove_file(&entry.path);
            }
        }
    }
}

fn identity(path: &PathBuf) -> Option<(u64, u64)> {
    let about = fs::symlink_metadata(path).ok()?;
    let is_socket = about.file_type().is_socket();
    is_socket.then(|| (about.dev(), about.ino()))
}
