//! How a connection finds out that its peer is gone.

use std::io;
use std::time::Duration;

use super::Socket;

/// When and how often to probe a silent peer. What is not said is left as it is.
///
/// ```no_run
/// use std::time::Duration;
///
/// use portcullis_guest::{TcpKeepalive, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let stream = TcpStream::connect("db.internal:5432")?;
/// let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_retries(3);
/// stream.as_socket().set_tcp_keepalive(&keepalive)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct TcpKeepalive {
    time: Option<Duration>,
    interval: Option<Duration>,
    retries: Option<u32>,
}

impl TcpKeepalive {
    /// Everything as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Silence before the first probe (`TCP_KEEPIDLE`); whole seconds.
    #[must_use]
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Time between probes (`TCP_KEEPINTVL`); whole seconds.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Probes until the connection counts as lost (`TCP_KEEPCNT`).
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }
}

impl Socket {
    /// Turns probing on, with these measures.
    ///
    /// # Errors
    ///
    /// Those of the contract's `set-option`.
    pub fn set_tcp_keepalive(&self, keepalive: &TcpKeepalive) -> io::Result<()> {
        self.set_keepalive(true)?;
        if let Some(time) = keepalive.time {
            self.set_tcp_keepalive_time(time)?;
        }
        if let Some(interval) = keepalive.interval {
            self.set_tcp_keepalive_interval(interval)?;
        }
        if let Some(retries) = keepalive.retries {
            self.set_tcp_keepalive_retries(retries)?;
        }
        Ok(())
    }
}
