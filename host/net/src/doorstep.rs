//! Whether somebody is at a socket's door: who that is nobody asks here, and
//! nobody is let in.

use crate::address::SocketType;
use crate::error::Error;
use crate::limits::Direction;
use crate::ready::Ready;
use crate::socket::Socket;
use crate::wait::Wait;

impl Socket {
    /// Waits until there may be something to accept, or to receive, for whoever then
    /// tries. It may turn out that there is not, or nothing that is let in.
    ///
    /// # Errors
    ///
    /// Where the host cannot wait for it.
    pub async fn wait_for_arrival(&self) -> Result<(), Error> {
        self.wait_for_bandwidth().await?;
        if !self.has_arrived() {
            self.shared.readiness.hint(Ready::READABLE).await?;
        }
        Ok(())
    }

    /// Whether there is something to accept, or to receive, by the kernel's word; the
    /// policy may let in nothing of it. Waits for the bandwidth that it takes, if any.
    ///
    /// # Errors
    ///
    /// Where the kernel does not say.
    pub async fn has_arrival(&self) -> Result<bool, Error> {
        let is_there =
            self.has_arrived() || !self.shared.readiness.now(Ready::READABLE)?.is_nothing();
        if is_there {
            self.wait_for_bandwidth().await?;
        }
        Ok(is_there)
    }

    /// Only datagrams count, and not connections that come.
    async fn wait_for_bandwidth(&self) -> Result<(), Error> {
        match self.shared.kind {
            SocketType::Datagram => self.pace(Direction::Incoming, Wait::Forever).await,
            SocketType::Raw
            | SocketType::ReliableMessage
            | SocketType::Seqpacket
            | SocketType::Stream => Ok(()),
        }
    }
}
