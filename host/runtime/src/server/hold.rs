//! Which connection keeps a thread of the server, and for how long. A step of a
//! connection takes milliseconds; one that takes seconds is a fault of the host or of what
//! the host waits for, such as a disk that stalls. It must not end anything: the operator
//! hears of it.

use std::future::{self, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use thread_local::ThreadLocal;

/// A connection, or a datagram, that keeps a thread of the runtime right now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Held {
    /// The number of the connection, as [`Visit::number`](crate::Visit) has it.
    pub connection: u64,
    /// How long its current step has taken so far.
    pub time: Duration,
}

/// What each thread is at.
#[derive(Debug)]
pub(crate) struct Holds {
    began: Instant,
    threads: ThreadLocal<Step>,
}

/// The step that a thread takes for a connection.
#[derive(Debug, Default)]
struct Step {
    connection: AtomicU64,
    /// Microseconds from [`Holds::began`] to the begin of the step; zero between steps.
    since: AtomicU64,
}

impl Default for Holds {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            threads: ThreadLocal::new(),
        }
    }
}

impl Holds {
    /// Runs `serving`, and notes the begin and the end of each of its steps.
    pub(crate) async fn note<T>(&self, connection: u64, serving: impl Future<Output = T>) -> T {
        let mut serving = pin!(serving);
        future::poll_fn(|context| {
            let _over = self.begin(connection);
            serving.as_mut().poll(context)
        })
        .await
    }

    /// The connection whose current step has taken longest.
    pub(crate) fn longest(&self) -> Option<Held> {
        let now = self.now();
        let steps = self.threads.iter().filter_map(|step| {
            let since = step.since.load(Ordering::Acquire);
            (since != 0).then(|| Held {
                connection: step.connection.load(Ordering::Relaxed),
                time: Duration::from_micros(now.saturating_sub(since)),
            })
        });
        steps.max_by_key(|held| held.time)
    }

    fn begin(&self, connection: u64) -> Over<'_> {
        let step = self.threads.get_or_default();
        step.connection.store(connection, Ordering::Relaxed);
        step.since.store(self.now(), Ordering::Release);
        Over(step)
    }

    /// Microseconds since the beginning, and never zero.
    fn now(&self) -> u64 {
        let passed = self.began.elapsed().as_micros();
        u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Notes the end of a step, also of one that panics.
struct Over<'a>(&'a Step);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.since.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    fn run(future: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }.build().unwrap().block_on(future);
    }

    #[test]
    fn the_longest_step_is_told_while_it_lasts() {
        let holds = Arc::new(Holds::default());
        assert_eq!(holds.longest(), None);
        let steps = [7, 8].map(|connection| {
            let ((begun, has_begun), (end, ends)) = (channel(), channel::<()>());
            let held = Arc::clone(&holds);
            let thread = thread::spawn(move || {
                run(held.note(connection, async {
                    begun.send(()).unwrap();
                    let _ = ends.recv();
                }));
            });
            has_begun.recv().unwrap();
            // The steps of the two threads begin apart.
            thread::sleep(Duration::from_millis(20));
            (end, thread)
        });
        let held = holds.longest().unwrap();
        assert_eq!(held.connection, 7);
        assert!(held.time >= Duration::from_millis(40), "{held:?}");
        let connections = steps.map(|(end, thread)| {
            drop(end);
            thread.join().unwrap();
            holds.longest().map(|held| held.connection)
        });
        assert_eq!(connections, [Some(8), None]);
    }

    #[test]
    fn what_waits_holds_no_thread() {
        let holds = Holds::default();
        run(holds.note(1, async {
            assert_eq!(holds.longest().map(|held| held.connection), Some(1));
            tokio::task::yield_now().await;
        }));
        assert_eq!(holds.longest(), None);
    }
}
