//! The bytes that a guest moves one way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Limit;
use super::bandwidth::Bandwidth;

#[derive(Debug)]
pub(crate) struct Flow {
    total: Option<Total>,
    bandwidth: Option<Bandwidth>,
}

/// How many bytes may still move.
#[derive(Debug)]
struct Total {
    limit: Limit,
    left: AtomicU64,
}

impl Flow {
    /// So many bytes in all, a limit that is called so, and so many a second.
    pub(super) fn new(
        total: Option<u64>,
        limit: impl Fn(u64) -> Limit,
        bandwidth: Option<u64>,
    ) -> Self {
        let total = total.map(|total| Total {
            limit: limit(total),
            left: AtomicU64::new(total),
        });
        Self {
            total,
            bandwidth: bandwidth.map(Bandwidth::new),
        }
    }

    /// How long to wait until bytes may move; none where they may.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.bandwidth.as_ref()?.delay()
    }

    /// How many of `wanted` bytes may move at once, by the bandwidth.
    pub(crate) fn piece(&self, wanted: usize) -> usize {
        match &self.bandwidth {
            Some(bandwidth) => usize::try_from(bandwidth.piece())
                .unwrap_or(usize::MAX)
                .min(wanted),
            None => wanted,
        }
    }

    /// Sets as many of `wanted` bytes aside as may still move: at least one, if
    /// any are wanted.
    pub(crate) fn reserve(&self, wanted: usize) -> Result<Reserved<'_>, Limit> {
        let Some(total) = &self.total else {
            return Ok(Reserved {
                flow: self,
                bytes: wanted as u64,
            });
        };
        let (wanted, mut bytes) = (wanted as u64, 0);
        let take = |left: u64| {
            bytes = left.min(wanted);
            Some(left - bytes)
        };
        // It always takes what there is.
        let _ = (total.left).fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        if bytes == 0 && wanted > 0 {
            return Err(total.limit);
        }
        Ok(Reserved { flow: self, bytes })
    }

    /// The limit that stands in the way of so many bytes.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Limit> {
        match &self.total {
            Some(total) if total.left.load(Ordering::Relaxed) < bytes as u64 => Err(total.limit),
            Some(_) | None => Ok(()),
        }
    }

    /// How many bytes may still move.
    pub(crate) fn left(&self) -> usize {
        let left = (self.total.as_ref()).map(|total| total.left.load(Ordering::Relaxed));
        left.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        })
    }

    /// The limit, where there is one.
    pub(crate) fn limit(&self) -> Option<Limit> {
        self.total.as_ref().map(|total| total.limit)
    }
}

/// Bytes that are set aside. Those that are not used go back.
#[derive(Debug)]
pub(crate) struct Reserved<'a> {
    flow: &'a Flow,
    bytes: u64,
}

impl Reserved<'_> {
    /// How many they are.
    pub(crate) fn bytes(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }

    /// So many have moved.
    pub(crate) fn moved(mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(bandwidth) = &self.flow.bandwidth {
            bandwidth.moved(bytes);
        }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let (Some(total), 1..) = (&self.flow.total, self.bytes) {
            total.left.fetch_add(self.bytes, Ordering::Relaxed);
        }
    }
}
