//! How often a thing may begin.

use std::fmt;
use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// So many within a time: as many at once, and then one whenever its share of the
/// time has gone by (GCRA).
pub(super) struct Rate {
    value: u32,
    /// None where it is none at all.
    limiter: Option<DefaultDirectRateLimiter>,
}

impl Rate {
    pub(super) fn per_second(value: u32) -> Self {
        Self::new(value, Quota::per_second)
    }

    pub(super) fn per_minute(value: u32) -> Self {
        Self::new(value, Quota::per_minute)
    }

    fn new(value: u32, quota: impl Fn(NonZeroU32) -> Quota) -> Self {
        let limiter = NonZeroU32::new(value).map(|value| RateLimiter::direct(quota(value)));
        Self { value, limiter }
    }

    pub(super) fn value(&self) -> u32 {
        self.value
    }

    /// Whether one may begin now; if so, it counts.
    pub(super) fn begin(&self) -> bool {
        let limiter = self.limiter.as_ref();
        limiter.is_some_and(|limiter| limiter.check().is_ok())
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rate").field(&self.value).finish()
    }
}
