//! The name of a unix socket in the file system, and how it goes. It must not take
//! another's socket for the one that had the name before.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, Stat, fstat, open, renameat_with, statat,
};
use tempfile::Builder;

/// A socket by its name. It is held open, so that its number is no other file's
/// meanwhile: numbers are given out anew.
#[derive(Debug)]
pub(crate) struct Entry {
    path: PathBuf,
    held: OwnedFd,
}

impl Entry {
    /// The socket that has a name now; none where it is something else, or nothing.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Self::held(path, open(path, flags, Mode::empty()).ok()?)
    }

    /// The socket that had a name when another process opened it; none where it is no
    /// socket.
    pub(crate) fn held(path: &Path, held: OwnedFd) -> Option<Self> {
        let is_socket = fstat(&held).is_ok_and(|about| is_socket(&about));
        let path = path.to_owned();
        is_socket.then_some(Self { path, held })
    }

    /// Another name of the socket, which leads to it whatever has become of its own.
    pub(crate) fn through_the_handle(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.held.as_raw_fd()).into()
    }

    /// Removes the name, if it is still that of the socket.
    ///
    /// No call of the system removes a name only if it is that of a certain file, and
    /// between asking and removing another could have been put there. So it is moved to
    /// where no other user finds it, looked at, and moved back if it is another.
    ///
    /// # Errors
    ///
    /// Where it is another, which keeps its name, or cannot be moved.
    pub(crate) fn remove(&self) -> io::Result<()> {
        if !self.is_at(&self.path) {
            return Err(another());
        }
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let aside = Builder::new().prefix(".portcullis-").tempdir_in(folder)?;
        let moved = aside.path().join("socket");
        fs::rename(&self.path, &moved)?;
        if self.is_at(&moved) {
            return fs::remove_file(moved);
        }
        match renameat_with(CWD, &moved, CWD, &self.path, RenameFlags::NOREPLACE) {
            Ok(()) => Err(another()),
            Err(error) => {
                let aside = aside.keep();
                let error = io::Error::from(error);
                Err(io::Error::new(
                    error.kind(),
                    format!("another was moved to {}: {error}", aside.display()),
                ))
            }
        }
    }

    fn is_at(&self, path: &Path) -> bool {
        let (Ok(own), Ok(there)) = (
            fstat(&self.held),
            statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW),
        ) else {
            return false;
        };
        (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino)
    }
}

impl AsFd for Entry {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }
}

fn is_socket(about: &Stat) -> bool {
    FileType::from_raw_mode(about.st_mode) == FileType::Socket
}

fn another() -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, "the name is another's by now")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "no guest has a part in it")]
mod tests {
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_socket_loses_its_name_and_another_keeps_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("app.sock");
        let first = UnixListener::bind(&path).unwrap();
        let entry = Entry::at(&path).unwrap();
        entry.remove().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // With the number of the first one, if that were free.
        let _second = UnixListener::bind(&path).unwrap();
        drop(first);
        assert!(entry.remove().is_err());
        assert!(Entry::at(&path).is_some());
    }

    /// As where another process is quick.
    #[test]
    fn what_is_moved_in_place_of_a_socket_is_moved_back() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("app.sock");
        let _first = UnixListener::bind(&path).unwrap();
        let entry = Entry::at(&path).unwrap();
        let swapping = path.clone();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let other = folder.path().join("other");
        fs::write(&other, "theirs").unwrap();
        let swapper = std::thread::spawn(move || {
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                let exchange = RenameFlags::EXCHANGE;
                // Either may be away for a moment.
                let _ = renameat_with(CWD, &swapping, CWD, &other, exchange);
            }
        });
        // Until it is caught when it has its own name.
        while entry.remove().is_err() {}
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        swapper.join().unwrap();
        let left = ["app.sock", "other"].map(|name| folder.path().join(name));
        let texts = left.iter().filter_map(|path| fs::read_to_string(path).ok());
        assert_eq!(texts.collect::<Vec<_>>(), ["theirs"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_socket_is_none() {
        let folder = TempDir::new().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        std::os::unix::fs::symlink("socket", &link).unwrap();
        for path in [&file, &link, folder.path(), &folder.path().join("none")] {
            assert!(Entry::at(path).is_none(), "{}", path.display());
        }
    }
}
