//! A socket: its place, its handles, and how it comes by its connections.
//!
//! Every path that reaches the network asks the socket's network for a permit
//! first and hands it to `os`. Moving data is in `transfer`, options in
//! `options`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portcullis_policy::{Accept, Bind, Connect, Host, Listen, Permit, Protocol, Purpose};
use rustix::io::Errno;
use tokio::io::Interest;

use crate::address::{Endpoint, Family, SocketAddress, SocketType};
use crate::error::{Error, ErrorCode};
use crate::network::{Network, Target};
use crate::os;
use crate::readiness::Readiness;
use crate::wait::Wait;

/// How many connections wait to be accepted where the guest does not say:
/// CPython's choice, within what the OS allows.
const DEFAULT_BACKLOG: u32 = 128;

/// A handle on an OS socket that belongs to a [`Network`].
///
/// Operations wait for as long as the handle's timeout says and are cancelled
/// by dropping their future. Dropping the last handle closes the socket.
#[derive(Debug)]
pub struct Socket {
    pub(crate) shared: Arc<Shared>,
    timeout: Option<Duration>,
}

/// What all handles on one socket have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) os: Arc<socket2::Socket>,
    pub(crate) readiness: Readiness,
    pub(crate) family: Family,
    pub(crate) kind: SocketType,
    pub(crate) settings: Mutex<Settings>,
    network: Network,
    place: Mutex<Place>,
}

/// What the guest has set that the OS must not see: its own timers would block
/// the thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    /// `SO_RCVTIMEO`
    pub(crate) receive_timeout: Option<Duration>,
    /// `SO_SNDTIMEO`
    pub(crate) send_timeout: Option<Duration>,
    /// `SO_LINGER`
    pub(crate) linger: Option<Duration>,
}

/// Where a socket is, in the words of the requests that put it there. The
/// policy judges what was asked for: port zero stays zero.
#[derive(Debug, Default)]
struct Place {
    bound: Option<Bind>,
    listening: Option<Listen>,
}

impl Socket {
    pub(crate) fn new(
        os: socket2::Socket,
        family: Family,
        kind: SocketType,
        network: Network,
        settings: Settings,
    ) -> Self {
        let os = Arc::new(os);
        let readiness = Readiness::new(Arc::clone(&os));
        let (settings, place) = (Mutex::new(settings), Mutex::default());
        let shared = Arc::new(Shared {
            os,
            readiness,
            family,
            kind,
            settings,
            network,
            place,
        });
        Self {
            shared,
            timeout: None,
        }
    }

    /// POSIX `bind`.
    ///
    /// # Errors
    ///
    /// See `bind` in `wit/socket.wit`, as for every operation here.
    pub async fn bind(&self, local: &Endpoint) -> Result<(), Error> {
        let Target { name, addresses } = self
            .target(local, |protocol, port| Purpose::Bind { protocol, port })
            .await?;
        let address = self.first_of_family(&addresses)?;
        let mut request = Bind::new(self.protocol(), address);
        if let Some(name) = name {
            request = request.named(name);
        }
        let permit = self.shared.network.check(request)?;
        let mut place = self.shared.place.lock();
        if place.bound.is_some() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        os::bind(&self.shared.os, self.shared.family, &permit)?;
        place.bound = Some(permit.into_request());
        Ok(())
    }

    /// POSIX `listen`.
    pub fn listen(&self, backlog: Option<u32>) -> Result<(), Error> {
        let mut place = self.shared.place.lock();
        let (address, name) = match &place.bound {
            Some(bound) => (bound.address(), bound.name()),
            None => (self.unspecified(0), None),
        };
        let dual_stack = address == self.unspecified(address.port())
            && self.shared.family == Family::Inet6
            && !self.shared.os.only_v6()?;
        let request = |address| {
            let request = Listen::new(self.protocol(), address, dual_stack);
            match name {
                Some(name) => request.named(name.clone()),
                None => request,
            }
        };
        let Shared {
            os,
            readiness,
            family,
            network,
            ..
        } = &*self.shared;
        let permit = network.check(request(address))?;
        let bound = os::bind_to_listen(os, *family, &permit)?;
        if address.port() == 0 {
            // Any port was asked for; the one that came may be a denied one.
            network.check_denies(request(bound))?;
        }
        readiness.forget();
        let backlog = i32::try_from(backlog.unwrap_or(DEFAULT_BACKLOG)).unwrap_or(i32::MAX);
        os::listen(os, backlog, &permit)?;
        place.listening = Some(permit.into_request());
        Ok(())
    }

