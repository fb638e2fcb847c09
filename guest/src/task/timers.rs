//! The timers of all tasks, in the order in which they end.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Instant;

/// Which timer: those that end at the same instant are told apart by number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct TimerId {
    deadline: Instant,
    number: u64,
}

/// An ordered map rather than a binary heap: a timeout that is not needed any
/// more, as most are not, leaves at once.
#[derive(Default)]
pub(super) struct Timers {
    waiting: BTreeMap<TimerId, Waker>,
    count: u64,
}

impl Timers {
    pub(super) fn start(&mut self, deadline: Instant, waker: Waker) -> TimerId {
        let id = TimerId {
            deadline,
            number: self.count,
        };
        self.count = self.count.wrapping_add(1);
        self.waiting.insert(id, waker);
        id
    }

    /// Changes who is woken, and returns who would have been. A timer that has
    /// ended stays ended.
    pub(super) fn rewake(&mut self, id: TimerId, waker: &Waker) -> Option<Waker> {
        let waiting = self.waiting.get_mut(&id)?;
        if waiting.will_wake(waker) {
            return None;
        }
        Some(std::mem::replace(waiting, waker.clone()))
    }

    pub(super) fn stop(&mut self, id: TimerId) -> Option<Waker> {
        self.waiting.remove(&id)
    }

    /// When the first ends.
    pub(super) fn first(&self) -> Option<Instant> {
        let (id, _) = self.waiting.first_key_value()?;
        Some(id.deadline)
    }

    /// Takes one that has ended.
    pub(super) fn pop_ended(&mut self, now: Instant) -> Option<Waker> {
        let first = self.waiting.first_entry()?;
        (first.key().deadline <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_end_in_the_order_of_their_deadlines() {
        let begin = Instant::now();
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let mut timers = Timers::default();
        assert_eq!(timers.first(), None);
        for milliseconds in [30, 10, 20, 10] {
            timers.start(at(milliseconds), Waker::noop().clone());
        }
        assert_eq!(timers.first(), Some(at(10)));
        assert!(timers.pop_ended(at(9)).is_none());
        assert!(timers.pop_ended(at(10)).is_some());
        assert!(timers.pop_ended(at(10)).is_some(), "two end at once");
        assert!(timers.pop_ended(at(10)).is_none());
        assert_eq!(timers.first(), Some(at(20)));
    }

    #[test]
    fn a_timer_that_was_stopped_does_not_end() {
        let now = Instant::now();
        let mut timers = Timers::default();
        let first = timers.start(now, Waker::noop().clone());
        let second = timers.start(now, Waker::noop().clone());
        assert_ne!(first, second);
        assert!(timers.stop(first).is_some());
        assert!(timers.pop_ended(now).is_some());
        assert!(timers.pop_ended(now).is_none());
        assert!(timers.stop(second).is_none());
    }
}
