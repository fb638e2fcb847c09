//! Whether somebody is at a socket's door: who that is nobody asks here, and
//! nobody is let in.

use crate::error::Error;
use crate::ready::Ready;
use crate::socket::Socket;

impl Socket {
    /// Waits until there may be something to accept, or to receive, for whoever then
    /// tries. It may turn out that there is not, or nothing that is let in.
    ///
    /// # Errors
    ///
    /// Where the host cannot wait for it.
    pub async fn wait_for_arrival(&self) -> Result<(), Error> {
        if !self.has_arrived() {
            self.shared.readiness.hint(Ready::READABLE).await?;
        }
        Ok(())
    }

    /// Whether there is something to accept, or to receive, by the kernel's word; the
    /// policy may let in nothing of it.
    ///
    /// # Errors
    ///
    /// Where the kernel does not say.
    pub fn has_arrival(&self) -> Result<bool, Error> {
        Ok(self.has_arrived() || !self.shared.readiness.now(Ready::READABLE)?.is_nothing())
    }
}
