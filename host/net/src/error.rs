//! Errors of socket operations, and the one table that relates the operating
//! system's to ours.
//!
//! Nothing outside this file may look at an errno.

use std::borrow::Cow;
use std::{fmt, io};

use portcullis_policy::{NameError, UnixNameError};
use rustix::io::Errno;

use crate::audit::AuditFailure;

/// Calls `$with` once with every error code and the OS errors it stands for.
///
/// The codes are those of `error-code` in `wit/types.wit`, which documents
/// each. The first OS error is the one that a guest rebuilds from the code.
#[macro_export]
macro_rules! for_each_error_code {
    ($with:ident) => {
        $with! {
            AccessDenied "access denied" [ACCESS],
            AddressFamilyNotSupported "address family not supported" [AFNOSUPPORT],
            AddressInUse "address in use" [ADDRINUSE],
            AddressNotAvailable "address not available" [ADDRNOTAVAIL],
            AlreadyInProgress "a connect is in progress already" [ALREADY],
            BadDescriptor "bad descriptor" [BADF],
            BrokenPipe "the sending side is shut down" [PIPE],
            ConnectionAborted "connection aborted" [CONNABORTED],
            ConnectionRefused "connection refused" [CONNREFUSED],
            ConnectionReset "connection reset by peer" [CONNRESET],
            DestinationAddressRequired "destination address required" [DESTADDRREQ],
            Exists "exists already" [EXIST],
            HostDown "host is down" [HOSTDOWN],
            HostUnreachable "host unreachable" [HOSTUNREACH],
            InProgress "connect in progress" [INPROGRESS],
            Interrupted "interrupted" [INTR],
            InvalidArgument "invalid argument" [INVAL],
            Io "input or output error" [IO],
            IsConnected "connected already" [ISCONN],
            IsDirectory "is a directory" [ISDIR],
            LimitExceeded "a limit of the policy is reached" [],
            MessageTooLong "message too long" [MSGSIZE],
            NameBadFlags "bad lookup flags" [],
            NameFamilyNotSupported "the name has no address of that family" [],
            NameLookupFailed "the name servers refuse" [],
            NameNoData "the name has no address" [],
            NameNotFound "no such name" [],
            NameServiceNotFound "no such service" [],
            NameSocketTypeNotSupported "socket type not supported" [],
            NameTemporaryFailure "the name servers did not answer" [],
            NameTooLong "name too long" [NAMETOOLONG],
            NetworkDown "network is down" [NETDOWN],
            NetworkReset "connection reset by network" [NETRESET],
            NetworkUnreachable "network unreachable" [NETUNREACH],
            NoBufferSpace "no buffer space" [NOBUFS],
            NoSpace "no space on device" [NOSPC],
            NoSuchDevice "no such device" [NODEV, NXIO],
            NotConnected "not connected" [NOTCONN],
            NotDirectory "not a directory" [NOTDIR],
            NotFound "no such file" [NOENT],
            NotSocket "not a socket" [NOTSOCK],
            NotSupported "operation not supported" [OPNOTSUPP, NOSYS],
            OptionNotSupported "option not supported" [NOPROTOOPT],
            OutOfMemory "out of memory" [NOMEM],
            PermissionRequired "operation not permitted" [PERM],
            ProcessDescriptorsExhausted "too many open descriptors" [MFILE],
            ProtocolError "protocol error" [PROTO],
            ProtocolNotSupported "protocol not supported" [PROTONOSUPPORT],
            ReadOnlyFileSystem "read-only file system" [ROFS],
            ShutDown "the socket is shut down" [SHUTDOWN],
            SocketTypeNotSupported "socket type not supported" [SOCKTNOSUPPORT],
            SystemDescriptorsExhausted "too many open descriptors in the system" [NFILE],
            TimedOut "timed out" [TIMEDOUT],
            TooManyLinks "too many symbolic links" [LOOP],
            TooManyReferences "too many references" [TOOMANYREFS],
            Unknown "unknown error" [],
            ValueOutOfRange "value out of range" [DOM, RANGE, OVERFLOW],
            WouldBlock "would block" [AGAIN],
            WrongProtocolType "protocol wrong type for socket" [PROTOTYPE],
        }
    };
}

