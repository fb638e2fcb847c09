//! How internet sockets come by their addresses and connections.
//!
//! Every path asks the socket's network for a permit first and hands it to
//! `os::inet`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portcullis_policy::{
    Accept, Bind, Broadcast, Connect, Denial, Host, Join, Listen, Lookup, Permit, Policy, Protocol,
    Purpose,
};
use rustix::io::Errno;
use tokio::io::Interest;

use crate::address::{Endpoint, Family, SocketAddress, SocketType};
use crate::begun::Begun;
use crate::correspondents::{Correspondents, Sharers};
use crate::datagram::Course;
use crate::error::{Error, ErrorCode};
use crate::network::{Network, Target};
use crate::os::inet as os;
use crate::ready::Ready;
use crate::resolver::Families;
use crate::socket::Socket;
use crate::wait::Wait;

/// Where a socket is, in the words of the requests that put it there. The
/// policy judges what was asked for: port zero stays zero.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) bound: Option<Bind>,
    /// What lets it accept, or receive from whoever writes.
    pub(crate) listening: Option<Listen>,
    /// To whom a datagram socket is connected.
    pub(crate) peer: Option<Connect>,
    pub(crate) correspondents: Correspondents<SocketAddr>,
    /// A datagram of which the rest is to come.
    pub(crate) begun: Option<Begun>,
    /// Whether sending was shut down.
    pub(crate) sends_no_more: bool,
    /// The groups that it joined before it had an address, and by which interface.
    pub(crate) joined: Vec<(IpAddr, u32)>,
    /// By what the last datagram went out that is on record.
    pub(crate) sent_by: Option<Course>,
    /// By what the last one came in.
    pub(crate) received_by: Option<Course>,
}

impl Place {
    /// Nowhere as yet.
    pub(crate) fn new(sharers: Sharers) -> Self {
        Self {
            bound: None,
            listening: None,
            peer: None,
            correspondents: Correspondents::new(sharers),
            begun: None,
            sends_no_more: false,
            joined: Vec::new(),
            sent_by: None,
            received_by: None,
        }
    }
}

impl Socket {
    pub(crate) async fn bind_inet(&self, local: &Endpoint) -> Result<(), Error> {
        let Target {
            name,
            addresses,
            policy,
        } = self
            .target(local, |protocol, port| Purpose::Bind { protocol, port })
            .await?;
        let address = self.first_of_family(&addresses)?;
        let mut request = Bind::new(self.protocol(), address);
        if let Some(name) = &name {
            request = request.named(name.clone());
        }
        let listening = self.listen_request(address, name)?;
        if listening.is_dual_stack() {
            request = request.dual_stack();
        }
        let record = self.record();
        let judged = self.judge_address(&policy, request, listening.clone());
        let (permit, hears) = judged.map_err(|denial| record.refuse(&denial))?;
        let shared = match self.is_to_share() {
            true => Some(record.check(listening)?),
            false => None,
        };
        let mut place = self.shared.inet.lock();
        if place.bound.is_some() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        // Groups that were joined at no port are heard at this one from now on.
        for (group, _) in &place.joined {
            let _ = record.check(Join::new(*group, address.port()))?;
        }
        record.allow(&permit)?;
        self.bind_shared(shared.as_ref(), || {
            os::bind(&self.shared.os, self.shared.family, &permit)
        })?;
        let request = permit.into_request();
        if let (Some(listening), 0) = (&hears, address.port()) {
            let came = os::local_address(&self.shared.os)?;
            let chosen = self.listen_request(came, listening.name().cloned())?;
            // Any port was asked for; the one that came may be a denied one.
            record.check_denies(chosen)?;
        }
        place.bound = Some(request);
        place.listening = hears;
        Ok(())
    }

    /// Whether the socket may have an address, and what lets it hear datagrams there.
    fn judge_address(
        &self,
        policy: &Policy,
        request: Bind,
        listening: Listen,
    ) -> Result<(Permit<Bind>, Option<Listen>), Denial> {
        let network = &self.shared.network;
        let granted = match half_heard(policy, &listening) {
            Some(denial) => Some(network.second_opinion(policy, &listening, denial)?),
            None => None,
        };
        let policy = granted.as_ref().unwrap_or(policy);
        let verdict = policy.check(request.clone());
        let hears = match self.protocol() {
            Protocol::Tcp => None,
            Protocol::Udp => Some(listening),
        };
        match (
            verdict,
            hears.map(|hears| (policy.check(hears.clone()), hears)),
        ) {
            (Ok(permit), None) => Ok((permit, None)),
            // A grant to listen is one to bind.
            (Ok(permit), Some((Ok(listening), _))) => Ok((permit, Some(listening.into_request()))),
            // It can still have an address, and hear from whom it may write to.
            (Ok(permit), Some((Err(_), _))) => Ok((permit, None)),
            (Err(denial), None | Some((Ok(_), _))) => {
                let policy = network.second_opinion(policy, &request, denial)?;
                Ok((policy.check(request)?, None))
            }
            // Listening would not help.
            (Err(denial), Some((Err(_), _))) if denial.is_explicit() => Err(denial),
            (Err(_), Some((Err(denial), hears))) => {
                let policy = network.second_opinion(policy, &hears, denial)?;
                let listening = policy.check(hears)?.into_request();
                Ok((policy.check(request)?, Some(listening)))
            }
        }
    }

