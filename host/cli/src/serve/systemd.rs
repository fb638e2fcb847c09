//! What the service manager is told of (sd_notify(3)): nothing, where there is none.

use std::convert::Infallible;
use std::future;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::interval;

use crate::complaints::say;
use crate::health::Health;

/// It serves.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads anew, and says [`ready`] afterwards however that ends.
pub(crate) fn reloading() {
    let mut states = vec![
        NotifyState::Reloading,
        NotifyState::Status("reads the policy and the handler anew"),
    ];
    // By which the manager tells this from an earlier one.
    states.extend(NotifyState::monotonic_usec_now());
    tell(&states);
}

/// It lets nobody in any more.
pub(crate) fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// What it does.
pub(crate) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Another process serves in its place.
pub(crate) fn hand_over(process: u32, status: &str) {
    tell(&[NotifyState::MainPid(process), NotifyState::Status(status)]);
}

/// Tells a manager that asks for it that the threads serve, for as long as they do.
pub(crate) async fn feed_the_watchdog(health: &Health) -> Infallible {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return future::pending().await;
    };
    // A time of zero would be no interval.
    let mut often = interval((patience / 2).max(Duration::from_millis(1)));
    loop {
        often.tick().await;
        if health.is_good() {
            // What cannot be told once is told the next time, or the manager acts.
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        say(&format!("the service manager cannot be told: {error}"));
    }
}
