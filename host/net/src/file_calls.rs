//! The calls of a guest that look at a file system: one that does not answer (a
//! network file system, FUSE) lets its caller wait, and cannot be left. So no thread
//! that serves others makes such a call.

use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::aside::aside;
use crate::error::{Error, ErrorCode};
use crate::wait::Wait;

/// How many calls of one guest may wait for a file system at the same time.
const OF_A_GUEST: usize = 4;

/// How many of all guests.
const OF_ALL: usize = 64;

/// How long a call is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it is waited for whatever the guest says, as a file system that answers
/// does so by then. A guest that does not wait would else not know what comes of it:
/// one that is given up goes on.
const GRACE: Duration = Duration::from_secs(2);

/// Places for all of them.
static ALL: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(OF_ALL)));

/// Places for those of one guest.
#[derive(Debug)]
pub(crate) struct FileCalls(Arc<Semaphore>);

impl Default for FileCalls {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(OF_A_GUEST)))
    }
}

impl FileCalls {
    /// Makes a call, which is waited for as long as the guest waits, within bounds.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        wait: Wait,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let made = async {
            match timeout(PATIENCE, self.begin(call)).await {
                Ok(done) => done,
                Err(_) => Err(Error::new(
                    ErrorCode::TimedOut,
                    format!("the file system did not answer within {PATIENCE:?}"),
                )),
            }
        };
        wait.at_least(GRACE).bound(made).await
    }

    async fn begin<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        // The semaphores are never closed.
        let none = |_| ErrorCode::Io;
        let own = Arc::clone(&self.0).acquire_owned().await.map_err(none)?;
        let one_of_all = Arc::clone(&ALL).acquire_owned().await.map_err(none)?;
        let pending = aside("files", (own, one_of_all), call)?;
        Ok(pending.await.map_err(|_| ErrorCode::Io)??)
    }
}
