//! The capability: a policy, and what it takes to act within it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use portcullis_policy::{
    Attenuation, Connect, Denial, Host, Limits, Lookup, Name, Permit, Policy, Purpose,
};
use tokio::time::timeout;
use tracing::{debug, error};

use crate::address::{Family, SocketType};
use crate::ask::Ask;
use crate::audit::{Audit, AuditFailure, Event, LookedUp, Opened, Silent};
use crate::dns::DnsResolver;
use crate::error::{Error, ErrorCode};
use crate::guest::Guest;
use crate::limits::socket_files::SocketFiles;
use crate::limits::{Budget, Limit, Memory, Usage, descriptors, weight};
use crate::narrowing::{self, Extent, Narrowing};
use crate::os;
use crate::record::{Record, is_denied, objection};
use crate::resolver::{Answer, Families, LONGEST, Pending, Resolver};
use crate::reverse::NAMELESS;
use crate::socket::{Settings, Shared, Socket};

/// The authority to use the network, within a policy.
///
/// Cheap to clone; clones are the same capability. A socket keeps the network
/// that it was opened from and asks it at every step.
#[derive(Clone)]
pub struct Network {
    policy: Policy,
    /// By what its unix sockets write to others, where that is not the policy.
    policy_to_write: Option<Policy>,
    /// What holds beside those of the policy.
    limits: Limits,
    /// Whether it is for sockets at which others are let in for guests of their own,
    /// who have limits of their own.
    is_of_listeners: bool,
    /// How many bytes a guest may take of the host's memory.
    memory: usize,
    resolver: Arc<dyn Resolver>,
    audit: Arc<dyn Audit>,
    ask: Option<Arc<dyn Ask>>,
    guest: Arc<Guest>,
    budget: Arc<Budget>,
    /// What its guests leave in file systems, one after the other.
    socket_files: Arc<SocketFiles>,
    /// What it costs, where it is narrowed.
    narrowing: Option<Arc<Narrowing>>,
}

/// How many addresses of a name count. A name server that lists more means no
/// good.
const ADDRESSES: usize = 64;

/// How much memory a lookup may take while it lasts: the longest answer of the DNS.
const ANSWER: usize = 64 * 1024;

/// Where an endpoint is: its addresses, and the name they were found by.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: Option<Name>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// The policy by which it was found, and by which what follows is judged.
    pub(crate) policy: Policy,
}

impl Network {
    /// A network within `policy`, with the machine's own name servers and no
    /// audit.
    pub fn new(policy: Policy) -> Self {
        Self {
            budget: Arc::new(Budget::new(policy.limits())),
            policy,
            policy_to_write: None,
            limits: Limits::default(),
            is_of_listeners: false,
            memory: Memory::UNLESS_SET,
            resolver: Arc::<DnsResolver>::default(),
            audit: Arc::new(Silent),
            ask: None,
            guest: Arc::new(Guest::new(Memory::UNLESS_SET)),
            socket_files: Arc::default(),
            narrowing: None,
        }
    }

