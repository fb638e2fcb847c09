//! Waiting for time to pass.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::reactor::Reactor;
use super::timers::TimerId;

/// Waits for as long as this.
pub fn sleep(time: Duration) -> Sleep {
    Sleep {
        deadline: Instant::now().checked_add(time),
        timer: None,
    }
}

/// Waits until then.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        deadline: Some(deadline),
        timer: None,
    }
}

/// What [`sleep`] returns.
#[derive(Debug)]
#[must_use = "it sleeps when it is awaited"]
pub struct Sleep {
    /// None is later than can be told.
    deadline: Option<Instant>,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        if deadline <= Instant::now() {
            return Poll::Ready(());
        }
        Reactor::with(|reactor| match self.timer {
            None => self.timer = Some(reactor.start_timer(deadline, context.waker())),
            Some(timer) => reactor.rewake_timer(timer, context.waker()),
        });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            Reactor::try_with(|reactor| reactor.stop_timer(timer));
        }
    }
}

/// Waits for a future, but for no longer than `limit`; then the future is dropped.
///
/// # Errors
///
/// [`Elapsed`], which turns into an [`io::Error`] of the kind `TimedOut`.
///
/// ```no_run
/// # use std::time::Duration;
/// # use portcullis_guest::{TcpListener, task::{Async, timeout}};
/// # async fn visit(listener: Async<TcpListener>) -> std::io::Result<()> {
/// let (connection, peer) = timeout(Duration::from_secs(5), listener.accept()).await??;
/// # Ok(())
/// # }
/// ```
pub async fn timeout<F: IntoFuture>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future.into_future());
    let mut sleep = pin!(sleep(limit));
    poll_fn(|context| {
        // What is there at the last moment still counts.
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        sleep.as_mut().poll(context).map(|()| Err(Elapsed))
    })
    .await
}

/// The time of a [`timeout`] has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time has ended")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::task::block_on;

    #[test]
    fn sleeping_takes_its_time() {
        let begin = Instant::now();
        block_on(sleep(Duration::from_millis(10)));
        assert!(begin.elapsed() >= Duration::from_millis(10));
        block_on(sleep_until(begin));
    }

    #[test]
    fn a_timeout_ends_what_never_ends() {
        let outcome = block_on(timeout(Duration::from_millis(5), pending::<()>()));
        assert_eq!(outcome, Err(Elapsed));
        assert_eq!(io::Error::from(Elapsed).kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_timeout_of_zero_still_takes_what_is_there() {
        assert_eq!(block_on(timeout(Duration::ZERO, async { 7 })), Ok(7));
    }

    #[test]
    fn a_timeout_longer_than_can_be_told_never_ends() {
        let nap = sleep(Duration::from_millis(1));
        assert_eq!(block_on(timeout(Duration::MAX, nap)), Ok(()));
    }
}
