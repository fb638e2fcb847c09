//! The address of a unix socket.

use std::path::Path;
use std::{fmt, io};

use crate::raw::types::UnixAddress;

/// The address of a unix socket: `std::os::unix::net::SocketAddr`, which is not
/// there in a component.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct UnixAddr(Name);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Name {
    Unnamed,
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

impl UnixAddr {
    /// The address of a path, on the host: absolute, as policies name it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a path with a NUL in it, or an empty one.
    pub fn from_pathname(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().as_os_str().as_encoded_bytes();
        if path.is_empty() || path.contains(&0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path of a unix socket is not empty and has no NUL in it",
            ));
        }
        Ok(Self(Name::Path(path.to_vec())))
    }

    /// A name in Linux's abstract namespace, without the leading NUL.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for one of more than 107 bytes, which no address has room
    /// for.
    pub fn from_abstract_name(name: impl AsRef<[u8]>) -> io::Result<Self> {
        let name = name.as_ref();
        if name.len() > 107 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an abstract name has at most 107 bytes",
            ));
        }
        Ok(Self(Name::Abstract(name.to_vec())))
    }

    /// The address of a socket that is not bound.
    pub fn unnamed() -> Self {
        Self(Name::Unnamed)
    }

    /// Whether it is the address of a socket that is not bound.
    pub fn is_unnamed(&self) -> bool {
        self.0 == Name::Unnamed
    }

    /// The path, if it is one; none too for one that is not UTF-8, which has no
    /// form as a path in a component. [`as_path_bytes`](Self::as_path_bytes) has
    /// it.
    pub fn as_pathname(&self) -> Option<&Path> {
        str::from_utf8(self.as_path_bytes()?).ok().map(Path::new)
    }

    /// The path as the bytes that it is, if it is one.
    pub fn as_path_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Name::Path(path) => Some(path),
            Name::Unnamed | Name::Abstract(_) => None,
        }
    }

    /// The abstract name without the leading NUL, if it is one.
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        match &self.0 {
            Name::Abstract(name) => Some(name),
            Name::Unnamed | Name::Path(_) => None,
        }
    }

    pub(crate) fn to_contract(&self) -> UnixAddress {
        match self.0.clone() {
            Name::Unnamed => UnixAddress::Unnamed,
            Name::Path(path) => UnixAddress::Path(path),
            Name::Abstract(name) => UnixAddress::Abstract(name),
        }
    }
}

impl From<UnixAddress> for UnixAddr {
    fn from(address: UnixAddress) -> Self {
        Self(match address {
            UnixAddress::Unnamed => Name::Unnamed,
            UnixAddress::Path(path) => Name::Path(path),
            UnixAddress::Abstract(name) => Name::Abstract(name),
        })
    }
}

/// As policies write it: the path, or `@` and the abstract name.
impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Unnamed => f.write_str("(unnamed)"),
            Name::Path(path) => f.write_str(&String::from_utf8_lossy(path)),
            Name::Abstract(name) => write!(f, "@{}", String::from_utf8_lossy(name)),
        }
    }
}

/// As `std` writes its own.
impl fmt::Debug for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Unnamed => f.write_str("(unnamed)"),
            Name::Path(path) => write!(f, "{:?} (pathname)", String::from_utf8_lossy(path)),
            Name::Abstract(name) => write!(f, "\"{}\" (abstract)", name.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_nul_or_without_anything_is_refused() {
        for path in ["", "/run/\0"] {
            let error = UnixAddr::from_pathname(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn an_abstract_name_that_no_address_has_room_for_is_refused() {
        assert!(UnixAddr::from_abstract_name([b'x'; 107]).is_ok());
        assert!(UnixAddr::from_abstract_name([b'x'; 108]).is_err());
    }

    #[test]
    fn an_address_is_one_of_three() {
        let path = UnixAddr::from_pathname("/run/echo.sock").unwrap();
        assert_eq!(path.as_pathname(), Some(Path::new("/run/echo.sock")));
        assert_eq!(path.as_abstract_name(), None);
        assert_eq!(path.to_string(), "/run/echo.sock");
        let name = UnixAddr::from_abstract_name("echo").unwrap();
        assert_eq!(name.as_pathname(), None);
        assert_eq!(name.as_abstract_name(), Some(b"echo".as_slice()));
        assert_eq!(name.to_string(), "@echo");
        assert_eq!(
            format!("{path:?} {name:?}"),
            "\"/run/echo.sock\" (pathname) \"echo\" (abstract)"
        );
        assert!(UnixAddr::unnamed().is_unnamed());
        assert!(!path.is_unnamed());
    }

    #[test]
    fn a_path_that_is_not_utf8_keeps_its_bytes() {
        let address = UnixAddr::from(UnixAddress::Path(b"/run/\xff".to_vec()));
        assert_eq!(address.as_pathname(), None);
        assert_eq!(address.as_path_bytes(), Some(b"/run/\xff".as_slice()));
    }
}