    /// The same within another policy. Where that has other limits, what was
    /// counted before does not count.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self.policy_to_write = None;
        self.with_budget()
    }

    /// The network for a unix datagram socket that is opened for `policy` alone. It hears
    /// by `policy`, and answers by the policy that this network has now.
    pub(crate) fn with_policy_to_listen(self, policy: Policy) -> Self {
        let policy_to_write = Some(self.policy.clone());
        Self {
            policy_to_write,
            ..self.with_policy(policy)
        }
    }

    /// The same within limits beside those of its policy: of each the tighter holds.
    /// What was counted before does not count where that changes anything.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.with_budget()
    }

    fn with_budget(mut self) -> Self {
        let limits = self.limits();
        if limits != *self.budget.limits() {
            self.budget = Arc::new(Budget::new(limits));
        }
        self
    }

    /// How much may be used here: the limits of the policy, and those beside it.
    fn limits(&self) -> Limits {
        let limits = self.policy.limits().and(self.limits);
        match self.is_of_listeners {
            true => limits.of_connections(),
            false => limits,
        }
    }

    /// The same with another source of addresses for names.
    #[must_use]
    pub fn with_resolver(self, resolver: impl Resolver + 'static) -> Self {
        Self {
            resolver: Arc::new(resolver),
            ..self
        }
    }

    /// The same with somebody who hears of decisions, and of what came of them.
    #[must_use]
    pub fn with_audit(self, audit: impl Audit + 'static) -> Self {
        Self {
            audit: Arc::new(audit),
            ..self
        }
    }

    /// The same with somebody who is asked before the guest is denied what it
    /// was not granted. Only a [growing](Policy::growing) policy takes what they
    /// grant.
    #[must_use]
    pub fn with_ask(self, ask: impl Ask + 'static) -> Self {
        Self {
            ask: Some(Arc::new(ask)),
            ..self
        }
    }

    /// A network that allows what this one allows and one of `grants` does as
    /// well.
    ///
    /// # Errors
    ///
    /// See `attenuate` in `wit/network.wit`.
    pub fn attenuate(&self, grants: &[impl AsRef<str>]) -> Result<Self, Error> {
        let before = self.narrowing.as_ref();
        let extent = before.map_or_else(Extent::default, |before| before.extent());
        let extent = extent.and(grants).ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidArgument,
                format!(
                    "a network is narrowed by at most {} grants of {} bytes in all, and {} \
                     times in a row",
                    narrowing::GRANTS,
                    narrowing::LENGTH,
                    narrowing::DEPTH
                ),
            )
        })?;
        let narrower = Attenuation::parse(grants).map_err(|error| {
            let first = error.diagnostics().first().map(ToString::to_string);
            let message = first.unwrap_or_default();
            Error::new(ErrorCode::InvalidArgument, message)
        })?;
        let memory = size_of::<Self>() + narrower.footprint(&self.policy);
        let memory = self.memory().take(memory);
        let memory = memory.map_err(|limit| self.record(None).exceeded(limit))?;
        Ok(Self {
            narrowing: Some(Narrowing::new(extent, memory, before)),
            ..self.clone().with_policy(self.policy.attenuated(narrower))
        })
    }

    /// The same for another guest, which has looked nothing up and used nothing
    /// yet.
    #[must_use]
    pub fn for_another_guest(self) -> Self {
        Self {
            guest: Arc::new(Guest::new(self.memory)),
            budget: Arc::new(Budget::new(self.limits())),
            ..self
        }
    }

    /// The network for another guest, for which the host keeps so many bytes of memory at
    /// the most: of networks that it narrows, names that it looked up, sockets and what
    /// they remember, pollers and what they watch, and what waits. The embedder may add
    /// what else the guest takes ([`Network::memory`]). [`Memory::UNLESS_SET`] unless
    /// set.
    #[must_use]
    pub fn with_memory(self, bytes: usize) -> Self {
        Self {
            memory: bytes,
            ..self
        }
        .for_another_guest()
    }

    /// How much memory the guest takes of the host.
    pub fn memory(&self) -> &Memory {
        &self.guest.memory
    }

    /// The same for the host's own listeners, at which it lets others in for guests
    /// that are none of this network's. Of the limits, those on connections hold for
    /// all who are let in together; the rest is each guest's own.
    #[must_use]
    pub fn for_listeners(self) -> Self {
        Self {
            is_of_listeners: true,
            // Those who come are counted, and are no guest's.
            memory: usize::MAX,
            ..self
        }
        .for_another_guest()
    }

    /// The same, which goes on counting where another network has got to, if they
    /// have the same limits.
    #[must_use]
    pub fn counting_on(self, other: &Self) -> Self {
        match self.limits() == other.limits() {
            true => Self {
                budget: Arc::clone(&other.budget),
                ..self
            },
            false => self,
        }
    }

    /// Fails where so many bytes are more than the guest may receive: for what the host
    /// hands it through no socket of its own.
    ///
    /// # Errors
    ///
    /// `limit-exceeded`, by `bytes-received`.
    pub fn may_be_handed(&self, bytes: u64) -> Result<(), Error> {
        let limit = self.limits().bytes_received;
        within(limit, bytes, Limit::BytesReceived)
    }

    /// Whether a guest may send the datagrams that it hands back, which have these lengths.
    ///
    /// # Errors
    ///
    /// `limit-exceeded`, by `bytes-sent`.
    pub fn may_hand_back(&self, lengths: impl Iterator<Item = usize>) -> Result<(), Error> {
        let bytes = lengths.map(|length| weight(length) as u64).sum();
        within(self.limits().bytes_sent, bytes, Limit::BytesSent)
    }

    /// Who is asked for grants.
    pub(crate) fn asked(&self) -> Option<&dyn Ask> {
        self.ask.as_deref()
    }

    /// Where names are looked up.
    pub(crate) fn resolver(&self) -> &dyn Resolver {
        &*self.resolver
    }

    /// What is allowed here.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// By what its unix sockets connect to others, and write to them.
    pub(crate) fn policy_to_write(&self) -> &Policy {
        self.policy_to_write.as_ref().unwrap_or(&self.policy)
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(crate) fn socket_files(&self) -> &Arc<SocketFiles> {
        &self.socket_files
    }

    pub(crate) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// Opens a socket, which as yet reaches nothing and needs no permit.
    ///
    /// # Errors
    ///
    /// See `open` in `wit/network.wit`.
    pub fn open(&self, family: Family, kind: SocketType, protocol: u16) -> Result<Socket, Error> {
        let (kind, protocol) = served(family, kind, protocol)?;
        let usage = self.usage()?;
        let os = os::open(family, kind, protocol)?;
        self.adopt(os, family, kind, usage)
    }

    /// Opens two sockets that are connected with each other, which takes no
    /// permit either.
    ///
    /// # Errors
    ///
    /// See `pair` in `wit/network.wit`.
    pub fn pair(
        &self,
        family: Family,
        kind: SocketType,
        protocol: u16,
    ) -> Result<(Socket, Socket), Error> {
        let (kind, protocol) = served(family, kind, protocol)?;
        let usages = (self.usage()?, self.usage()?);
        let (one, other) = os::pair(family, kind, protocol)?;
        Ok((
            self.adopt(one, family, kind, usages.0)?,
            self.adopt(other, family, kind, usages.1)?,
        ))
    }

    /// Room for one more socket.
    pub(crate) fn usage(&self) -> Result<Usage, Error> {
        let room = self.budget.socket();
        let room = room.and_then(|room| Ok((room, self.memory().take(Shared::FOOTPRINT)?)));
        let (room, memory) = room.map_err(|limit| self.record(None).exceeded(limit))?;
        Ok(Usage::new(room, memory))
    }

    /// Has a socket of the OS as one of this network's, which as yet is nowhere.
    pub(crate) fn adopt(
        &self,
        os: socket2::Socket,
        family: Family,
        kind: SocketType,
        usage: Usage,
    ) -> Result<Socket, Error> {
        descriptors::check(&os).map_err(|limit| self.record(None).exceeded(limit))?;
        isolate(&os, family, kind)?;
        let settings = Settings::default();
        let socket = Socket::new(os, family, kind, self.clone(), settings, usage);
        self.tell(Event::Opened(Opened {
            socket: socket.shared.account.socket,
            family,
            kind,
        }))?;
        Ok(socket)
    }

    /// Tells the audit of an event. Where it cannot be recorded, nothing may come
    /// of it, nor of anything after it.
    pub(crate) fn tell(&self, event: Event<'_>) -> Result<(), Error> {
        self.must_be_audited()?;
        let told = self.audit.record(event);
        Ok(told.map_err(|error| {
            error!(%error, "the audit failed, and ends the guest");
            self.guest.fail(error.into())
        })?)
    }

    /// Asks whether all that the guest did so far is recorded.
    pub(crate) fn must_be_audited(&self) -> Result<(), Error> {
        match self.guest.audit_failure() {
            None => Ok(()),
            Some(failure) => Err(failure.clone().into()),
        }
    }

    /// Why the guest is to end: what it did could not be recorded. To be asked
    /// once more when the guest is gone, and its sockets with it.
    pub fn audit_failure(&self) -> Option<&AuditFailure> {
        self.guest.audit_failure()
    }

    /// Finds the addresses of a host for a purpose of a socket.
    pub(crate) async fn locate(
        &self,
        socket: Option<u64>,
        host: Host,
        port: u16,
        purpose: Purpose,
        families: Families,
    ) -> Result<Target, Error> {
        match host {
            Host::Address(ip) => Ok(Target {
                name: None,
                addresses: vec![(ip, port).into()],
                policy: self.policy.clone(),
            }),
            Host::Name(name) => {
                let (answer, policy) = self.look_up(socket, &name, purpose, families).await?;
                let addresses = answer.addresses.into_iter().map(|ip| (ip, port).into());
                Ok(Target {
                    addresses: addresses.collect(),
                    name: Some(name),
                    policy,
                })
            }
        }
    }

    /// Looks a name up for addresses of these families, for a socket or for none,
    /// and remembers where it led.
    pub(crate) async fn look_up(
        &self,
        socket: Option<u64>,
        name: &Name,
        purpose: Purpose,
        families: Families,
    ) -> Result<(Answer, Policy), Error> {
        let record = self.record(socket);
        let request = Lookup::new(name.clone(), purpose);
        let is_own = self.is_own(name);
        let verdict = self.policy.check(request.clone());
        let is_silent = objection(&verdict).is_some_and(|denial| !denial.is_explicit());
        let judged = match verdict {
            // What the policy itself has told is no secret, and nobody is asked.
            Ok(_) | Err(_) if is_own && is_silent => None,
            Ok(permit) => Some((permit, self.policy.clone())),
            Err(denial) => Some(
                self.second_opinion(&self.policy, &request, denial)
                    .and_then(|policy| Ok((policy.check(request.clone())?, policy)))
                    .map_err(|denial| record.refuse(&denial))?,
            ),
        };
        let (permit, policy) = judged.unzip();
        if let Some(permit) = &permit {
            record.allow(permit)?;
        }
        let found = match (self.policy.hosts(name), permit) {
            _ if name.is_localhost() => Ok(Answer::forever(loopback())),
            (Some(addresses), _) => Ok(Answer::forever(addresses.to_vec())),
            (None, Some(permit)) => {
                // Whether the machine's own name has any address is to be seen.
                let asked = if is_own { Families::Both } else { families };
                let found = self.within_limits(record, || self.resolver.look_up(permit, asked));
                found.await.map_err(|error| of_family(error, asked))
            }
            (None, None) => Err(ErrorCode::NameNotFound.into()),
        };
        let mut found = match found {
            Err(error) if is_own && NAMELESS.contains(&error.code()) => {
                Ok(Answer::forever(loopback()))
            }
            found => found,
        };
        if let Ok(answer) = &mut found {
            answer.truncate(ADDRESSES);
        }
        self.tell(Event::LookedUp(LookedUp {
            socket,
            name,
            purpose,
            outcome: found.as_ref(),
        }))?;
        let addresses = found.as_ref().map_or(0, |answer| answer.addresses.len());
        debug!(socket, %name, addresses, "looked up");
        let answer = found?;
        for alias in &answer.chain {
            // The guest did not ask for the alias, and does not hear of it.
            record.check_denies_as(&request, Lookup::new(alias.clone(), purpose))?;
        }
        if !name.is_localhost() {
            let pinned = self.guest.pins.add(name, &answer);
            pinned.map_err(|limit| record.exceeded(limit))?;
        }
        Ok((answer, policy.unwrap_or_else(|| self.policy.clone())))
    }

    /// Asks the resolver, as often and for as long as may be.
    pub(crate) async fn within_limits<'a, T>(
        &'a self,
        record: Record<'_>,
        lookup: impl FnOnce() -> Pending<'a, T>,
    ) -> Result<T, Error> {
        let begun = self.budget.begin_lookup();
        let begun = begun.and_then(|()| self.memory().take(ANSWER));
        let _memory = begun.map_err(|limit| record.exceeded(limit))?;
        match timeout(LONGEST, lookup()).await {
            Ok(found) => found,
            Err(_) => Err(ErrorCode::NameTemporaryFailure.into()),
        }
    }

    /// Whether a name is that of the machine, as the policy tells it.
    fn is_own(&self, name: &Name) -> bool {
        Name::parse(self.policy.host_name()).is_ok_and(|own| own == *name)
    }

    /// Asks for a permit to connect. What the guest wrote as a number may be
    /// what a name led to before; then it is judged by that name as well: its
    /// grants allow it, and its denies refuse it, as those of the names that it
    /// is an alias of do.
    pub(crate) fn check_connect(
        &self,
        policy: &Policy,
        request: Connect,
    ) -> Result<Permit<Connect>, Denial> {
        let mut verdict = policy.check(request.clone());
        if request.name().is_none() {
            let now = Instant::now();
            let mut is_lent = false;
            for pin in self.guest.pins.of(request.address().ip()) {
                let named = policy.check(request.clone().named(pin.name.clone()));
                if is_denied(&named) {
                    return named;
                }
                for alias in pin.chain.iter() {
                    let request = request.clone().named(alias.clone());
                    if !policy.has_deny_of(&request) {
                        continue;
                    }
                    let aliased = policy.check(request);
                    if is_denied(&aliased) {
                        return aliased;
                    }
                }
                // Of a policy that is shadowed, it is the name that is learnt.
                if pin.lends(now) && objection(&verdict).is_some() && named.is_ok() {
                    verdict = named;
                    is_lent = true;
                }
            }
            let is_silent = objection(&verdict).is_some_and(|denial| !denial.is_explicit());
            if is_silent
                && !is_lent
                && let Some(name) = self.guest.pins.former(request.address().ip(), now)
            {
                // It allows nothing, and the operator hears why.
                verdict = policy.check(request.formerly(name));
            }
        }
        verdict
    }
}