    pub(crate) fn listen_inet(&self, backlog: i32) -> Result<(), Error> {
        // A mistake, which no grant would mend.
        if self.remote_address().is_ok() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let mut place = self.shared.inet.lock();
        let (address, name) = match &place.bound {
            Some(bound) => (bound.address(), bound.name().cloned()),
            None => (self.unspecified(0), None),
        };
        let request = |address| self.listen_request(address, name.clone());
        let (socket, record) = (&self.shared.os, self.record());
        let permit = record.check(request(address)?)?;
        let bound = self.bind_shared(Some(&permit), || {
            os::bind_to_listen(socket, self.shared.family, &permit)
        })?;
        if address.port() == 0 {
            // Any port was asked for; the one that came may be a denied one.
            record.check_denies(request(bound)?)?;
        }
        self.shared.readiness.forget();
        os::listen(socket, backlog, &permit)?;
        place.listening = Some(permit.into_request());
        Ok(())
    }

    pub(crate) async fn connect_inet(&self, remote: &Endpoint) -> Result<(), Error> {
        // One timeout for all of it: the lookup, and whichever addresses come of it.
        let wait = self.wait(false, None);
        let target = self.target_within(remote, to_connect, wait).await?;
        let network = &self.shared.network;
        let policy = target.policy.clone();
        let requests: Vec<_> = self.requests(target).collect();
        let permitted = |policy: &Policy| candidates(network, policy, &requests);
        let mut permits = match permitted(&policy) {
            Ok(permits) => permits,
            // A guest tries both families. What is granted of the other one is no denial.
            Err(_) if self.goes_by_other_family(&requests, wait).await => {
                return Err(ErrorCode::NameFamilyNotSupported.into());
            }
            Err((request, denial)) => network
                .second_opinion(&policy, &request, denial)
                .and_then(|policy| permitted(&policy).map_err(|(_, denial)| denial))
                .map_err(|denial| self.record().refuse_as(&request, &denial))?,
        };
        // What only passes because the policy is shadowed is for want of better.
        if permits
            .iter()
            .any(|(_, permit)| permit.shadowed().is_none())
        {
            permits.retain(|(_, permit)| permit.shadowed().is_none());
        }
        permits.retain(|(address, _)| self.takes_form(*address));
        let send_timeout = self.shared.settings.lock().send_timeout;
        let patience = send_timeout.map(|time| Wait::from_now(time, ErrorCode::InProgress));
        let mut candidates = permits.into_iter();
        let mut last = ErrorCode::NameFamilyNotSupported.into();
        while let Some((_, permit)) = candidates.next() {
            // None may use up what the others need.
            let share = wait.share(candidates.len() + 1);
            let wait = share.min(patience.unwrap_or(Wait::Forever));
            match self.connect_to(&permit, wait).await {
                Ok(()) => {
                    if self.shared.kind == SocketType::Datagram {
                        let mut place = self.shared.inet.lock();
                        place.correspondents.address(permit.request().address());
                        place.peer = Some(permit.into_request());
                    }
                    return Ok(());
                }
                Err(error) => last = error,
            }
            self.forget_connection();
            if is_last(last.code()) {
                break;
            }
            if last.code() == ErrorCode::TimedOut && candidates.len() > 0 {
                os::abandon_connect(&self.shared.os)?;
            }
        }
        Err(last)
    }

