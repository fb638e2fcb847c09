//! How long an operation may wait.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorCode};

/// How many are turned away in a row by what must not wait: they may come faster
/// than they can be sent off.
pub(crate) const CROWD: u32 = 64;

/// The patience of one operation, from when it began.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// For ever.
    Forever,
    /// Not at all: what would wait fails with `would-block`.
    Never,
    /// Until then; after that it fails with this code.
    Until(Instant, ErrorCode),
}

impl Wait {
    /// Counts from now. A time too far off to be counted is for ever.
    pub(crate) fn from_now(time: Duration, expired: ErrorCode) -> Self {
        match Instant::now().checked_add(time) {
            Some(end) => Self::Until(end, expired),
            None => Self::Forever,
        }
    }

    /// The shorter patience of two.
    pub(crate) fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Forever, wait) | (wait, Self::Forever) => wait,
            (Self::Until(a, _), Self::Until(b, _)) => {
                if b < a {
                    other
                } else {
                    self
                }
            }
        }
    }

    /// What one of so many may have of what is left, if each is to have as much.
    pub(crate) fn share(self, of: usize) -> Self {
        match self {
            Self::Until(end, expired) => {
                let now = Instant::now();
                let left = end.saturating_duration_since(now);
                let of = u32::try_from(of.max(1)).unwrap_or(u32::MAX);
                Self::Until(now + left / of, expired)
            }
            Self::Forever | Self::Never => self,
        }
    }

    /// Whether there is any left, after so many were turned away. An operation
    /// that goes round in circles asks.
    pub(crate) fn go_on(self, turned_away: u32) -> Result<(), Error> {
        match self {
            Self::Forever => Ok(()),
            Self::Never if turned_away < CROWD => Ok(()),
            Self::Never => Err(ErrorCode::WouldBlock.into()),
            Self::Until(end, _) if Instant::now() < end => Ok(()),
            Self::Until(_, expired) => Err(expired.into()),
        }
    }

    /// The patience for what cannot be begun and come back for.
    pub(crate) fn at_least_once(self) -> Self {
        match self {
            Self::Never => Self::Forever,
            Self::Forever | Self::Until(..) => self,
        }
    }

    /// The patience for what takes some time whatever comes of it.
    pub(crate) fn at_least(self, time: Duration) -> Self {
        match self {
            Self::Forever => self,
            Self::Never => Self::from_now(time, ErrorCode::TimedOut),
            Self::Until(end, expired) => match Self::from_now(time, expired) {
                Self::Until(least, _) => Self::Until(end.max(least), expired),
                Self::Forever | Self::Never => Self::Forever,
            },
        }
    }

    /// Runs `operation` for as long as the patience lasts.
    pub(crate) async fn bound<T, E>(
        self,
        operation: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        match self {
            Self::Never => Err(ErrorCode::WouldBlock.into()),
            Self::Forever => Ok(operation.await?),
            Self::Until(end, expired) => match tokio::time::timeout_at(end, operation).await {
                Ok(result) => Ok(result?),
                Err(_) => Err(expired.into()),
            },
        }
    }
}

/// Takes a unit of the task's cooperative budget (`tokio::task::coop`), and lets other
/// tasks have the thread once the budget is spent.
///
/// Each operation that goes to the kernel, and each round of a wait, takes one. So an
/// operation that is repeated without end, whatever keeps it going, returns to the runtime
/// after a bounded number of steps; the server's bounds on time are looked at then.
pub(crate) async fn take_turn() {
    tokio::task::coop::consume_budget().await;
}

/// Pauses that grow, for what nothing wakes.
#[derive(Debug)]
pub(crate) struct Pauses(Duration);

impl Pauses {
    pub(crate) fn new() -> Self {
        Self(Duration::from_millis(1))
    }

    pub(crate) async fn next(&mut self) -> Result<(), Error> {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_millis(32));
        Ok(())
    }
}

/// Trying again and again, where nothing wakes those who wait.
#[derive(Debug)]
pub(crate) struct Retries {
    wait: Wait,
    pauses: Pauses,
}

impl Retries {
    pub(crate) fn new(wait: Wait) -> Self {
        let pauses = Pauses::new();
        Self { wait, pauses }
    }

    /// Waits until it is time to try again what failed, if it failed because it would
    /// have to wait.
    pub(crate) async fn pause(&mut self, error: Error) -> Result<(), Error> {
        match self.wait {
            Wait::Forever | Wait::Until(..) if error.code() == ErrorCode::WouldBlock => {
                self.wait.bound(self.pauses.next()).await
            }
            Wait::Forever | Wait::Never | Wait::Until(..) => Err(error),
        }
    }
}
