//! What was learned, one grant at a time. It must not say more of it than that
//! it was asked for.

use crate::Grant;

/// A grant that covers what a program did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lesson {
    grant: Grant,
    times: u64,
    first: Option<String>,
}

impl Lesson {
    pub(super) fn new(grant: Grant, times: u64, first: Option<String>) -> Self {
        Self {
            grant,
            times,
            first,
        }
    }

    /// The grant.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// How many requests it stands for.
    pub fn times(&self) -> u64 {
        self.times
    }

    /// What it is learned from, for whoever reviews it: `12 times, first from
    /// 10.0.0.5`. One line, of canonical text only.
    pub fn evidence(&self) -> String {
        let times = match self.times {
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        match &self.first {
            Some(first) if self.times == 1 => format!("{times}, {first}"),
            Some(first) => format!("{times}, first {first}"),
            None => times,
        }
    }
}
