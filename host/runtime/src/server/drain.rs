//! The end of a server: nobody else is let in, and they are served who have come.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::phase::Phase;
use super::{Listening, Server};

/// How long those who are dropped may take to be gone.
const GRACE: Duration = Duration::from_millis(500);

/// What came of those who were served when the server drained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Drained {
    /// How many were ended by force, since the time was over.
    pub dropped: usize,
}

/// The listeners that are closed, and have yet to hand over whom they let in.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    tasks: Vec<JoinHandle<usize>>,
    left: usize,
}

impl Server {
    /// Listens no more, and waits until whoever came before has been served, but
    /// not for longer than `patience`: who is left then is dropped.
    ///
    /// Whoever does not want to wait so long drops this, and calls it again with
    /// less patience.
    pub async fn drain(&self, patience: Duration) -> Drained {
        let end = Instant::now() + patience;
        let left = self.close(end).await;
        let room = &self.shared.room;
        let everybody = || room.acquire_many(self.shared.bounds.connections);
        if left == 0 && timeout_at(end, everybody()).await.is_ok() {
            return Drained { dropped: 0 };
        }
        let dropped = left + self.shared.drop_live(|_| true);
        // What is on record of them is to be there when this returns.
        let _ = timeout(GRACE, everybody()).await;
        Drained { dropped }
    }

    /// Closes the listeners, once those who have come have a place. Tells how many
    /// have none by the end.
    async fn close(&self, end: Instant) -> usize {
        let mut serving = self.shared.serving.lock().await;
        let serving = &mut *serving;
        serving.phase.send_replace(Phase::Closing(end));
        // At once, so that the sockets are closed however little of the rest is
        // waited for.
        for Listening { socket, task, .. } in serving.listening.drain(..) {
            drop(socket);
            serving.ending.tasks.push(task);
        }
        while let Some(task) = serving.ending.tasks.last_mut() {
            serving.ending.left += task.await.unwrap_or_default();
            serving.ending.tasks.pop();
        }
        serving.ending.left
    }
}
