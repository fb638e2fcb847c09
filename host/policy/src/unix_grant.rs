//! Grants about unix sockets. It must not search through grants.

use std::fmt;

use crate::UnixKind;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;

/// A parsed grant of `bind`, `connect` or `listen` on unix sockets. What it
/// says it says of allows and of denies alike.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct UnixGrant {
    pub(crate) verb: Verb,
    pub(crate) kind: UnixKind,
    pub(crate) names: UnixPattern,
}

impl fmt::Display for UnixGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, kind, names } = self;
        write!(f, "{verb} {kind}:{names}")
    }
}
