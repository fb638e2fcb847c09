//! How those who wait for a thing hear that it is gone. It must not be kept by them.

use std::future::Future;
use std::sync::OnceLock;

use tokio::sync::watch;

/// A part of a thing, which ends with it.
#[derive(Debug, Default)]
pub(crate) struct Life(OnceLock<watch::Sender<()>>);

/// The end of a thing, as those who wait for it see it.
#[derive(Clone, Debug)]
pub(crate) struct End(watch::Receiver<()>);

impl Life {
    pub(crate) fn end(&self) -> End {
        let life = self.0.get_or_init(|| watch::Sender::new(()));
        End(life.subscribe())
    }
}

impl End {
    /// Waits for what the thing is to do; for nothing once the thing is gone.
    pub(crate) async fn or<T>(&mut self, done: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            // Nothing is ever sent: this is the end.
            _ = self.0.changed() => None,
            done = done => Some(done),
        }
    }
}
