//! What unix grants write where the path goes. It must not know verbs.

use std::fmt;
use std::sync::Arc;

use crate::UnixName;
use crate::percent::Encoded;
use crate::unix_name::folders;

/// A set of names of unix sockets. Folders are canonical paths without their
/// final slash, so that the root is empty.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum UnixPattern {
    /// `@*`: every abstract name, and one that the system chooses.
    AnyAbstract,
    /// `/run/app.sock` or `@name`: that name.
    Exact(UnixName),
    /// `/run/*`: every path directly in the folder.
    In(Arc<[u8]>),
    /// `/run/**`: every path beneath the folder, at any depth.
    Under(Arc<[u8]>),
}

impl UnixPattern {
    pub(crate) fn matches(&self, name: &UnixName) -> bool {
        match self {
            Self::AnyAbstract => name.as_path().is_none(),
            Self::Exact(own) => own == name,
            Self::In(folder) => name
                .as_path()
                .and_then(|path| folders(path).next())
                .is_some_and(|parent| parent == &**folder),
            Self::Under(folder) => name
                .as_path()
                .is_some_and(|path| folders(path).any(|above| above == &**folder)),
        }
    }
}

/// The narrowest pattern that matches the name.
impl From<&UnixName> for UnixPattern {
    fn from(name: &UnixName) -> Self {
        if name.is_unnamed() {
            Self::AnyAbstract
        } else {
            Self::Exact(name.clone())
        }
    }
}

impl fmt::Display for UnixPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyAbstract => f.write_str("@*"),
            Self::Exact(name) => name.fmt(f),
            Self::In(folder) => write!(f, "{}/*", Encoded(folder)),
            Self::Under(folder) => write!(f, "{}/**", Encoded(folder)),
        }
    }
}
