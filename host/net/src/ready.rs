//! What sockets are waited for, and what came of it.

use std::ops::BitOr;

use rustix::event::{PollFlags, epoll};

/// The `POLL` constants of POSIX: what to wait for, and what is.
///
/// `failed` and `hung_up` are told unasked; asking for them has no effect.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Ready {
    /// `POLLIN`: a receive or an accept would not block.
    pub readable: bool,
    /// `POLLOUT`: a send would not block, or a connect has ended.
    pub writable: bool,
    /// `POLLPRI`: urgent data is there.
    pub urgent: bool,
    /// `POLLERR`: the socket has failed.
    pub failed: bool,
    /// `POLLHUP`: neither direction is open.
    pub hung_up: bool,
}

impl Ready {
    /// Only `readable`.
    pub const READABLE: Self = Self {
        readable: true,
        ..Self::NOTHING
    };

    /// Only `writable`.
    pub const WRITABLE: Self = Self {
        writable: true,
        ..Self::NOTHING
    };

    const NOTHING: Self = Self {
        readable: false,
        writable: false,
        urgent: false,
        failed: false,
        hung_up: false,
    };

    /// Whether it is nothing at all.
    pub fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }

    pub(crate) fn poll_flags(self) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.readable);
        flags.set(PollFlags::OUT, self.writable);
        flags.set(PollFlags::PRI, self.urgent);
        flags
    }

    pub(crate) fn epoll_flags(self) -> epoll::EventFlags {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, self.readable);
        flags.set(epoll::EventFlags::OUT, self.writable);
        flags.set(epoll::EventFlags::PRI, self.urgent);
        flags
    }
}

impl From<PollFlags> for Ready {
    fn from(flags: PollFlags) -> Self {
        Self {
            readable: flags.contains(PollFlags::IN),
            writable: flags.contains(PollFlags::OUT),
            urgent: flags.contains(PollFlags::PRI),
            failed: flags.contains(PollFlags::ERR),
            hung_up: flags.contains(PollFlags::HUP),
        }
    }
}

impl From<epoll::EventFlags> for Ready {
    fn from(flags: epoll::EventFlags) -> Self {
        Self {
            readable: flags.contains(epoll::EventFlags::IN),
            writable: flags.contains(epoll::EventFlags::OUT),
            urgent: flags.contains(epoll::EventFlags::PRI),
            failed: flags.contains(epoll::EventFlags::ERR),
            hung_up: flags.contains(epoll::EventFlags::HUP),
        }
    }
}

impl BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            readable: self.readable | other.readable,
            writable: self.writable | other.writable,
            urgent: self.urgent | other.urgent,
            failed: self.failed | other.failed,
            hung_up: self.hung_up | other.hung_up,
        }
    }
}
