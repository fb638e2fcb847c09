//! How many of a thing there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Limit;

/// How many there are.
#[derive(Debug, Default)]
pub(crate) struct Count(Arc<AtomicU32>);

/// One of those that are counted, for as long as it is not dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicU32>);

impl Count {
    /// Counts one more, if there may be; nothing where there is no limit.
    pub(super) fn one_more(
        &self,
        limit: Option<u32>,
        name: impl Fn(u32) -> Limit,
    ) -> Result<Option<Counted>, Limit> {
        let Some(limit) = limit else {
            return Ok(None);
        };
        let more = |count: u32| (count < limit).then(|| count.saturating_add(1));
        match (self.0).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Some(Counted(Arc::clone(&self.0)))),
            Err(_) => Err(name(limit)),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
