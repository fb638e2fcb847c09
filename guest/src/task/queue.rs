//! The tasks that can go on, in the order in which they became so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_task::Runnable;

/// A queue that every waker of its tasks holds a handle on. Wakers may cross
/// threads, so it is locked; the tasks themselves stay on theirs.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<VecDeque<Runnable>>>);

impl Queue {
    pub(super) fn push(&self, runnable: Runnable) {
        self.lock().push_back(runnable);
    }

    /// Not held while a task runs, since tasks wake others.
    pub(super) fn pop(&self) -> Option<Runnable> {
        self.lock().pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Runnable>> {
        // A queue is whole whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