    /// Whether a socket of the other family may connect to what a name leads to, where
    /// only this family was looked up.
    async fn goes_by_other_family(&self, requests: &[(SocketAddr, Connect)], wait: Wait) -> bool {
        let named = requests
            .first()
            .and_then(|(address, request)| Some((address.port(), request.name()?)));
        let Some((port, name)) = named else {
            return false;
        };
        let (network, policy) = (&self.shared.network, self.shared.network.policy());
        let purpose = to_connect(self.protocol(), port);
        let mut addresses = requests.iter().map(|(address, _)| *address);
        let is_known = addresses.any(|address| !self.takes_form(address));
        // The operator who let it be looked up (`--ask`) is not asked twice.
        let may_look = policy.check(Lookup::new(name.clone(), purpose)).is_ok();
        if is_known || !may_look {
            return false;
        }
        let host = Host::Name(name.clone());
        let found = network.locate(self.number(), host, port, purpose, Families::Both);
        let target = wait.at_least_once().bound(found).await;
        target.is_ok_and(|target| {
            self.requests(target).any(|(address, request)| {
                !self.takes_form(address) && network.check_connect(policy, request).is_ok()
            })
        })
    }

    async fn connect_to(&self, permit: &Permit<Connect>, wait: Wait) -> Result<(), Error> {
        self.record().allow(permit)?;
        let (socket, readiness) = (&self.shared.os, &self.shared.readiness);
        if self.shared.kind != SocketType::Datagram {
            self.begin_connection()?;
        }
        readiness.forget();
        match os::connect(socket, self.shared.family, permit) {
            Ok(()) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error.into()),
        }
        if let Wait::Never = wait {
            return Err(ErrorCode::InProgress.into());
        }
        self.tell_wait(Interest::WRITABLE);
        wait.bound(readiness.wait(Ready::WRITABLE)).await?;
        // Linux tells how it ended to who asks again, and to nobody twice: else
        // the next connect would be answered with this one's end.
        let connected = os::connect(socket, self.shared.family, permit);
        self.shared.check_ended()?;
        Ok(connected?)
    }

    /// Joins a multicast group on an interface, by its index; zero is the one
    /// that the OS chooses.
    ///
    /// # Errors
    ///
    /// See `join-group` in `wit/socket.wit`.
    pub fn join_group(&self, group: IpAddr, interface: u32) -> Result<(), Error> {
        self.must_be_inet()?;
        if !group.is_multicast() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let mut place = self.shared.inet.lock();
        let port = (place.bound.as_ref()).map(|bound| bound.address().port());
        let permit = self.record().check(Join::new(group, port.unwrap_or(0)))?;
        os::join(&self.shared.os, interface, &permit)?;
        if port.is_none() {
            place.joined.push((group, interface));
        }
        Ok(())
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    ///
    /// See `leave-group` in `wit/socket.wit`.
    pub fn leave_group(&self, group: IpAddr, interface: u32) -> Result<(), Error> {
        self.must_be_inet()?;
        os::leave(&self.shared.os, group, interface)?;
        let joined = &mut self.shared.inet.lock().joined;
        joined.retain(|place| *place != (group, interface));
        Ok(())
    }

    /// `SO_BROADCAST`. Sending to broadcast addresses widens reach, so turning
    /// it on takes a grant.
    ///
    /// # Errors
    ///
    /// See `set-option` in `wit/socket.wit`.
    pub fn set_broadcast(&self, on: bool) -> Result<(), Error> {
        if !on {
            return Ok(self.shared.os.set_broadcast(false)?);
        }
        let permit = self.record().check(Broadcast::new())?;
        Ok(os::allow_broadcast(&self.shared.os, &permit)?)
    }

    fn must_be_inet(&self) -> Result<(), Error> {
        match self.shared.family {
            Family::Inet | Family::Inet6 => Ok(()),
            Family::Unix => Err(ErrorCode::NotSupported.into()),
        }
    }

    /// The request to let in a peer, or a datagram of theirs. A socket that was
    /// not put where it is by a grant to listen is judged by where it is.
    pub(crate) fn accept_request(&self, peer: SocketAddr) -> Result<Accept, Error> {
        let listening = self.shared.inet.lock().listening.clone();
        let listening = match listening {
            Some(listening) => listening,
            None => self.listen_request(os::local_address(&self.shared.os)?, None)?,
        };
        Ok(Accept::new(&listening, peer))
    }

    /// Takes the place where the OS socket listens by another's doing, if the
    /// network lets it listen there.
    pub(crate) fn listen_beside_inet(&self, bound: Bind, listening: Listen) -> Result<(), Error> {
        let record = self.record();
        let permit = record.check(listening)?;
        if permit.request().address().port() == 0 {
            // Any port was asked for; the one that came may be a denied one.
            let came = os::local_address(&self.shared.os)?;
            record.check_denies(self.listen_request(came, permit.request().name().cloned())?)?;
        }
        let mut place = self.shared.inet.lock();
        place.bound = Some(bound);
        place.listening = Some(permit.into_request());
        Ok(())
    }

    pub(crate) fn listen_request(
        &self,
        address: SocketAddr,
        name: Option<portcullis_policy::Name>,
    ) -> Result<Listen, Error> {
        let dual_stack = address == self.unspecified(address.port())
            && self.shared.family == Family::Inet6
            && !self.shared.os.only_v6()?;
        let request = Listen::new(self.protocol(), address, dual_stack);
        Ok(match name {
            Some(name) => request.named(name),
            None => request,
        })
    }

    /// One request for each address of a target, with the address as it was
    /// written.
    pub(crate) fn requests(
        &self,
        target: Target,
    ) -> impl Iterator<Item = (SocketAddr, Connect)> + use<> {
        let (protocol, name) = (self.protocol(), target.name);
        target.addresses.into_iter().map(move |address| {
            let request = Connect::new(protocol, address);
            match &name {
                Some(name) => (address, request.named(name.clone())),
                None => (address, request),
            }
        })
    }

    /// Where an endpoint is, which may have to be looked up.
    pub(crate) async fn target(
        &self,
        endpoint: &Endpoint,
        purpose: impl FnOnce(Protocol, u16) -> Purpose,
    ) -> Result<Target, Error> {
        let wait = self.wait(false, None);
        self.target_within(endpoint, purpose, wait).await
    }

    /// Finds where an endpoint is, within the patience of the call that asks.
    async fn target_within(
        &self,
        endpoint: &Endpoint,
        purpose: impl FnOnce(Protocol, u16) -> Purpose,
        wait: Wait,
    ) -> Result<Target, Error> {
        let protocol = self.protocol();
        match endpoint {
            Endpoint::Address(SocketAddress::Inet(address)) if self.takes_form(*address) => {
                Ok(Target {
                    name: None,
                    addresses: vec![*address],
                    policy: self.shared.network.policy().clone(),
                })
            }
            Endpoint::Address(_) => Err(ErrorCode::AddressFamilyNotSupported.into()),
            Endpoint::Name { host, port } => {
                let port = crate::service::port(port, protocol)?;
                if host.is_empty() {
                    return Ok(Target {
                        name: None,
                        addresses: vec![self.unspecified(port)],
                        policy: self.shared.network.policy().clone(),
                    });
                }
                let host = Host::parse(host)?;
                let purpose = purpose(protocol, port);
                let network = &self.shared.network;
                let families = Families::of(Some(self.shared.family));
                let found = network.locate(self.number(), host, port, purpose, families);
                wait.at_least_once().bound(found).await
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
    pub(crate) fn takes_form(&self, address: SocketAddr) -> bool {
        match self.shared.family {
            Family::Inet => address.is_ipv4(),
            Family::Inet6 => address.is_ipv6(),
            Family::Unix => false,
        }
    }

    pub(crate) fn unspecified(&self, port: u16) -> SocketAddr {
        match self.shared.family {
            Family::Inet6 => (Ipv6Addr::UNSPECIFIED, port).into(),
            Family::Inet | Family::Unix => (Ipv4Addr::UNSPECIFIED, port).into(),
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

/// Why a socket of both families would hear one of them only, if it would: nothing
/// would tell who listens of what is missing.
fn half_heard(policy: &Policy, listening: &Listen) -> Option<Denial> {
    if !listening.is_dual_stack() {
        return None;
    }
    let denial = policy.check(listening.clone()).err()?;
    let mut six = Listen::new(listening.protocol(), listening.address(), false);
    if let Some(name) = listening.name() {
        six = six.named(name.clone());
    }
    policy.check(six).is_ok().then_some(denial)
}

/// What a name is looked up for.
fn to_connect(protocol: Protocol, port: u16) -> Purpose {
    Purpose::Connect { protocol, port }
}

/// An address as it was written, and the permit to connect to it.
type Candidate = (SocketAddr, Permit<Connect>);

/// The permits for those of the requests that are allowed. Where none is, the
/// first with its denial.
fn candidates(
    network: &Network,
    policy: &Policy,
    requests: &[(SocketAddr, Connect)],
) -> Result<Vec<Candidate>, (Connect, Denial)> {
    let (mut permits, mut refused) = (Vec::new(), None);
    for (address, request) in requests {
        match network.check_connect(policy, request.clone()) {
            Ok(permit) => permits.push((*address, permit)),
            Err(denial) => refused = refused.or(Some((request.clone(), denial))),
        }
    }
    match refused {
        Some(refused) if permits.is_empty() => Err(refused),
        Some(_) | None => Ok(permits),
    }
}

/// Whether no other address can be tried after a failed connect: the socket is busy
/// with this one, or the guest may make no more connections.
fn is_last(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AlreadyInProgress
            | ErrorCode::InProgress
            | ErrorCode::IsConnected
            | ErrorCode::LimitExceeded
    )
}
