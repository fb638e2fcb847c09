//! Where compiled code is kept, and who is kept away from it, and from the other
//! files that hold a guest.
//!
//! What is in the folder is run as the user, without any sandbox: nobody else
//! may write there, and no guest.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::trail::trail;

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

/// Refuses to hand a folder to a guest that holds the cache, or is in it.
pub(crate) fn keep_out(granted: &Path) -> Result<()> {
    // Where it is not there yet, a guest could be the one who makes it.
    let _ = folder();
    let (Some(cache), Some(granted)) = (place().as_deref().and_then(resolved), resolved(granted))
    else {
        return Ok(());
    };
    if cache.starts_with(&granted) || granted.starts_with(&cache) {
        bail!(
            "the program could change {}, where compiled code is kept, and so run outside of the \
             sandbox; give it a folder apart from that, or set XDG_CACHE_HOME to another",
            cache.display()
        );
    }
    Ok(())
}

/// Refuses to hand a folder to a guest in which it could change a file by which
/// it is held or watched.
pub(crate) fn keep_from(granted: &Path, file: &Path) -> Result<()> {
    // It may not be there yet, and may be a link to elsewhere; and so may what leads
    // to it.
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    let Some(granted) = resolved(granted) else {
        return Ok(());
    };
    let ends = [resolved(folder), resolved(file)].into_iter().flatten();
    if ends
        .chain(trail(file))
        .any(|place| place.starts_with(&granted))
    {
        bail!(
            "the program could change {}, by which it is run, held or watched; give it a folder \
             apart from that",
            file.display()
        );
    }
    Ok(())
}

fn resolved(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

fn place() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(folder.join("portcullis"))
}
