//! With whom a datagram socket has had to do: whom it may answer, and who may
//! answer it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::os::asked::Asked;

/// For how long somebody who wrote may be answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How many one socket remembers for certain, of either sort; at most twice as
/// many at all. The latest stay.
const CAPACITY: usize = 8192;

/// How many all sockets of a guest remember before each has to be content with its
/// share.
const ROOM: usize = 4 * CAPACITY;

/// How many a socket remembers for certain whatever others do.
const LEAST: usize = 64;

/// The sockets of one guest that remember somebody. They share the room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sharers(Arc<Crowd>);

#[derive(Debug, Default)]
struct Crowd {
    sockets: AtomicUsize,
    /// How many they remember.
    remembered: AtomicUsize,
}

/// One of those who share the room, for as long as it is not dropped.
#[derive(Debug)]
struct Sharer {
    crowd: Arc<Crowd>,
    remembers: usize,
}

impl Sharer {
    fn join(sharers: &Sharers) -> Self {
        let crowd = Arc::clone(&sharers.0);
        crowd.sockets.fetch_add(1, Ordering::Relaxed);
        Self {
            crowd,
            remembers: 0,
        }
    }

    /// How many it may remember for certain.
    fn room(&self) -> usize {
        if self.crowd.remembered.load(Ordering::Relaxed) < ROOM {
            return CAPACITY;
        }
        let sockets = self.crowd.sockets.load(Ordering::Relaxed);
        let share = ROOM.checked_div(sockets).unwrap_or(CAPACITY);
        share.clamp(LEAST, CAPACITY)
    }

    fn remember(&mut self, count: usize) {
        let remembered = &self.crowd.remembered;
        remembered.fetch_add(count, Ordering::Relaxed);
        remembered.fetch_sub(self.remembers, Ordering::Relaxed);
        self.remembers = count;
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        self.remember(0);
        self.crowd.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The addresses that a socket has heard from and sent to.
#[derive(Debug)]
pub(crate) struct Correspondents<A> {
    sharers: Sharers,
    sharer: Option<Sharer>,
    heard: Recent<A, Instant>,
    addressed: Recent<A, Instant>,
    /// Where they sent to last, for a socket that answers from there.
    asked: Recent<A, Asked>,
}

impl<A: Eq + Hash> Correspondents<A> {
    /// None as yet.
    pub(crate) fn new(sharers: Sharers) -> Self {
        Self {
            sharers,
            sharer: None,
            heard: Recent::default(),
            addressed: Recent::default(),
            asked: Recent::default(),
        }
    }

    /// A datagram of theirs was let in.
    pub(crate) fn hear(&mut self, from: A) {
        let room = self.room();
        self.heard.note(from, Instant::now(), room);
        self.count();
    }

    /// A datagram was sent to them under a grant.
    pub(crate) fn address(&mut self, to: A) {
        let room = self.room();
        self.addressed.note(to, Instant::now(), room);
        self.count();
    }

    /// A datagram of theirs came to this address.
    pub(crate) fn ask(&mut self, from: A, asked: Asked) {
        let room = self.room();
        self.asked.note(from, asked, room);
        self.count();
    }

    /// Where they sent to last.
    pub(crate) fn asked_by(&self, to: &A) -> Option<Asked> {
        self.asked.last(to)
    }

    fn room(&mut self) -> usize {
        let sharers = &self.sharers;
        let sharer = self.sharer.get_or_insert_with(|| Sharer::join(sharers));
        sharer.room()
    }

    fn count(&mut self) {
        let count = self.heard.len() + self.addressed.len() + self.asked.len();
        if let Some(sharer) = &mut self.sharer {
            sharer.remember(count);
        }
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

/// What was last so with somebody, for as many as there is room for.
#[derive(Debug)]
struct Recent<A, V> {
    newer: HashMap<A, V>,
    older: HashMap<A, V>,
}

impl<A: Eq + Hash, V: Copy> Recent<A, V> {
    fn note(&mut self, who: A, what: V, room: usize) {
        // Who has more than the room of now gives it up in two steps.
        if self.newer.len() >= room && !self.newer.contains_key(&who) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(who, what);
    }

    fn len(&self) -> usize {
        self.newer.len() + self.older.len()
    }

    fn last(&self, who: &A) -> Option<V> {
        self.newer.get(who).or_else(|| self.older.get(who)).copied()
    }
}

impl<A, V> Default for Recent<A, V> {
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
        let mut correspondents = Correspondents::new(Sharers::default());
        correspondents.hear(1);
        correspondents.address(2);
        assert!(correspondents.may_be_answered(&1));
        assert!(!correspondents.may_be_answered(&2));
        assert!(correspondents.may_answer(&2));
        assert!(!correspondents.may_answer(&1));
    }

    #[test]
    fn an_answer_comes_within_a_minute() {
        let mut correspondents = Correspondents::new(Sharers::default());
        let past = Instant::now().checked_sub(ANSWER_WITHIN).unwrap();
        correspondents.heard.newer.insert(1, past);
        assert!(!correspondents.may_be_answered(&1));
    }

    #[test]
    fn the_latest_are_remembered_in_bounded_room() {
        let mut correspondents = Correspondents::new(Sharers::default());
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

    #[test]
    fn the_sockets_of_a_guest_share_the_room() {
        const SOCKETS: usize = 64;
        let sharers = Sharers::default();
        let mut all: Vec<_> = (0..SOCKETS)
            .map(|_| Correspondents::new(sharers.clone()))
            .collect();
        for who in 0..2 * CAPACITY {
            all.iter_mut().for_each(|one| one.hear(who));
        }
        let remembered = || sharers.0.remembered.load(Ordering::Relaxed);
        assert!(remembered() <= 2 * ROOM, "{}", remembered());
        let held = all.iter().map(|one| one.heard.len());
        assert_eq!(held.sum::<usize>(), remembered());
        let latest = 2 * CAPACITY - 1;
        assert!(all.iter().all(|one| one.may_be_answered(&latest)));
        drop(all);
        assert_eq!(remembered(), 0);
        assert_eq!(sharers.0.sockets.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn many_sockets_with_one_peer_each_take_nothing_from_another() {
        let sharers = Sharers::default();
        let mut all: Vec<_> = (0..1000)
            .map(|_| Correspondents::new(sharers.clone()))
            .collect();
        all.iter_mut().for_each(|one| one.address(0));
        let mut server = Correspondents::new(sharers);
        (0..CAPACITY).for_each(|who| server.hear(who));
        assert!((0..CAPACITY).all(|who| server.may_be_answered(&who)));
    }
}