/// A name without addresses of the one family that was asked for may have some of
/// the other.
fn of_family(error: Error, asked: Families) -> Error {
    match (error.code(), asked) {
        (ErrorCode::NameNoData, Families::Inet | Families::Inet6) => {
            ErrorCode::NameFamilyNotSupported.into()
        }
        (_, Families::Both | Families::Inet | Families::Inet6) => error,
    }
}

fn within(limit: Option<u64>, bytes: u64, reached: fn(u64) -> Limit) -> Result<(), Error> {
    match limit {
        Some(limit) if bytes > limit => Err(reached(limit).error()),
        Some(_) | None => Ok(()),
    }
}

/// The type and protocol to ask the OS for, where they are served: what the
/// policy has words for.
fn served(family: Family, kind: SocketType, protocol: u16) -> Result<(SocketType, u16), ErrorCode> {
    match (family, kind, protocol) {
        // What else there is of streams and datagrams (MPTCP, SCTP, ICMP)
        // reaches addresses that the policy was not asked about.
        (Family::Inet | Family::Inet6, SocketType::Stream, 0 | 6) => Ok((kind, 6)),
        (Family::Inet | Family::Inet6, SocketType::Datagram, 0 | 17) => Ok((kind, 17)),
        // Linux serves datagrams to those who ask for raw unix sockets.
        (Family::Unix, SocketType::Raw, 0 | UNIX) => Ok((SocketType::Datagram, 0)),
        (
            Family::Unix,
            SocketType::Datagram | SocketType::Seqpacket | SocketType::Stream,
            0 | UNIX,
        ) => Ok((kind, 0)),
        (Family::Inet | Family::Inet6, SocketType::Stream | SocketType::Datagram, _) => {
            Err(ErrorCode::ProtocolNotSupported)
        }
        // Raw sockets see and forge what belongs to others.
        (Family::Inet | Family::Inet6, SocketType::Raw, _) => Err(ErrorCode::PermissionRequired),
        (Family::Inet | Family::Inet6, SocketType::ReliableMessage | SocketType::Seqpacket, _)
        | (Family::Unix, SocketType::ReliableMessage, 0 | UNIX) => {
            Err(ErrorCode::SocketTypeNotSupported)
        }
        (Family::Unix, _, _) => Err(ErrorCode::ProtocolNotSupported),
    }
}

/// `PF_UNIX` as a protocol, which stands for the usual one.
const UNIX: u16 = 1;

/// Keeps away what came for others: datagrams for groups that this socket has not
/// joined (`IP_MULTICAST_ALL`), and descriptors, which a guest cannot take.
fn isolate(socket: &socket2::Socket, family: Family, kind: SocketType) -> Result<(), Error> {
    match (family, kind) {
        (Family::Inet, SocketType::Datagram) => Ok(socket.set_multicast_all_v4(false)?),
        (Family::Inet6, SocketType::Datagram) => {
            socket.set_multicast_all_v4(false)?;
            Ok(socket.set_multicast_all_v6(false)?)
        }
        (Family::Inet | Family::Inet6, _) => Ok(()),
        (Family::Unix, _) => Ok(os::unix::refuse_descriptors(socket)?),
    }
}

fn loopback() -> Vec<IpAddr> {
    vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
