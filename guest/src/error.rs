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

/// What the host is told of an error: the other way round. One that came from
/// the host goes back as it came.
pub(crate) fn to_host(error: &io::Error) -> types::Error {
    let from_host = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<HostError>());
    match from_host {
        Some(HostError(error)) => error.clone(),
        None => types::Error {
            code: code(error.kind()),
            message: error.to_string(),
        },
    }
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

/// The code that says no more than a kind does. `std` has kinds that no socket
/// has, and will have more.
#[expect(clippy::wildcard_enum_match_arm, reason = "`std` may add kinds")]
fn code(kind: io::ErrorKind) -> ErrorCode {
    use io::ErrorKind as Kind;
    match kind {
        Kind::AddrInUse => ErrorCode::AddressInUse,
        Kind::AddrNotAvailable => ErrorCode::AddressNotAvailable,
        Kind::AlreadyExists => ErrorCode::Exists,
        Kind::BrokenPipe => ErrorCode::BrokenPipe,
        Kind::ConnectionAborted => ErrorCode::ConnectionAborted,
        Kind::ConnectionRefused => ErrorCode::ConnectionRefused,
        Kind::ConnectionReset => ErrorCode::ConnectionReset,
        Kind::HostUnreachable => ErrorCode::HostUnreachable,
        Kind::Interrupted => ErrorCode::Interrupted,
        Kind::InvalidFilename => ErrorCode::NameTooLong,
        Kind::InvalidInput => ErrorCode::InvalidArgument,
        Kind::IsADirectory => ErrorCode::IsDirectory,
        Kind::NetworkDown => ErrorCode::NetworkDown,
        Kind::NetworkUnreachable => ErrorCode::NetworkUnreachable,
        Kind::NotADirectory => ErrorCode::NotDirectory,
        Kind::NotConnected => ErrorCode::NotConnected,
        Kind::NotFound => ErrorCode::NotFound,
        Kind::OutOfMemory => ErrorCode::OutOfMemory,
        Kind::PermissionDenied => ErrorCode::AccessDenied,
        Kind::QuotaExceeded => ErrorCode::LimitExceeded,
        Kind::ReadOnlyFilesystem => ErrorCode::ReadOnlyFileSystem,
        Kind::StorageFull => ErrorCode::NoSpace,
        Kind::TimedOut => ErrorCode::TimedOut,
        Kind::Unsupported => ErrorCode::NotSupported,
        Kind::WouldBlock => ErrorCode::WouldBlock,
        _ => ErrorCode::Unknown,
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

    #[test]
    fn an_error_of_the_host_goes_back_as_it_came() {
        for (code, message) in [
            // Its kind is that of other codes as well, or of none.
            (ErrorCode::PermissionRequired, "raw sockets"),
            (ErrorCode::NameNotFound, ""),
        ] {
            let error = types::Error {
                code,
                message: message.into(),
            };
            assert_eq!(to_host(&from_host(error.clone())), error);
        }
    }

    #[test]
    fn an_error_of_a_programs_own_is_told_by_its_kind_and_its_words() {
        let error = io::Error::new(io::ErrorKind::TimedOut, "no request in 5 s");
        let told = to_host(&error);
        assert_eq!(told.code, ErrorCode::TimedOut);
        assert_eq!(told.message, "no request in 5 s");
        // As std has it where there is nothing to say but the kind.
        let told = to_host(&io::ErrorKind::NotFound.into());
        assert_eq!(told.code, ErrorCode::NotFound);
        assert_eq!(told.message, "entity not found");
        let told = to_host(&io::Error::other("out of coffee"));
        assert_eq!(told.code, ErrorCode::Unknown);
        assert_eq!(told.message, "out of coffee");
    }

    #[test]
    fn a_kind_that_the_host_knows_comes_back_as_it_went() {
        use io::ErrorKind as Kind;
        for there in [
            Kind::AddrInUse,
            Kind::AddrNotAvailable,
            Kind::AlreadyExists,
            Kind::BrokenPipe,
            Kind::ConnectionAborted,
            Kind::ConnectionRefused,
            Kind::ConnectionReset,
            Kind::HostUnreachable,
            Kind::Interrupted,
            Kind::InvalidFilename,
            Kind::InvalidInput,
            Kind::IsADirectory,
            Kind::NetworkDown,
            Kind::NetworkUnreachable,
            Kind::NotADirectory,
            Kind::NotConnected,
            Kind::NotFound,
            Kind::OutOfMemory,
            Kind::PermissionDenied,
            Kind::QuotaExceeded,
            Kind::ReadOnlyFilesystem,
            Kind::StorageFull,
            Kind::TimedOut,
            Kind::Unsupported,
            Kind::WouldBlock,
        ] {
            assert_eq!(kind(code(there)), there);
        }
        assert_eq!(kind(code(Kind::InvalidData)), Kind::Other);
    }
}
