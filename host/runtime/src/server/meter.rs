//! How long something computes: the time within its polls, since between them
//! it waits.

use std::future::{self, Future};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Runs a future until it has computed for `limit`; none if it had to be ended.
/// `spent` tells how long it has computed, also if this is dropped.
///
/// On a machine where others keep the thread waiting, it may be ended when it has
/// computed for half as long, and not before.
pub(crate) async fn within<T>(
    limit: Duration,
    spent: &mut Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    future::poll_fn(|context| {
        // What passes is never less than what is computed, and costs little to ask
        // for: it will do for most, which need but a little of what they may have.
        let clock = match *spent < limit / 2 {
            true => Clock::passing(),
            false => Clock::computing(),
        };
        let polled = future.as_mut().poll(context);
        *spent += clock.elapsed();
        match polled {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if *spent >= limit => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Since when, by which clock.
enum Clock {
    /// That which everybody has.
    Passing(Instant),
    /// That of the thread, which stands still while others are on the processor.
    Computing(Duration),
}

impl Clock {
    fn passing() -> Self {
        Self::Passing(Instant::now())
    }

    fn computing() -> Self {
        computed().map_or_else(Self::passing, Self::Computing)
    }

    fn elapsed(&self) -> Duration {
        match self {
            Self::Passing(began) => began.elapsed(),
            Self::Computing(began) => computed().unwrap_or_default().saturating_sub(*began),
        }
    }
}

/// How long this thread has been on a processor, where the OS knows.
fn computed() -> Option<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.ok().map(Duration::from)
}