macro_rules! define_codes {
    ($($code:ident $text:literal [$($errno:ident),*],)*) => {
        /// What an error is: `error-code` of the contract, which documents each.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[expect(missing_docs, reason = "documented in wit/types.wit, under the same names")]
        pub enum ErrorCode {
            $($code,)*
        }

        impl ErrorCode {
            /// Every code, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            fn of_errno(errno: Errno) -> Self {
                match errno {
                    $($(Errno::$errno => Self::$code,)*)*
                    _ => Self::Unknown,
                }
            }

            /// The OS errors that this code stands for; none where it has no
            /// twin among them.
            pub fn errnos(self) -> &'static [i32] {
                match self {
                    $(Self::$code => const { &[$(Errno::$errno.raw_os_error(),)*] },)*
                }
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$code => $text,)*
                }
            }
        }
    };
}

for_each_error_code!(define_codes);

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Why a socket operation failed, as the guest may know it.
#[derive(Clone, Debug)]
pub struct Error {
    code: ErrorCode,
    message: Cow<'static, str>,
    audit_failure: Option<AuditFailure>,
}

impl Error {
    /// An error whose code does not say all there is to say.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            audit_failure: None,
        }
    }

    /// The guest hears its own request back, and no reason: that is for the
    /// operator.
    pub(crate) fn not_granted(request: impl fmt::Display) -> Self {
        Self::new(ErrorCode::AccessDenied, format!("{request} is not granted"))
    }

    /// What kind of error it is.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// Why the guest is to end: what it did cannot be recorded. No guest may be
    /// given such an error to go on with, whatever its code.
    pub fn audit_failure(&self) -> Option<&AuditFailure> {
        self.audit_failure.as_ref()
    }

    /// What the code does not say; often nothing.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            self.code.fmt(f)
        } else {
            f.write_str(&self.message)
        }
    }
}

impl std::error::Error for Error {}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, "")
    }
}

impl From<AuditFailure> for Error {
    fn from(failure: AuditFailure) -> Self {
        let message = failure.to_string();
        Self {
            audit_failure: Some(failure),
            ..Self::new(ErrorCode::Io, message)
        }
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        let code = ErrorCode::of_errno(errno);
        if code == ErrorCode::Unknown {
            return Self::new(code, io::Error::from(errno).to_string());
        }
        code.into()
    }
}

impl From<nix::errno::Errno> for Error {
    fn from(errno: nix::errno::Errno) -> Self {
        io::Error::from(errno).into()
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(raw) => Errno::from_raw_os_error(raw).into(),
            // One of ours may have come in between the calls of the OS.
            None => (error.downcast())
                .unwrap_or_else(|error| Self::new(ErrorCode::Unknown, error.to_string())),
        }
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::new(ErrorCode::NameNotFound, error.to_string())
    }
}

impl From<UnixNameError> for Error {
    fn from(error: UnixNameError) -> Self {
        let code = match error {
            UnixNameError::TooLong => ErrorCode::NameTooLong,
            UnixNameError::Empty
            | UnixNameError::Folder
            | UnixNameError::Nul
            | UnixNameError::Parent
            | UnixNameError::Relative => ErrorCode::InvalidArgument,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_os_error_of_the_table_leads_to_its_code_and_back() {
        for &code in ErrorCode::ALL {
            for &raw in code.errnos() {
                assert_eq!(Error::from(io::Error::from_raw_os_error(raw)).code(), code);
            }
        }
    }

    #[test]
    fn an_os_error_outside_of_the_table_keeps_its_text() {
        let error = Error::from(Errno::NOEXEC);
        assert_eq!(error.code(), ErrorCode::Unknown);
        assert!(error.message().contains("os error 8"), "{error}");
    }

    #[test]
    fn an_error_without_a_message_shows_its_code() {
        assert_eq!(Error::from(ErrorCode::TimedOut).to_string(), "timed out");
    }
}
