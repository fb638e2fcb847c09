//! With whom a datagram socket has had to do: whom it may answer, and who may
//! answer it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::limits::{Charge, Memory, entry};
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
#[derive(Clone, Debug)]
pub(crate) struct Sharers {
    crowd: Arc<Crowd>,
    memory: Memory,
}

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
    memory: Charge,
}

impl Sharers {
    /// None as yet, which take of this memory.
    pub(crate) fn new(memory: &Memory) -> Self {
        Self {
            crowd: Arc::default(),
            memory: memory.clone(),
        }
    }
}

impl Sharer {
    fn join(sharers: &Sharers) -> Self {
        let crowd = Arc::clone(&sharers.crowd);
        crowd.sockets.fetch_add(1, Ordering::Relaxed);
        Self {
            crowd,
            remembers: 0,
            memory: sharers.memory.charge(),
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

    /// Takes note that it remembers so many, each of so many bytes; says whether there
    /// is the memory.
    fn remember(&mut self, count: usize, size: usize) -> bool {
        if !self.memory.resize(count * size) {
            return false;
        }
        let remembered = &self.crowd.remembered;
        remembered.fetch_add(count, Ordering::Relaxed);
        remembered.fetch_sub(self.remembers, Ordering::Relaxed);
        self.remembers = count;
        true
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        self.remember(0, 0);
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

impl<A: Clone + Eq + Hash> Correspondents<A> {
    /// What one takes that is remembered, with the longest name of a unix socket.
    const SIZE: usize = entry::<A, (Instant, Asked)>() + 128;

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
        self.note(|own| &mut own.heard, &from, Instant::now());
    }

    /// A datagram was sent to them under a grant.
    pub(crate) fn address(&mut self, to: A) {
        self.note(|own| &mut own.addressed, &to, Instant::now());
    }

    /// Remembers a peer, and forgets others for it, as far as there is memory. A peer that
    /// is forgotten is judged as a stranger is.
    fn note<V: Copy>(&mut self, which: impl Fn(&mut Self) -> &mut Recent<A, V>, who: &A, what: V) {
        // Bounded: each round forgets half of those who are remembered, at least.
        loop {
            let room = self.room();
            which(self).note(who.clone(), what, room);
            if self.is_counted() {
                return;
            }
            let is_alone = self.len() <= 1;
            self.heard.halve(|time| *time);
            self.addressed.halve(|time| *time);
            self.asked.halve(|_| ());
            if is_alone {
                // No peer is left.
                self.is_counted();
                return;
            }
        }
    }

    /// A datagram of theirs came to this address.
    pub(crate) fn ask(&mut self, from: A, asked: Asked) {
        self.note(|own| &mut own.asked, &from, asked);
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

    fn len(&self) -> usize {
        self.heard.len() + self.addressed.len() + self.asked.len()
    }

    fn is_counted(&mut self) -> bool {
        let count = self.len();
        let sharer = self.sharer.as_mut();
        sharer.is_none_or(|sharer| sharer.remember(count, Self::SIZE))
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

/// A value for each of the latest peers, as many as there is room for.
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

    /// Forgets at least half of them, the oldest first by what `age` makes of them.
    fn halve<T: Ord>(&mut self, age: impl Fn(&V) -> T) {
        self.older = HashMap::new();
        let mut all: Vec<_> = std::mem::take(&mut self.newer).into_iter().collect();
        all.sort_unstable_by_key(|(_, what)| age(what));
        let forgotten = all.len().div_ceil(2);
        self.newer = all.into_iter().skip(forgotten).collect();
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

    fn sharers() -> Sharers {
        Sharers::new(&Memory::new(Memory::UNLESS_SET))
    }

    #[test]
    fn who_wrote_may_be_answered_and_nobody_else() {
        let mut correspondents = Correspondents::new(sharers());
        correspondents.hear(1);
        correspondents.address(2);
        assert!(correspondents.may_be_answered(&1));
        assert!(!correspondents.may_be_answered(&2));
        assert!(correspondents.may_answer(&2));
        assert!(!correspondents.may_answer(&1));
    }

    #[test]
    fn an_answer_comes_within_a_minute() {
        let mut correspondents = Correspondents::new(sharers());
        let past = Instant::now().checked_sub(ANSWER_WITHIN).unwrap();
        correspondents.heard.newer.insert(1, past);
        assert!(!correspondents.may_be_answered(&1));
    }

    #[test]
    fn the_latest_are_remembered_in_bounded_room() {
        let mut correspondents = Correspondents::new(sharers());
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
        let sharers = sharers();
        let mut all: Vec<_> = (0..SOCKETS)
            .map(|_| Correspondents::new(sharers.clone()))
            .collect();
        for who in 0..2 * CAPACITY {
            all.iter_mut().for_each(|one| one.hear(who));
        }
        let remembered = || sharers.crowd.remembered.load(Ordering::Relaxed);
        assert!(remembered() <= 2 * ROOM, "{}", remembered());
        let held = all.iter().map(|one| one.heard.len());
        assert_eq!(held.sum::<usize>(), remembered());
        let latest = 2 * CAPACITY - 1;
        assert!(all.iter().all(|one| one.may_be_answered(&latest)));
        drop(all);
        assert_eq!(remembered(), 0);
        assert_eq!(sharers.crowd.sockets.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn many_sockets_with_one_peer_each_take_nothing_from_another() {
        let sharers = sharers();
        let mut all: Vec<_> = (0..1000)
            .map(|_| Correspondents::new(sharers.clone()))
            .collect();
        all.iter_mut().for_each(|one| one.address(0));
        let mut server = Correspondents::new(sharers);
        (0..CAPACITY).for_each(|who| server.hear(who));
        assert!((0..CAPACITY).all(|who| server.may_be_answered(&who)));
    }

    #[test]
    fn the_latest_are_remembered_as_far_as_there_is_memory() {
        let memory = Memory::new(1 << 16);
        let mut correspondents = Correspondents::new(Sharers::new(&memory));
        for who in 0..CAPACITY {
            correspondents.hear(who);
            correspondents.address(who);
            assert!(memory.used() <= memory.limit());
            assert!(correspondents.may_be_answered(&who));
        }
        let filled = memory.used();
        assert!(filled > memory.limit() / 4, "{filled}");
        // Where others have it all nobody is remembered.
        let mut others = memory.charge();
        assert!(others.resize(memory.limit() - filled));
        let mut more = Correspondents::new(Sharers::new(&memory));
        more.hear(1);
        assert!(!more.may_be_answered(&1));
        drop((correspondents, more, others));
        assert_eq!(memory.used(), 0);
    }
}
