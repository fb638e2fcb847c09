//! The exit codes of the command, all in one place.

/// How the command ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// What was asked is so: allowed, good, or no difference.
    Yes,
    /// It is not.
    No,
    /// As the guest did.
    Guest(i32),
    /// All is over, but connections had to be dropped.
    Dropped,
    /// The guest was ended because the audit failed.
    Unaudited,
    /// A signal ended it: as a shell tells of that (128 and its number).
    Signal(i32),
    /// The guest trapped: as after `abort` (128 + SIGABRT).
    Trap,
    /// A command line, policy or program that cannot be used.
    Usage,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Yes => 0,
            Self::No | Self::Dropped => 1,
            Self::Guest(code) => code,
            Self::Signal(number) => 128 + number,
            Self::Trap => 134,
            Self::Unaudited => 125,
            Self::Usage => 2,
        }
    }
}
