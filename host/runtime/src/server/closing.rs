//! Until when those are served who have come, once nobody else is let in.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Hears of the end from whoever decides on it, who may think better of it.
#[derive(Clone)]
pub(crate) struct Closing(pub(crate) watch::Receiver<Option<Instant>>);

impl Closing {
    /// Waits until nobody else is to be let in.
    pub(crate) async fn begun(&mut self) {
        // Whoever could close it being gone, it is closed too.
        let _ = self.0.wait_for(Option::is_some).await;
    }

    /// Waits until those who have come are not waited for any longer.
    pub(crate) async fn end(&mut self) {
        loop {
            let end = *self.0.borrow_and_update();
            let Some(end) = end else { return };
            tokio::select! {
                () = sleep_until(end) => return,
                changed = self.0.changed() => if changed.is_err() { return },
            }
        }
    }
}
