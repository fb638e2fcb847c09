//! What a server is at: whether it lets people in, and until when those are served
//! who have come.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// One follows the other.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Those who come wait in the queue.
    Held,
    /// Those who come are let in.
    #[default]
    Open,
    /// Nobody else is let in, and those who have come are served until then.
    Closing(Instant),
}

/// Hears of the phase from whoever decides on it, who may think better of the end.
#[derive(Clone)]
pub(crate) struct Phases(pub(crate) watch::Receiver<Phase>);

impl Phases {
    /// Waits until it is no longer held.
    pub(crate) async fn begun(&mut self) {
        // Whoever could close it being gone, it is closed too.
        let begun = self.0.wait_for(|phase| !matches!(phase, Phase::Held));
        let _ = begun.await;
    }

    /// Waits until nobody else is to be let in.
    pub(crate) async fn closing(&mut self) {
        let closing = self.0.wait_for(|phase| matches!(phase, Phase::Closing(_)));
        let _ = closing.await;
    }

    /// Waits until those who have come are not waited for any longer.
    pub(crate) async fn end(&mut self) {
        loop {
            let phase = *self.0.borrow_and_update();
            let Phase::Closing(end) = phase else { return };
            tokio::select! {
                () = sleep_until(end) => return,
                changed = self.0.changed() => if changed.is_err() { return },
            }
        }
    }
}
