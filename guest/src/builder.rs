//! A socket set to work: opened, prepared, bound, connected or listening.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{ErrorCode, error_code};
use crate::network::Network;
use crate::socket::{Family, Socket, SocketType};
use crate::task::{Async, timeout};

/// How many connections wait to be accepted, as in `std::net`.
const BACKLOG: u32 = 128;

/// What a new internet socket is to be like before it is bound, connected or
/// listening.
///
/// A name may have addresses of both families. Both are tried, IPv6 first, as
/// `getaddrinfo` would have it; the error is the last one's.
///
/// ```no_run
/// use std::time::Duration;
///
/// use portcullis_guest::{SocketBuilder, TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// // Python's create_connection(("example.com", 80), timeout=5, source_address=("10.0.0.2", 0))
/// let socket = SocketBuilder::stream()
///     .timeout(Duration::from_secs(5))
///     .source("10.0.0.2:0")?
///     .connect("example.com:80")?;
/// let stream = TcpStream::from(socket);
///
/// // Python's create_server(("", 80), backlog=16, reuse_port=True, dualstack_ipv6=True)
/// let socket = SocketBuilder::stream()
///     .backlog(16)
///     .dual_stack(true)
///     .configure(|socket| socket.set_reuse_port(true))
///     .listen("[::]:80")?;
/// let listener = TcpListener::from(socket);
/// # Ok(())
/// # }
/// ```
pub struct SocketBuilder<'a> {
    socket_type: SocketType,
    network: Option<&'a Network>,
    configure: Option<Box<Configure<'a>>>,
    timeout: Option<Duration>,
    source: Option<Endpoint>,
    backlog: u32,
    dual_stack: Option<bool>,
}

type Configure<'a> = dyn Fn(&Socket) -> io::Result<()> + 'a;

impl<'a> SocketBuilder<'a> {
    /// A stream socket: TCP.
    pub fn stream() -> Self {
        Self::new(SocketType::Stream)
    }

    /// A datagram socket: UDP.
    pub fn datagram() -> Self {
        Self::new(SocketType::Datagram)
    }

    fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            network: None,
            configure: None,
            timeout: None,
            source: None,
            backlog: BACKLOG,
            dual_stack: None,
        }
    }

    /// The network to open it in, rather than the default one.
    #[must_use]
    pub fn network(mut self, network: &'a Network) -> Self {
        self.network = Some(network);
        self
    }

    /// What to do with each socket once it is open: to set its options.
    #[must_use]
    pub fn configure(mut self, configure: impl Fn(&Socket) -> io::Result<()> + 'a) -> Self {
        self.configure = Some(Box::new(configure));
        self
    }

    /// How long to wait for a connection with each address.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The address to connect from. Needs a `bind` grant.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for text that is not a host and a port.
    pub fn source(mut self, source: impl ToEndpoint) -> io::Result<Self> {
        self.source = Some(source.to_endpoint()?);
        Ok(self)
    }

    /// How many connections may wait to be accepted: 128 if it is not said.
    #[must_use]
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Whether an IPv6 socket serves IPv4 as well (not `IPV6_V6ONLY`): true if it
    /// is not said.
    #[must_use]
    pub fn dual_stack(mut self, dual_stack: bool) -> Self {
        self.dual_stack = Some(dual_stack);
        self
    }

    /// Opens a socket and connects it to `remote`. Needs a `connect` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant, `InvalidInput` for a timeout of zero,
    /// `TimedOut`; those of the contract's `bind` and `connect`.
    pub fn connect(&self, remote: impl ToEndpoint) -> io::Result<Socket> {
        let remote = remote.to_endpoint()?;
        self.refuse_zero_timeout()?;
        let mut attempts = Attempts::default();
        for family in families(&[Some(&remote), self.source.as_ref()]) {
            let attempt = self.open_at_source(family).and_then(|socket| {
                let usual = socket.timeout();
                socket.set_timeout(self.timeout.or(usual));
                socket.connect(&remote)?;
                socket.set_timeout(usual);
                Ok(socket)
            });
            match attempt {
                Ok(socket) => return Ok(socket),
                Err(error) => attempts.failed(error),
            }
        }
        Err(attempts.into_error())
    }

    /// The same without holding up the other tasks.
    pub(crate) async fn connect_async(&self, remote: impl ToEndpoint) -> io::Result<Async<Socket>> {
        let remote = remote.to_endpoint()?;
        self.refuse_zero_timeout()?;
        let mut attempts = Attempts::default();
        for family in families(&[Some(&remote), self.source.as_ref()]) {
            match self.attempt_async(family, &remote).await {
                Ok(socket) => return Ok(socket),
                Err(error) => attempts.failed(error),
            }
        }
        Err(attempts.into_error())
    }

    async fn attempt_async(&self, family: Family, remote: &Endpoint) -> io::Result<Async<Socket>> {
        let socket = Async::new(self.open_at_source(family)?)?;
        let connect = socket.connect(|socket| socket.connect(remote));
        match self.timeout {
            Some(limit) => timeout(limit, connect).await??,
            None => connect.await?,
        }
        Ok(socket)
    }

    /// Opens a socket and binds it to `local`. Needs a `listen` or `bind` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `bind`.
    pub fn bind(&self, local: impl ToEndpoint) -> io::Result<Socket> {
        let local = local.to_endpoint()?;
        self.first_of_families(&local, |socket| socket.bind(&local))
    }

    /// Opens a socket, binds it to `local` and listens. Needs a `listen` grant.
    ///
    /// The address can be bound to although it was in use just now, as with
    /// `std::net` (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `bind` and
    /// `listen`.
    pub fn listen(&self, local: impl ToEndpoint) -> io::Result<Socket> {
        let local = local.to_endpoint()?;
        self.first_of_families(&local, |socket| {
            socket.set_reuse_address(true)?;
            socket.bind(&local)?;
            socket.listen(Some(self.backlog))
        })
    }

    /// Opens a socket of each family that `local` may have and lets `start` set it
    /// to work, until one does.
    fn first_of_families(
        &self,
        local: &Endpoint,
        start: impl Fn(&Socket) -> io::Result<()>,
    ) -> io::Result<Socket> {
        let mut attempts = Attempts::default();
        for family in families(&[Some(local)]) {
            let attempt = self.open(family).and_then(|socket| {
                start(&socket)?;
                Ok(socket)
            });
            match attempt {
                Ok(socket) => return Ok(socket),
                Err(error) => attempts.failed(error),
            }
        }
        Err(attempts.into_error())
    }

    fn open_at_source(&self, family: Family) -> io::Result<Socket> {
        let socket = self.open(family)?;
        if let Some(source) = &self.source {
            socket.bind(source)?;
        }
        Ok(socket)
    }

    fn refuse_zero_timeout(&self) -> io::Result<()> {
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(zero_timeout());
        }
        Ok(())
    }

    fn open(&self, family: Family) -> io::Result<Socket> {
        let socket = match self.network {
            Some(network) => network.open(family, self.socket_type)?,
            None => Socket::new(family, self.socket_type)?,
        };
        if let (Family::Inet6, Some(dual_stack)) = (family, self.dual_stack) {
            socket.set_only_v6(!dual_stack)?;
        }
        if let Some(configure) = &self.configure {
            configure(&socket)?;
        }
        Ok(socket)
    }
}

