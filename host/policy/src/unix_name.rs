//! Names of unix sockets in the one form in which they are compared. It must
//! not look at a file system: what a path leads to is for who opens it.

use std::fmt;
use std::iter;
use std::sync::Arc;

use crate::percent::Encoded;

/// The name of a unix socket in canonical form: a path, an abstract name
/// (Linux), or one that the system chooses. Cheap to clone.
///
/// Displays as grants write it: `/run/app.sock`, `@name`, `@*`.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixName(Form);

#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Form {
    Abstract(Arc<[u8]>),
    Path(Arc<[u8]>),
    Unnamed,
}

/// What `sockaddr_un` holds (`unix(7)`): 108 bytes, of which a path ends with a
/// NUL and an abstract name starts with one.
pub(crate) const LONGEST: usize = 107;

impl UnixName {
    /// Reads the path of a socket. It is absolute; `.` components and repeated
    /// slashes are left out of its canonical form.
    ///
    /// A path with `..` is refused: where that leads depends on symbolic links,
    /// so that no comparison of text could tell.
    pub fn path(bytes: &[u8]) -> Result<Self, UnixNameError> {
        check_length(bytes)?;
        if bytes.contains(&0) {
            return Err(UnixNameError::Nul);
        }
        if !bytes.starts_with(b"/") {
            return Err(UnixNameError::Relative);
        }
        let mut path = Vec::with_capacity(bytes.len());
        let mut last: &[u8] = b"";
        for component in bytes.split(|byte| *byte == b'/') {
            last = component;
            match component {
                b"" | b"." => {}
                b".." => return Err(UnixNameError::Parent),
                _ => {
                    path.push(b'/');
                    path.extend_from_slice(component);
                }
            }
        }
        match last {
            b"" | b"." => Err(UnixNameError::Folder),
            _ => Ok(Self(Form::Path(path.into()))),
        }
    }

    /// Reads an abstract name (`unix(7)`), without the NUL that marks it as
    /// one. It may hold any byte.
    pub fn abstract_name(bytes: &[u8]) -> Result<Self, UnixNameError> {
        check_length(bytes)?;
        Ok(Self(Form::Abstract(bytes.into())))
    }

    /// An abstract name that the system chooses, to bind to (`unix(7)`,
    /// "Autobind feature").
    pub fn unnamed() -> Self {
        Self(Form::Unnamed)
    }

    /// The path, if it is one: what to give to the system.
    pub fn as_path(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Path(path) => Some(path),
            Form::Abstract(_) | Form::Unnamed => None,
        }
    }

    /// The abstract name, if it is one, without the NUL that marks it.
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Form::Abstract(name) => Some(name),
            Form::Path(_) | Form::Unnamed => None,
        }
    }

    /// Whether the system is to choose an abstract name.
    pub fn is_unnamed(&self) -> bool {
        match self.0 {
            Form::Unnamed => true,
            Form::Abstract(_) | Form::Path(_) => false,
        }
    }
}

/// The folders above a canonical path, nearest first and without their final
/// slash: `/run/app`, `/run` and nothing for `/run/app/web.sock`.
pub(crate) fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let above = |path: &[u8]| path.iter().rposition(|byte| *byte == b'/');
    iter::successors(above(path).and_then(|at| path.get(..at)), move |path| {
        above(path).and_then(|at| path.get(..at))
    })
}

fn check_length(bytes: &[u8]) -> Result<(), UnixNameError> {
    match bytes.len() {
        0 => Err(UnixNameError::Empty),
        1..=LONGEST => Ok(()),
        _ => Err(UnixNameError::TooLong),
    }
}

/// As text rather than as a list of bytes.
impl fmt::Debug for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnixName({self})")
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Abstract(name) => match name.strip_prefix(b"@") {
                Some(rest) => write!(f, "@%40{}", Encoded(rest)),
                None => write!(f, "@{}", Encoded(name)),
            },
            Form::Path(path) => Encoded(path).fmt(f),
            Form::Unnamed => f.write_str("@*"),
        }
    }
}

/// Why bytes are not the name of a unix socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnixNameError {
    /// There is nothing.
    #[error("the name of the unix socket is empty")]
    Empty,
    /// The path ends with a slash, or with `.`.
    #[error("the path ends like that of a folder")]
    Folder,
    /// The path holds a NUL.
    #[error("a path holds no NUL")]
    Nul,
    /// The path has a `..` component.
    #[error("a path to a unix socket goes through no `..`")]
    Parent,
    /// The path does not start with a slash.
    #[error("the path is not absolute")]
    Relative,
    /// It has more than 107 bytes.
    #[error("the name of a unix socket has at most {LONGEST} bytes")]
    TooLong,
}
