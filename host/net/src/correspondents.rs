//! With whom a datagram socket has had to do: whom it may answer, and who may
//! answer it.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// For how long somebody who wrote may be answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How many are remembered for certain; at most twice as many at all. The
/// latest stay.
const CAPACITY: usize = 8192;

/// The addresses that a socket has heard from and sent to.
#[derive(Debug)]
pub(crate) struct Correspondents<A> {
    heard: Recent<A>,
    addressed: Recent<A>,
}

impl<A: Eq + Hash> Correspondents<A> {
    /// A datagram of theirs was let in.
    pub(crate) fn hear(&mut self, from: A) {
        self.heard.note(from);
    }

    /// A datagram was sent to them under a grant.
    pub(crate) fn address(&mut self, to: A) {
        self.addressed.note(to);
    }

    /// Whether they wrote so lately that they may be answered.
    pub(crate) fn may_be_answered(&self, to: &A) -> bool {
        let last = self.heard.last(to);
        last.is_some_and(|time| time.elapsed() < ANSWER_WITHIN)
    }

    /// Whether what they write may be an answer.
    pub(crate) fn may_answer(&self, from: &A) -> bool {
        self.addressed.last(from).is_some()
    }
}

impl<A> Default for Correspondents<A> {
    fn default() -> Self {
        Self {
            heard: Recent::default(),
            addressed: Recent::default(),
        }
    }
}

/// When something last happened, for as many as there is room for.
#[derive(Debug)]
struct Recent<A> {
    newer: HashMap<A, Instant>,
    older: HashMap<A, Instant>,
}

impl<A: Eq + Hash> Recent<A> {
    fn note(&mut self, who: A) {
        if self.newer.len() >= CAPACITY && !self.newer.contains_key(&who) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(who, Instant::now());
    }

    fn last(&self, who: &A) -> Option<Instant> {
        self.newer.get(who).or_else(|| self.older.get(who)).copied()
    }
}

impl<A> Default for Recent<A> {
    fn default() -> Self {
        Self {
            newer: HashMap::new(),
            older: HashMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wrote_may_be_answered_and_nobody_else() {
        let mut correspondents = Correspondents::default();
        correspondents.hear(1);
        correspondents.address(2);
        assert!(correspondents.may_be_answered(&1));
        assert!(!correspondents.may_be_answered(&2));
        assert!(correspondents.may_answer(&2));
        assert!(!correspondents.may_answer(&1));
    }

    #[test]
    fn an_answer_comes_within_a_minute() {
        let mut correspondents = Correspondents::default();
        let past = Instant::now().checked_sub(ANSWER_WITHIN).unwrap();
        correspondents.heard.newer.insert(1, past);
        assert!(!correspondents.may_be_answered(&1));
    }

    #[test]
    fn the_latest_are_remembered_in_bounded_room() {
        let mut correspondents = Correspondents::default();
        for who in 0..10 * CAPACITY {
            correspondents.hear(who);
        }
        let heard = &correspondents.heard;
        assert!(heard.newer.len() + heard.older.len() <= 2 * CAPACITY);
        for who in 9 * CAPACITY..10 * CAPACITY {
            assert!(correspondents.may_be_answered(&who));
        }
        assert!(!correspondents.may_be_answered(&0));
    }
}