    /// POSIX `accept`. Peers that the policy does not admit are reset, and the
    /// wait goes on.
    pub async fn accept(&self) -> Result<(Self, SocketAddress), Error> {
        let Some(listening) = self.shared.place.lock().listening.clone() else {
            return Err(ErrorCode::InvalidArgument.into());
        };
        let wait = self.receive_wait(false);
        loop {
            let arrival = self.perform(Interest::READABLE, wait, os::accept).await?;
            let network = &self.shared.network;
            match network.admit(Accept::new(&listening, arrival.peer())) {
                Some(permit) => return Ok(self.connection(arrival, &permit)),
                None => arrival.refuse(),
            }
            wait.go_on()?;
            // A crowd at the gate must not keep the thread from others.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// POSIX `connect`, to an address or to a name.
    pub async fn connect(&self, remote: &Endpoint) -> Result<(), Error> {
        let Target { name, addresses } = self
            .target(remote, |protocol, port| Purpose::Connect { protocol, port })
            .await?;
        let mut permits = Vec::new();
        let mut denial = None;
        for address in addresses {
            let mut request = Connect::new(self.protocol(), address);
            if let Some(name) = &name {
                request = request.named(name.clone());
            }
            match self.shared.network.check_connect(request) {
                Ok(permit) => permits.push((address, permit)),
                Err(refused) => denial = denial.or(Some(refused)),
            }
        }
        if let (true, Some(denial)) = (permits.is_empty(), denial) {
            return Err(self.shared.network.refuse(&denial));
        }
        permits.retain(|(address, _)| self.takes_form(*address));
        let mut candidates = permits.into_iter().peekable();
        let mut last = ErrorCode::NameFamilyNotSupported.into();
        while let Some((_, permit)) = candidates.next() {
            match self.connect_to(&permit).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
            if goes_on(last.code()) {
                break;
            }
            if last.code() == ErrorCode::TimedOut && candidates.peek().is_some() {
                os::abandon_connect(&self.shared.os)?;
            }
        }
        Err(last)
    }

    async fn connect_to(&self, permit: &Permit<Connect>) -> Result<(), Error> {
        let Shared {
            os,
            readiness,
            family,
            ..
        } = &*self.shared;
        readiness.forget();
        match os::connect(os, *family, permit) {
            Ok(()) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error.into()),
        }
        let send_timeout = self.shared.settings.lock().send_timeout;
        let wait = self.wait(
            false,
            send_timeout.map(|time| Wait::from_now(time, ErrorCode::InProgress)),
        );
        if let Wait::Never = wait {
            return Err(ErrorCode::InProgress.into());
        }
        wait.bound(readiness.wait(Interest::WRITABLE)).await?;
        match os.take_error()? {
            None => Ok(()),
            Some(error) => {
                // Else Linux would answer the next attempt with this one's end.
                os::abandon_connect(os)?;
                Err(error.into())
            }
        }
    }

    /// POSIX `shutdown`: of receiving, of sending, or of both.
    pub fn shutdown(&self, how: std::net::Shutdown) -> Result<(), Error> {
        self.shared.readiness.forget();
        Ok(self.shared.os.shutdown(how)?)
    }

    /// POSIX `getsockname`.
    pub fn local_address(&self) -> Result<SocketAddress, Error> {
        inet(self.shared.os.local_addr()?)
    }

    /// POSIX `getpeername`.
    pub fn remote_address(&self) -> Result<SocketAddress, Error> {
        inet(self.shared.os.peer_addr()?)
    }

    /// `SO_ERROR`: the error that waits to be reported, which is thereby taken.
    pub fn take_error(&self) -> Result<Option<Error>, Error> {
        Ok(self.shared.os.take_error()?.map(Error::from))
    }

    /// POSIX `dup`: another handle on the same socket.
    pub fn duplicate(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            timeout: self.timeout,
        }
    }

    /// How long operations on this handle wait: none for ever, zero not at all.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Sets how long operations on this handle wait.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Waits until an operation of this interest would not block, or the socket
    /// has failed. Where it cannot be waited for, that is for the next
    /// operation to say.
    pub async fn ready(&self, interest: Interest) {
        let _ = self.shared.readiness.wait(interest).await;
    }

