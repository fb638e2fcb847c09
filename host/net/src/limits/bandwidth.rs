//! How many bytes a second may move one way.
//!
//! Bytes are paid for after they have moved, since nobody knows before how many
//! they will be. While some are not paid for, none move.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;

/// Into how many parts a second is divided: what moves at once is a part of what
/// may move in a second.
const PARTS: u64 = 8;

/// How many cells a second there are at the most. The limiter counts in whole
/// nanoseconds a cell, and with more would be imprecise.
const CELLS: u64 = 1_000_000;

/// How long somebody waits who may move nothing, before they look again.
const LONG: Duration = Duration::from_secs(3600);

pub(super) struct Bandwidth {
    /// How many bytes may move at once.
    piece: u64,
    /// How many bytes a cell of the limiter stands for.
    unit: u64,
    burst: u32,
    /// None where no bytes may move.
    limiter: Option<DefaultDirectRateLimiter>,
    /// How many bytes have moved that are not paid for.
    owed: Mutex<u64>,
}

impl Bandwidth {
    /// So many bytes a second.
    pub(super) fn new(bytes: u64) -> Self {
        let unit = bytes.div_ceil(CELLS).max(1);
        let cells = u32::try_from(bytes / unit).unwrap_or(u32::MAX);
        let piece = (bytes / PARTS).max(1);
        let burst = u32::try_from(piece / unit).unwrap_or(u32::MAX).max(1);
        let limiter = NonZeroU32::new(cells).zip(NonZeroU32::new(burst));
        let limiter = limiter
            .map(|(cells, burst)| RateLimiter::direct(Quota::per_second(cells).allow_burst(burst)));
        Self {
            piece,
            unit,
            burst,
            limiter,
            owed: Mutex::new(0),
        }
    }

    /// How many bytes may move at once.
    pub(super) fn piece(&self) -> u64 {
        self.piece
    }

    /// Bytes have moved.
    pub(super) fn moved(&self, bytes: u64) {
        let mut owed = self.owed.lock();
        *owed = owed.saturating_add(bytes);
    }

    /// How long to wait until bytes may move; none where they may.
    pub(super) fn delay(&self) -> Option<Duration> {
        let Some(limiter) = &self.limiter else {
            return Some(LONG);
        };
        let mut owed = self.owed.lock();
        // Bounded: each round pays for a burst of what is owed, or is too early.
        loop {
            let cells = (*owed / self.unit).min(self.burst.into());
            let cells = u32::try_from(cells).ok().and_then(NonZeroU32::new)?;
            // No more than the burst, which there always is room for.
            match limiter.check_n(cells).ok()? {
                Ok(()) => *owed -= u64::from(cells.get()) * self.unit,
                Err(early) => {
                    let delay = early.wait_time_from(limiter.clock().now());
                    return Some(delay.max(Duration::from_millis(1)));
                }
            }
        }
    }
}

impl fmt::Debug for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bandwidth")
            .field("piece", &self.piece)
            .finish_non_exhaustive()
    }
}