impl fmt::Debug for SocketBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketBuilder")
            .field("socket_type", &self.socket_type)
            .field("timeout", &self.timeout)
            .field("source", &self.source)
            .field("backlog", &self.backlog)
            .field("dual_stack", &self.dual_stack)
            .finish_non_exhaustive()
    }
}

/// As `std::net`, which refuses a timeout of zero.
pub(crate) fn zero_timeout() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "a timeout of zero would not wait at all",
    )
}

/// The families that all of these may have, in the order to try them.
fn families(endpoints: &[Option<&Endpoint>]) -> impl Iterator<Item = Family> {
    [Family::Inet6, Family::Inet].into_iter().filter(|family| {
        let mut endpoints = endpoints.iter().flatten();
        endpoints.all(|endpoint| may_be(endpoint, *family))
    })
}

fn may_be(endpoint: &Endpoint, family: Family) -> bool {
    match endpoint {
        Endpoint::Address(SocketAddr::V4(_)) => family == Family::Inet,
        Endpoint::Address(SocketAddr::V6(_)) => family == Family::Inet6,
        Endpoint::Name { .. } => true,
    }
}

/// Why no family would do.
#[derive(Default)]
struct Attempts {
    failure: Option<io::Error>,
}

impl Attempts {
    fn failed(&mut self, error: io::Error) {
        // That one family has no address says less than why the other did not
        // answer.
        if self.failure.is_none() || !lacks_family(&error) {
            self.failure = Some(error);
        }
    }

    fn into_error(self) -> io::Error {
        self.failure.unwrap_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "the addresses to connect from and to are of different families",
            )
        })
    }
}

fn lacks_family(error: &io::Error) -> bool {
    matches!(
        error_code(error),
        Some(ErrorCode::NameFamilyNotSupported | ErrorCode::AddressFamilyNotSupported)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::from_host;
    use crate::raw::types;

    #[test]
    fn a_name_may_be_of_either_family_and_an_address_of_its_own() {
        check(&["example.com:80"], &[Family::Inet6, Family::Inet]);
        check(&["127.0.0.1:80"], &[Family::Inet]);
        check(&["[::1]:80"], &[Family::Inet6]);
    }

    #[test]
    fn what_to_connect_from_and_to_are_of_one_family() {
        check(&["example.com:80", "10.0.0.2:0"], &[Family::Inet]);
        check(&["[::1]:80", "10.0.0.2:0"], &[]);
    }

    #[track_caller]
    fn check(endpoints: &[&str], expected: &[Family]) {
        let endpoints: Vec<Endpoint> = endpoints
            .iter()
            .map(|text| text.to_endpoint().unwrap())
            .collect();
        let endpoints: Vec<Option<&Endpoint>> = endpoints.iter().map(Some).collect();
        assert_eq!(families(&endpoints).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_error_is_the_last_one_that_says_anything() {
        let error = |code| {
            from_host(types::Error {
                code,
                message: String::new(),
            })
        };
        let mut attempts = Attempts::default();
        attempts.failed(error(ErrorCode::NameFamilyNotSupported));
        attempts.failed(error(ErrorCode::ConnectionRefused));
        attempts.failed(error(ErrorCode::TimedOut));
        attempts.failed(error(ErrorCode::NameFamilyNotSupported));
        assert_eq!(
            error_code(&attempts.into_error()),
            Some(ErrorCode::TimedOut)
        );
    }
}
