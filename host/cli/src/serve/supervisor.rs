//! The end of `portcullis serve`, whatever its threads are at: it runs on the main thread,
//! where no guest ever does. It must not serve, nor drain: the server does, in the time
//! that this allows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::signals::Signals;
use super::systemd;
use crate::complaints::say;
use crate::exit::Exit;
use crate::health::Health;

/// How much longer than its drain a server may take to end.
const MARGIN: Duration = Duration::from_millis(1200);

/// What ends the command where the server does not.
pub(crate) struct Supervisor {
    drain_timeout: Duration,
    health: Health,
    /// Whether there is a server, which heeds signals itself.
    serves: AtomicBool,
    /// When the command ends, at the latest.
    end: watch::Sender<Option<Instant>>,
}

impl Supervisor {
    pub(crate) fn new(drain_timeout: Duration, health: Health) -> Self {
        Self {
            drain_timeout,
            health,
            serves: AtomicBool::new(false),
            end: watch::Sender::default(),
        }
    }

    /// Hears that there is a server from now on, which heeds signals itself.
    pub(crate) fn serves(&self) {
        self.serves.store(true, Ordering::Release);
    }

    /// Hears that the server ends now, and drains for so long at most. Of several ends the
    /// earliest counts.
    pub(crate) fn ends_within(&self, patience: Duration) {
        // One too far off to be told is none.
        let Some(end) = Instant::now().checked_add(patience.saturating_add(MARGIN)) else {
            return;
        };
        self.end.send_if_modified(|earliest| {
            let is_earlier = earliest.is_none_or(|earliest| end < earliest);
            if is_earlier {
                *earliest = Some(end);
            }
            is_earlier
        });
    }

    /// Waits until the server has ended, or the time for that is over. Where a signal comes
    /// before there is a server, the command ends at once.
    pub(crate) async fn supervise(
        &self,
        mut signals: Signals,
        served: JoinHandle<Result<Exit>>,
    ) -> Result<Exit> {
        tokio::select! {
            biased;
            exit = served => exit?,
            () = self.ended_early(&mut signals) => Ok(Exit::Guest(0)),
            () = self.overdue() => {
                let trouble = self.health.trouble();
                let trouble = trouble.unwrap_or_else(|| "something keeps its threads".to_owned());
                say(&format!("does not drain, and is ended by force: {trouble}"));
                Ok(Exit::Dropped)
            }
            never = systemd::feed_the_watchdog(&self.health) => match never {},
        }
    }

    /// Waits for a signal to end that comes before there is a server. Those that come
    /// later set the time for its end.
    async fn ended_early(&self, signals: &mut Signals) {
        signals.end().await;
        if !self.serves.load(Ordering::Acquire) {
            return;
        }
        self.ends_within(self.drain_timeout);
        // A second signal ends it at once.
        signals.end().await;
        self.ends_within(Duration::ZERO);
        std::future::pending().await
    }

    async fn overdue(&self) {
        let mut ends = self.end.subscribe();
        loop {
            let end = *ends.borrow_and_update();
            let over = async {
                match end {
                    Some(end) => sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = over => return,
                // The sender is as old as this.
                _ = ends.changed() => {}
            }
        }
    }
}
