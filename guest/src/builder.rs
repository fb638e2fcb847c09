//! A socket set to work: opened, prepared, bound, connected or listening.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, ToEndpoint};
use crate::error::{ErrorCode, error_code};
use crate::lookup::LookupOptions;
use crate::network::Network;
use crate::poller::{Event, Events, Poller};
use crate::socket::{Family, Socket, SocketType};
use crate::task::{Async, Rivals, timeout};

/// How many connections wait to be accepted, as in `std::net`.
const BACKLOG: u32 = 128;

/// How much of a head start an attempt has: RFC 8305, section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How long the first addresses of both families are waited for where no timeout says
/// so, before all are tried in turn.
const RACE: Duration = Duration::from_secs(10);

/// The shortest wait: none would be not to wait at all.
const SHORTEST: Duration = Duration::from_millis(1);

/// What a new internet socket is to be like before it is bound, connected or
/// listening.
///
/// A name may have addresses of both families. Both are tried, IPv6 first, as
/// `getaddrinfo` would have it; the error is the last one's. A connect does not wait for
/// the first to fail: see [`attempt_delay`](Self::attempt_delay).
///
/// ```no_run
/// use std::time::Duration;
///
/// use portcullis_guest::{SocketBuilder, TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// // Python's create_connection(("example.com", 80), timeout=5, source_address=("10.0.0.2", 0))
/// let socket = SocketBuilder::stream()
///     .in_turn(true)
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
    attempt_delay: Duration,
    in_turn: bool,
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
            attempt_delay: ATTEMPT_DELAY,
            in_turn: false,
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

    /// How long to wait for a connection: for the lookup of a name and all of its
    /// addresses together. [`in_turn`](Self::in_turn), each address has that time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long a connect to a name waits for one family before it begins with the
    /// other as well; the first that answers wins. 250 milliseconds
    /// if it is not said, as RFC 8305 has it.
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = delay;
        self
    }

    /// Whether a name is looked up first and each of its addresses tried when the one
    /// before has failed, with all of the timeout: Python's `create_connection`. False
    /// if it is not said.
    #[must_use]
    pub fn in_turn(mut self, in_turn: bool) -> Self {
        self.in_turn = in_turn;
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
        let (tries, end) = (self.tries(&remote)?, self.end());
        if let (Endpoint::Name { .. }, [_, _, ..], false) = (&remote, &*tries, self.in_turn) {
            return self.race(&tries, end);
        }
        self.connect_each(tries, end, Attempts::default())
    }

    /// Begins with each family after a while, and waits for the first that answers.
    /// Where the first addresses of none do, tries all.
    fn race(&self, tries: &[(Family, Endpoint)], end: Option<Instant>) -> io::Result<Socket> {
        let (mut attempts, mut running) = (Attempts::default(), Vec::new());
        for (family, remote) in tries {
            let attempt = self.open_at_source(*family).and_then(|socket| {
                let usual = socket.timeout();
                match start(&socket, remote, left(end), self.attempt_delay) {
                    Ok(()) => socket.set_timeout(usual),
                    Err(error) if is_going_on(&error) => {
                        running.push((socket, usual));
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                }
                Ok(Some(socket))
            });
            match attempt {
                Ok(Some(socket)) => return Ok(socket),
                Ok(None) => {}
                Err(error) if self.is_final(remote, &error) => return Err(error),
                Err(error) => attempts.failed(error),
            }
        }
        if running.is_empty() {
            return Err(attempts.into_error());
        }
        // Their other addresses need time as well.
        let share = left(end).map_or(RACE, |left| left / 2);
        match first_of(running, share, &mut attempts)? {
            Some(socket) => Ok(socket),
            None => self.connect_each(tries.to_vec(), end, attempts),
        }
    }

    /// Tries one after the other, each with its share of the time.
    fn connect_each(
        &self,
        tries: Vec<(Family, Endpoint)>,
        end: Option<Instant>,
        mut attempts: Attempts,
    ) -> io::Result<Socket> {
        let mut tries = tries.into_iter();
        while let Some((family, remote)) = tries.next() {
            let limit = match (left(end), u32::try_from(tries.len() + 1)) {
                (Some(left), Ok(tries)) => Some((left / tries).max(SHORTEST)),
                (Some(_), Err(_)) => Some(SHORTEST),
                (None, _) => self.timeout,
            };
            let attempt = self.open_at_source(family).and_then(|socket| {
                let usual = socket.timeout();
                socket.set_timeout(limit.or(usual));
                socket.connect(&remote)?;
                socket.set_timeout(usual);
                Ok(socket)
            });
            match attempt {
                Ok(socket) => return Ok(socket),
                Err(error) if self.is_final(&remote, &error) => return Err(error),
                Err(error) => attempts.failed(error),
            }
        }
        Err(attempts.into_error())
    }

    /// Whether the other family of a name can do no better: the host denies a connect
    /// only where no family of the name is granted.
    fn is_final(&self, remote: &Endpoint, error: &io::Error) -> bool {
        let is_whole = matches!(remote, Endpoint::Name { .. }) && self.source.is_none();
        is_whole && error_code(error) == Some(ErrorCode::AccessDenied)
    }

    /// When the timeout of all attempts together ends, if they have one together.
    fn end(&self) -> Option<Instant> {
        let together = self.timeout.filter(|_| !self.in_turn)?;
        Instant::now().checked_add(together)
    }

    /// What to try: a family for all that the host finds of it, or an address.
    fn tries(&self, remote: &Endpoint) -> io::Result<Vec<(Family, Endpoint)>> {
        let source = self.source.as_ref();
        let remotes = match remote {
            Endpoint::Name { host, port } if self.in_turn => {
                let options = LookupOptions::new().socket_type(self.socket_type);
                let found = options.lookup_in(self.network, Some(host), Some(port))?;
                let addresses = found.into_iter().map(|info| info.address);
                addresses.map(Endpoint::Address).collect()
            }
            Endpoint::Address(_) | Endpoint::Name { .. } => vec![remote.clone()],
        };
        let tries = remotes.into_iter().flat_map(|remote| {
            let families: Vec<Family> = families(&[Some(&remote), source]).collect();
            families
                .into_iter()
                .map(move |family| (family, remote.clone()))
        });
        Ok(tries.collect())
    }

    /// The same without holding up the other tasks.
    pub(crate) async fn connect_async(&self, remote: impl ToEndpoint) -> io::Result<Async<Socket>> {
        let remote = remote.to_endpoint()?;
        self.refuse_zero_timeout()?;
        let mut attempts = Attempts::default();
        let (tries, end) = (self.tries(&remote)?, self.end());
        let delay = (!self.in_turn).then_some(self.attempt_delay);
        let mut rivals = Rivals::new(delay);
        let mut tries = tries.iter();
        loop {
            if let Some((family, remote)) = tries.next() {
                rivals.start(self.attempt_async(*family, remote, end));
            }
            match rivals.next(tries.len() > 0).await {
                Some(Ok(socket)) => return Ok(socket),
                Some(Err(error)) if !self.in_turn && self.is_final(&remote, &error) => {
                    return Err(error);
                }
                Some(Err(error)) => attempts.failed(error),
                None if rivals.is_empty() && tries.len() == 0 => return Err(attempts.into_error()),
                None => {}
            }
        }
    }

    async fn attempt_async(
        &self,
        family: Family,
        remote: &Endpoint,
        end: Option<Instant>,
    ) -> io::Result<Async<Socket>> {
        let limit = left(end).or(self.timeout);
        let socket = Async::new(self.open_at_source(family)?)?;
        let connect = socket.connect(|socket| start(socket, remote, limit, SHORTEST));
        match limit {
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
            .field("attempt_delay", &self.attempt_delay)
            .field("in_turn", &self.in_turn)
            .field("source", &self.source)
            .field("backlog", &self.backlog)
            .field("dual_stack", &self.dual_stack)
            .finish_non_exhaustive()
    }
}

/// How much time there is left.
fn left(end: Option<Instant>) -> Option<Duration> {
    end.map(|end| end.saturating_duration_since(Instant::now()))
}

/// Begins to connect, and waits for how it ends with so much patience. A lookup on the
/// way is waited for within the limit. The socket is non-blocking afterwards.
fn start(
    socket: &Socket,
    remote: &Endpoint,
    limit: Option<Duration>,
    patience: Duration,
) -> io::Result<()> {
    if let Endpoint::Address(_) = remote {
        return socket.connect(remote);
    }
    let usual = socket.write_timeout()?;
    socket.set_write_timeout(Some(patience.max(SHORTEST)))?;
    socket.set_timeout(limit.map(|limit| limit.max(SHORTEST)));
    let started = socket.connect(remote);
    socket.set_nonblocking(true);
    socket.set_write_timeout(usual)?;
    started
}

fn is_going_on(error: &io::Error) -> bool {
    error_code(error) == Some(ErrorCode::InProgress)
}

/// The first socket that gets its connection, with the timeout that is usual for it;
/// none where that takes too long, or all fail.
fn first_of(
    mut running: Vec<(Socket, Option<Duration>)>,
    limit: Duration,
    attempts: &mut Attempts,
) -> io::Result<Option<Socket>> {
    let poller = Poller::new()?;
    for (key, (socket, _)) in running.iter().enumerate() {
        poller.add(
            socket,
            Event::writable(u64::try_from(key).unwrap_or(u64::MAX)),
        )?;
    }
    let end = Instant::now().checked_add(limit);
    let mut events = Events::new();
    let mut failed = 0;
    while failed < running.len() {
        if poller.wait(&mut events, left(end))? == 0 {
            break;
        }
        for event in &events {
            let key = usize::try_from(event.key).unwrap_or(usize::MAX);
            let Some((socket, usual)) = running.get(key) else {
                continue;
            };
            match socket.take_error()? {
                None => {
                    socket.set_timeout(*usual);
                    return Ok(Some(running.swap_remove(key).0));
                }
                Some(error) => {
                    poller.delete(socket)?;
                    attempts.failed(error);
                    failed += 1;
                }
            }
        }
    }
    Ok(None)
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
