//! A socket set to work: opened, prepared, bound, connected or listening.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{ErrorCode, error_code};
use crate::network::Network;
use crate::socket::{Family, Socket, SocketType};

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
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(zero_timeout());
        }
        self.for_each_family(&[Some(&remote), self.source.as_ref()], |socket| {
            if let Some(source) = &self.source {
                socket.bind(source)?;
            }
            if self.timeout.is_none() {
                return socket.connect(&remote);
            }
            socket.set_timeout(self.timeout);
            socket.connect(&remote)?;
            socket.set_timeout(None);
            Ok(())
        })
    }

    /// Opens a socket and binds it to `local`. Needs a `listen` or `bind` grant.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without a grant; those of the contract's `bind`.
    pub fn bind(&self, local: impl ToEndpoint) -> io::Result<Socket> {
        let local = local.to_endpoint()?;
        self.for_each_family(&[Some(&local)], |socket| socket.bind(&local))
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
        self.for_each_family(&[Some(&local)], |socket| {
            socket.set_reuse_address(true)?;
            socket.bind(&local)?;
            socket.listen(Some(self.backlog))
        })
    }

    /// Opens a socket of each family that all of `endpoints` may have, prepares
    /// it and lets `start` set it to work, until one does.
    fn for_each_family(
        &self,
        endpoints: &[Option<&Endpoint>],
        start: impl Fn(&Socket) -> io::Result<()>,
    ) -> io::Result<Socket> {
        let mut failure: Option<io::Error> = None;
        for family in [Family::Inet6, Family::Inet] {
            if !endpoints
                .iter()
                .flatten()
                .all(|endpoint| may_be(endpoint, family))
            {
                continue;
            }
            let started = self.open(family).and_then(|socket| {
                start(&socket)?;
                Ok(socket)
            });
            match started {
                Ok(socket) => return Ok(socket),
                Err(error) => match failure {
                    // That one family has no address says less than why the
                    // other did not answer.
                    Some(_) if lacks_family(&error) => {}
                    _ => failure = Some(error),
                },
            }
        }
        Err(failure.unwrap_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "the addresses to connect from and to are of different families",
            )
        }))
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

fn may_be(endpoint: &Endpoint, family: Family) -> bool {
    match endpoint {
        Endpoint::Address(SocketAddr::V4(_)) => family == Family::Inet,
        Endpoint::Address(SocketAddr::V6(_)) => family == Family::Inet6,
        Endpoint::Name { .. } => true,
    }
}

fn lacks_family(error: &io::Error) -> bool {
    matches!(
        error_code(error),
        Some(ErrorCode::NameFamilyNotSupported | ErrorCode::AddressFamilyNotSupported)
    )
}