    pub(crate) fn receive_wait(&self, dont_wait: bool) -> Wait {
        let os_timeout = self.shared.settings.lock().receive_timeout;
        self.wait(
            dont_wait,
            os_timeout.map(|time| Wait::from_now(time, ErrorCode::WouldBlock)),
        )
    }

    pub(crate) fn send_wait(&self, dont_wait: bool) -> Wait {
        let os_timeout = self.shared.settings.lock().send_timeout;
        self.wait(
            dont_wait,
            os_timeout.map(|time| Wait::from_now(time, ErrorCode::WouldBlock)),
        )
    }

    fn wait(&self, dont_wait: bool, os_timeout: Option<Wait>) -> Wait {
        let handle = match self.timeout {
            _ if dont_wait => Wait::Never,
            None => Wait::Forever,
            Some(Duration::ZERO) => Wait::Never,
            Some(time) => Wait::from_now(time, ErrorCode::TimedOut),
        };
        handle.min(os_timeout.unwrap_or(Wait::Forever))
    }

    /// Calls `call` now, and again whenever the socket is ready, until it no
    /// longer asks to wait or the patience ends.
    pub(crate) async fn perform<T>(
        &self,
        interest: Interest,
        wait: Wait,
        mut call: impl FnMut(&socket2::Socket) -> io::Result<T>,
    ) -> Result<T, Error> {
        loop {
            match call(&self.shared.os) {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return wait
                        .bound(self.shared.readiness.retry(interest, call))
                        .await;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn connection(&self, arrival: os::Arrival, permit: &Permit<Accept>) -> (Self, SocketAddress) {
        let Shared {
            family,
            kind,
            network,
            settings,
            ..
        } = &*self.shared;
        let (os, peer) = arrival.admit(permit);
        let connection = Self::new(os, *family, *kind, network.clone(), *settings.lock());
        (connection, SocketAddress::Inet(peer))
    }

    async fn target(
        &self,
        endpoint: &Endpoint,
        purpose: impl FnOnce(Protocol, u16) -> Purpose,
    ) -> Result<Target, Error> {
        let protocol = self.protocol();
        match endpoint {
            Endpoint::Address(SocketAddress::Inet(address)) if self.takes_form(*address) => {
                Ok(Target {
                    name: None,
                    addresses: vec![*address],
                })
            }
            Endpoint::Address(_) => Err(ErrorCode::AddressFamilyNotSupported.into()),
            Endpoint::Name { host, port } => {
                let port = crate::service::port(port, protocol)?;
                if host.is_empty() {
                    return Ok(Target {
                        name: None,
                        addresses: vec![self.unspecified(port)],
                    });
                }
                let host = Host::parse(host)?;
                let found = self
                    .shared
                    .network
                    .locate(host, port, purpose(protocol, port));
                self.wait(false, None).at_least_once().bound(found).await
            }
        }
    }

    fn first_of_family(&self, addresses: &[SocketAddr]) -> Result<SocketAddr, Error> {
        let found = addresses
            .iter()
            .copied()
            .find(|address| self.takes_form(*address));
        found.ok_or_else(|| ErrorCode::NameFamilyNotSupported.into())
    }

    /// Whether an address, as a guest writes it, goes with the family.
    fn takes_form(&self, address: SocketAddr) -> bool {
        match self.shared.family {
            Family::Inet => address.is_ipv4(),
            Family::Inet6 => address.is_ipv6(),
            Family::Unix => false,
        }
    }

    fn unspecified(&self, port: u16) -> SocketAddr {
        match self.shared.family {
            Family::Inet6 => (std::net::Ipv6Addr::UNSPECIFIED, port).into(),
            Family::Inet | Family::Unix => (std::net::Ipv4Addr::UNSPECIFIED, port).into(),
        }
    }

    fn protocol(&self) -> Protocol {
        match self.shared.kind {
            SocketType::Datagram => Protocol::Udp,
            SocketType::Raw
            | SocketType::ReliableMessage
            | SocketType::Seqpacket
            | SocketType::Stream => Protocol::Tcp,
        }
    }
}

/// Whether a failed connect leaves the socket busy with an address, so that no
/// other can be tried.
fn goes_on(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AlreadyInProgress | ErrorCode::InProgress | ErrorCode::IsConnected
    )
}

fn inet(address: socket2::SockAddr) -> Result<SocketAddress, Error> {
    match address.as_socket() {
        Some(address) => Ok(SocketAddress::Inet(address)),
        None => Err(ErrorCode::AddressFamilyNotSupported.into()),
    }
}
