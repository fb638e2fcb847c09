//! Where compiled code is kept. What is in the folder is run as the user, without any
//! sandbox: no other user may write there, and no guest (`folders.rs`).

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

/// `portcullis` in the user's cache folder (XDG Base Directory Specification),
/// made if it is not there. None where the user has no such folder, or somebody
/// else could write there.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = place()?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .ok()?;
    let metadata = fs::metadata(&folder).ok()?;
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    let shared = metadata.mode() & 0o022 != 0;
    (own && !shared).then_some(folder)
}

/// Where that folder is, or would be.
pub(crate) fn place() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(folder.join("portcullis"))
}
