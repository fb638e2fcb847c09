//! What the operating system has against a `--listen`, and what to do about it. It
//! must not speak of what the policy is against: that says itself what to change.

use anyhow::anyhow;
use portcullis::{ErrorCode, ListenError, PreopenError};

/// The error, with what to do about it where that can be told.
pub(super) fn told(endpoint: &str, error: ListenError) -> anyhow::Error {
    match hint(endpoint, &error) {
        Some(hint) => anyhow!("{error}: {hint}"),
        None => error.into(),
    }
}

/// What to do about what is in the way, where the error does not say.
fn hint(endpoint: &str, error: &ListenError) -> Option<&'static str> {
    let ListenError::Open(PreopenError::Open(error)) = error else {
        return None;
    };
    // It says already all that there is to say.
    if !error.message().is_empty() {
        return None;
    }
    let is_inet = endpoint.contains("://");
    let is_path = !is_inet && !endpoint.contains(":@");
    let hints = [
        (
            ErrorCode::AccessDenied,
            is_inet,
            "the operating system denies it, not the policy; ports below 1024 take a privilege",
        ),
        (
            ErrorCode::AccessDenied,
            is_path,
            "the operating system denies it, not the policy; may this user write to the folder?",
        ),
        (
            ErrorCode::AddressInUse,
            is_path,
            "there is a file of this name; remove it if no server uses it",
        ),
        (
            ErrorCode::NotFound,
            is_path,
            "the folder is missing; make it first",
        ),
    ];
    let fits = |(code, holds, _): &(ErrorCode, bool, _)| *code == error.code() && *holds;
    hints.into_iter().find(fits).map(|(_, _, hint)| hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operating_system_is_told_from_the_policy() {
        let hint = |endpoint, error| hint(endpoint, &ListenError::Open(PreopenError::Open(error)));
        for (endpoint, says) in [
            ("tcp://127.0.0.1:80", "below 1024"),
            ("unix:/run/app.sock", "folder"),
        ] {
            let denied = hint(endpoint, ErrorCode::AccessDenied.into()).unwrap();
            assert!(denied.contains("not the policy"), "{denied}");
            assert!(denied.contains(says), "{denied}");
            let by_policy = portcullis::Error::new(ErrorCode::AccessDenied, "it is not granted");
            assert_eq!(hint(endpoint, by_policy), None);
        }
        assert_eq!(hint("unix:@app", ErrorCode::AddressInUse.into()), None);
        assert_eq!(hint("tcp://*:80", ErrorCode::AddressInUse.into()), None);
    }
}
