//! Where the unix sockets of a grant are in the file system. It must not look there.

use crate::Grant;
use crate::grant::Kind;
use crate::unix_pattern::UnixPattern;

/// The paths that a grant about unix sockets covers. The root is `/`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnixPaths<'a> {
    /// Every path directly in this folder.
    In(&'a [u8]),
    /// This path.
    One(&'a [u8]),
    /// Every path beneath this folder, at any depth.
    Under(&'a [u8]),
}

impl Grant {
    /// The paths that the grant covers; none where it covers no unix socket that has
    /// a path.
    pub fn unix_paths(&self) -> Option<UnixPaths<'_>> {
        let Kind::Unix(grant) = self.kind() else {
            return None;
        };
        match &grant.names {
            UnixPattern::AnyAbstract => None,
            UnixPattern::Exact(name) => name.as_path().map(UnixPaths::One),
            UnixPattern::In(folder) => Some(UnixPaths::In(rooted(folder))),
            UnixPattern::Under(folder) => Some(UnixPaths::Under(rooted(folder))),
        }
    }
}

/// A folder as patterns keep it, without its final slash.
fn rooted(folder: &[u8]) -> &[u8] {
    match folder {
        b"" => b"/",
        folder => folder,
    }
}
