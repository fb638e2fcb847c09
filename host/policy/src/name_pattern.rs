//! What grants write where names go. It must not know about addresses, but for
//! the group that a name stands for by itself.

use std::fmt;

use crate::{Group, Name};

/// A set of names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum NamePattern {
    /// `*`: every name.
    Any,
    /// `db.internal`: that name.
    Exact(Name),
    /// `*.internal`: every name below, at any depth, but not `internal`.
    Under(Name),
}

impl NamePattern {
    pub(crate) fn matches(&self, name: &Name) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(own) => own == name,
            Self::Under(parent) => name.parents().any(|above| above == parent.as_str()),
        }
    }

    /// The addresses that such names may lead to without an `in`.
    pub(crate) fn home(&self) -> Group {
        match self {
            Self::Exact(name) | Self::Under(name) if name.is_localhost() => Group::Loopback,
            Self::Any | Self::Exact(_) | Self::Under(_) => Group::Public,
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => name.spelled().fmt(f),
            Self::Under(parent) => write!(f, "*.{parent}"),
        }
    }
}
