//! How a host function fails: with an error that the guest is given, or with a
//! trap where the guest's handle is none, or the audit fails.

use portcullis_net::{Error, ErrorCode, for_each_error_code};
use wasmtime::component::ResourceTableError;

use crate::bindings::portcullis::sockets::types;

/// Why a host function did not return a value.
#[derive(Debug)]
pub enum Failure {
    /// For the guest: its mistake, the network's or the policy's.
    Error(Error),
    /// The end of the guest: it used a handle that it was not given, or what it
    /// does cannot be recorded (an [`AuditFailure`](portcullis_net::AuditFailure)).
    Trap(wasmtime::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.audit_failure() {
            None => Self::Error(error),
            Some(failure) => Self::Trap(failure.clone().into()),
        }
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Error(code.into())
    }
}

impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

macro_rules! define_conversion {
    ($($code:ident $text:literal [$($errno:ident),*],)*) => {
        impl From<ErrorCode> for types::ErrorCode {
            fn from(code: ErrorCode) -> Self {
                match code {
                    $(ErrorCode::$code => Self::$code,)*
                }
            }
        }

        impl From<types::ErrorCode> for ErrorCode {
            fn from(code: types::ErrorCode) -> Self {
                match code {
                    $(types::ErrorCode::$code => Self::$code,)*
                }
            }
        }
    };
}

for_each_error_code!(define_conversion);

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        let message = if error.code() == ErrorCode::WouldBlock {
            String::new()
        } else {
            error.to_string()
        };
        Self {
            code: error.code().into(),
            message,
        }
    }
}

/// What a handler returned.
impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        Self::new(error.code.into(), error.message)
    }
}
