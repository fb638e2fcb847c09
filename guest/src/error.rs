//! The host's errors as [`std::io::Error`].

use std::{error, fmt, io};

use crate::raw::types;

pub use crate::raw::types::ErrorCode;

/// What an error is, finer than its [`io::ErrorKind`]: the code that the host
/// gave it. None for an error that did not come from a socket.
///
/// ```no_run
/// use portcullis_guest::{ErrorCode, TcpStream, error_code};
///
/// match TcpStream::connect("db.internal:5432") {
///     Err(error) if error_code(&error) == Some(ErrorCode::NameNotFound) => println!("no such name"),
///     other => println!("{other:?}"),
/// }
/// ```
pub fn error_code(error: &io::Error) -> Option<ErrorCode> {
    error
        .get_ref()?
        .downcast_ref::<HostError>()
        .map(|error| error.0.code)
}

pub(crate) fn from_host(error: types::Error) -> io::Error {
    io::Error::new(kind(error.code), HostError(error))
}

/// The part of an [`io::Error`] that the host wrote.
struct HostError(types::Error);

/// As its text: what `main` returns is printed in this form.
impl fmt::Debug for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.message.as_str() {
            // The host leaves out what the code says by itself.
            "" => write!(f, "{:?}", self.0.code),
            message => f.write_str(message),
        }
    }
}

impl error::Error for HostError {}

fn kind(code: ErrorCode) -> io::ErrorKind {
    use io::ErrorKind as Kind;
    match code {
        ErrorCode::AccessDenied | ErrorCode::PermissionRequired => Kind::PermissionDenied,
        ErrorCode::AddressInUse => Kind::AddrInUse,
        ErrorCode::AddressNotAvailable => Kind::AddrNotAvailable,
        ErrorCode::BrokenPipe | ErrorCode::ShutDown => Kind::BrokenPipe,
        ErrorCode::ConnectionAborted => Kind::ConnectionAborted,
        ErrorCode::ConnectionRefused => Kind::ConnectionRefused,
        ErrorCode::ConnectionReset | ErrorCode::NetworkReset => Kind::ConnectionReset,
        ErrorCode::Exists => Kind::AlreadyExists,
        ErrorCode::HostDown | ErrorCode::HostUnreachable => Kind::HostUnreachable,
        ErrorCode::Interrupted => Kind::Interrupted,
        ErrorCode::InvalidArgument | ErrorCode::MessageTooLong | ErrorCode::ValueOutOfRange => {
            Kind::InvalidInput
        }
        ErrorCode::IsDirectory => Kind::IsADirectory,
        ErrorCode::LimitExceeded => Kind::QuotaExceeded,
        ErrorCode::NameTooLong => Kind::InvalidFilename,
        ErrorCode::NetworkDown => Kind::NetworkDown,
        ErrorCode::NetworkUnreachable => Kind::NetworkUnreachable,
        ErrorCode::NoSpace => Kind::StorageFull,
        ErrorCode::NotConnected => Kind::NotConnected,
        ErrorCode::NotDirectory => Kind::NotADirectory,
        ErrorCode::NotFound => Kind::NotFound,
        ErrorCode::AddressFamilyNotSupported
        | ErrorCode::NotSupported
        | ErrorCode::OptionNotSupported
        | ErrorCode::ProtocolNotSupported
        | ErrorCode::SocketTypeNotSupported
        | ErrorCode::WrongProtocolType => Kind::Unsupported,
        ErrorCode::OutOfMemory => Kind::OutOfMemory,
        ErrorCode::ReadOnlyFileSystem => Kind::ReadOnlyFilesystem,
        ErrorCode::TimedOut => Kind::TimedOut,
        // As `std::net` has it for a connect that has begun.
        ErrorCode::InProgress | ErrorCode::WouldBlock => Kind::WouldBlock,
        ErrorCode::AlreadyInProgress
        | ErrorCode::BadDescriptor
        | ErrorCode::DestinationAddressRequired
        | ErrorCode::Io
        | ErrorCode::IsConnected
        | ErrorCode::NameBadFlags
        | ErrorCode::NameFamilyNotSupported
        | ErrorCode::NameLookupFailed
        | ErrorCode::NameNoData
        | ErrorCode::NameNotFound
        | ErrorCode::NameServiceNotFound
        | ErrorCode::NameSocketTypeNotSupported
        | ErrorCode::NameTemporaryFailure
        | ErrorCode::NoBufferSpace
        | ErrorCode::NoSuchDevice
        | ErrorCode::NotSocket
        | ErrorCode::ProcessDescriptorsExhausted
        | ErrorCode::ProtocolError
        | ErrorCode::SystemDescriptorsExhausted
        | ErrorCode::TooManyLinks
        | ErrorCode::TooManyReferences
        | ErrorCode::Unknown => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_permission_denied_and_keeps_the_hosts_words() {
        let message = "connect tcp://10.0.0.5:5432 is not granted";
        let error = from_host(types::Error {
            code: ErrorCode::AccessDenied,
            message: message.into(),
        });
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), message);
        assert_eq!(error_code(&error), Some(ErrorCode::AccessDenied));
    }

    #[test]
    fn an_error_without_words_shows_its_code() {
        let error = from_host(types::Error {
            code: ErrorCode::WouldBlock,
            message: String::new(),
        });
        assert_eq!(error.to_string(), "ErrorCode::WouldBlock");
    }
}
