//! One thing that changes from one policy to another. It must not say more than
//! was decided.

use std::fmt;

use crate::AnyRequest;
use crate::diff::set::Set;
use crate::diff::tree::Block;
use crate::verb::Verb;

/// What becomes of requests.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Effect {
    /// They are denied by the one policy and allowed by the other.
    Opens,
    /// They are allowed by the one policy and denied by the other.
    Closes,
}

/// Requests that change alike.
#[derive(Debug)]
pub struct Change {
    pub(crate) effect: Effect,
    pub(crate) lines: Vec<String>,
    pub(crate) sample: AnyRequest,
    pub(crate) extent: Extent,
}

/// The requests that a change is about.
#[derive(Debug)]
pub(crate) enum Extent {
    /// Sending broadcasts.
    Broadcast,
    /// Looking names up, for some of the purposes.
    Lookup(Block<Vec<bool>>),
    /// Looking the names of addresses up, by item.
    Reverse(Vec<usize>),
    /// Acting on sockets of the space.
    Socket {
        space: usize,
        verb: Verb,
        block: Block<Doing>,
        /// The addresses, as they were written.
        reach: Set,
        /// Whether the host was written as `*`.
        star: bool,
    },
    /// Acting on unix sockets of the space.
    Unix {
        space: usize,
        verb: Verb,
        block: Block<()>,
    },
}

/// What is done with a socket: only `listen` has peers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Doing {
    /// What the verb says, rather than accepting peers alone.
    pub(crate) act: bool,
    /// By peer, whether it is accepted.
    pub(crate) peers: Vec<bool>,
}

impl Change {
    /// What becomes of the requests.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The requests, at least one line. They are written like grants, but `in` holds
    /// all the addresses that a name may lead to.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// One of the requests.
    pub fn sample(&self) -> &AnyRequest {
        &self.sample
    }
}

impl Change {
    /// Whether it lets nobody reach anything.
    pub(crate) fn is_about_lookups(&self) -> bool {
        match self.extent {
            Extent::Lookup(_) | Extent::Reverse(_) => true,
            Extent::Broadcast | Extent::Socket { .. } | Extent::Unix { .. } => false,
        }
    }
}

/// Each line with the effect before it, without a final line break.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{:<6}  {line}", self.effect.to_string())?;
        }
        Ok(())
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opens => "opens",
            Self::Closes => "closes",
        })
    }
}
