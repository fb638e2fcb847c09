//! How unix sockets come by their names and connections, and whom their
//! datagrams reach.
//!
//! A name is judged as it was asked for, before anybody looks at the file system; on
//! each link, before anybody looks where that leads; and as it is without links.
//!
//! Threads that serve no connection look at the file system (`file_calls`).

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use portcullis_policy::{
    BindUnix, ConnectUnix, Denial, ListenUnix, Permit, Policy, Request, UnixKind, UnixName,
};

use crate::address::{Endpoint, SocketAddress, SocketType, UnixAddress};
use crate::correspondents::{Correspondents, Sharers};
use crate::error::{Error, ErrorCode};
use crate::file_calls::FileCalls;
use crate::limits::Direction;
use crate::os::unix::{self as os, Found, Goal, Located};
use crate::record::objection;
use crate::socket::Socket;
use crate::transfer::SendOptions;
use crate::wait::{Retries, Wait, take_turn};

/// How many links lead on: as many as the kernel follows.
const LINKS: usize = 40;

/// Where a socket is, in the words of the requests that put it there.
#[derive(Debug)]
pub(crate) struct Place {
    bound: Option<Bound>,
    /// What lets it accept, or receive from whoever writes.
    pub(crate) listening: Option<ListenUnix>,
    correspondents: Correspondents<UnixName>,
    /// To whom the last datagram went that is on record.
    sent_to: Option<UnixName>,
    /// Who wrote the last one that came in because they may be written to.
    received_from: Option<UnixName>,
    /// Whether it is on record that datagrams come in from whoever writes.
    is_hearing: bool,
}

impl Place {
    /// Nowhere as yet.
    pub(crate) fn new(sharers: Sharers) -> Self {
        Self {
            bound: None,
            listening: None,
            correspondents: Correspondents::new(sharers),
            sent_to: None,
            received_from: None,
            is_hearing: false,
        }
    }

    /// Where it listens, if it does.
    pub(crate) fn listening_at(&self) -> Option<Bound> {
        self.listening.as_ref().and(self.bound.clone())
    }

    /// The name that the socket was given, where the kernel may know it by
    /// another.
    pub(crate) fn name(&self) -> Option<SocketAddress> {
        let path = self.bound.as_ref()?.asked.as_path()?;
        Some(SocketAddress::Unix(UnixAddress::Path(path.to_vec())))
    }
}

/// A name as it was asked for, and as it was without links on the way.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    asked: UnixName,
    real: UnixName,
}

impl Bound {
    /// Where a socket is that others have given this name.
    pub(crate) fn at(name: &UnixName) -> Result<Self, Error> {
        let mut way = name.clone();
        for _ in 0..=LINKS {
            match Located::along(&way, Goal::Folder)? {
                Found::Link(next) => way = next,
                Found::End(located) => {
                    return Ok(Self {
                        asked: name.clone(),
                        real: located.name().clone(),
                    });
                }
            }
        }
        Err(ErrorCode::TooManyLinks.into())
    }
}

/// No name, as yet.
impl Default for Bound {
    fn default() -> Self {
        Self {
            asked: UnixName::unnamed(),
            real: UnixName::unnamed(),
        }
    }
}

/// The permits for a name: as it was asked for, on each link that leads on, and as it
/// is without links.
#[derive(Debug)]
struct Way<R> {
    asked: Permit<R>,
    links: Vec<Permit<R>>,
    real: Permit<R>,
}

impl<R: Request> Way<R> {
    fn permits(&self) -> impl Iterator<Item = &Permit<R>> {
        let links = std::iter::once(&self.asked).chain(&self.links);
        links.chain(std::iter::once(&self.real))
    }
}

/// A name that a socket has while the OS gives it to it, and keeps only if it does.
struct Claim<'a>(Option<&'a Mutex<Place>>);

impl<'a> Claim<'a> {
    fn stake(
        place: &'a Mutex<Place>,
        bound: Bound,
        listening: Option<ListenUnix>,
    ) -> Result<Self, Error> {
        let mut held = place.lock();
        if held.bound.is_some() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        held.bound = Some(bound);
        held.listening = listening;
        Ok(Self(Some(place)))
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            let mut place = place.lock();
            place.bound = None;
            place.listening = None;
        }
    }
}

impl Socket {
    pub(crate) async fn bind_unix(&self, local: &Endpoint) -> Result<(), Error> {
        let asked = match unix_address(local)? {
            UnixAddress::Unnamed => UnixName::unnamed(),
            address @ (UnixAddress::Abstract(_) | UnixAddress::Path(_)) => name(address)?,
        };
        let (record, wait) = (self.record(), self.wait(false, None));
        let judged = self.judge_bind(self.shared.network.policy(), &asked);
        let (permit, hears, mut policy) = judged.map_err(|denial| record.refuse(&denial))?;
        let mut links = Vec::new();
        let judge = |name: &UnixName| {
            let judged = self.judge_bind(&policy, name);
            let judged = judged.map_err(|denial| record.refuse_as(permit.request(), &denial));
            let (link, _, grown) = judged?;
            links.push(link);
            policy = grown;
            Ok(())
        };
        let located = self.locate(&asked, Goal::Folder, wait, judge).await?;
        let judged = self.judge_bind(&policy, located.name());
        let (real, really_hears, _) =
            judged.map_err(|denial| record.refuse_as(permit.request(), &denial))?;
        let is_datagram = self.unix_kind() == UnixKind::Datagram;
        let listening = hears.filter(|_| is_datagram && really_hears.is_some());
        let real_name = located.name().clone();
        let bound = Bound {
            asked,
            real: real_name,
        };
        let claim = Claim::stake(&self.shared.unix, bound, listening)?;
        let way = Way {
            asked: permit,
            links,
            real,
        };
        record.allow_all(way.permits())?;
        let os = Arc::clone(&self.shared.os);
        let files = Arc::clone(self.shared.network.socket_files());
        let bind = move |located: &Located| {
            let bind = || os::bind(&os, &way.asked, &way.real, located);
            match located.name().as_path() {
                Some(path) => files.make(path, bind),
                None => bind().map(Ok),
            }
        };
        let bound = self.call_at(Arc::new(located), wait, bind).await?;
        bound.map_err(|limit| record.exceeded(limit))?;
        claim.keep();
        Ok(())
    }

    /// Finds where a name leads, link by link. Where a link leads is judged before
    /// anybody looks there.
    async fn locate(
        &self,
        name: &UnixName,
        goal: Goal,
        wait: Wait,
        mut judge: impl FnMut(&UnixName) -> Result<(), Error>,
    ) -> Result<Located, Error> {
        let mut name = name.clone();
        for _ in 0..=LINKS {
            take_turn().await;
            let way = name.clone();
            let find = move || Located::along(&way, goal);
            let found = match name.as_path() {
                Some(_) => self.file_calls().make(wait, find).await?,
                None => find()?,
            };
            match found {
                Found::End(located) => return Ok(located),
                Found::Link(next) => {
                    judge(&next)?;
                    name = next;
                }
            }
        }
        Ok(Located::lost(name))
    }

    /// Makes a call of the OS that finds its way to a place.
    async fn call_at<T: Send + 'static>(
        &self,
        located: Arc<Located>,
        wait: Wait,
        call: impl FnOnce(&Located) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        match located.is_in_files() {
            true => self.file_calls().make(wait, move || call(&located)).await,
            false => Ok(call(&located)?),
        }
    }

    fn file_calls(&self) -> &FileCalls {
        &self.shared.network.guest().file_calls
    }

    /// Whether the socket may have a name, and what lets it listen there.
    fn judge_bind(
        &self,
        policy: &Policy,
        name: &UnixName,
    ) -> Result<(Permit<BindUnix>, Option<ListenUnix>, Policy), Denial> {
        let (kind, network) = (self.unix_kind(), &self.shared.network);
        let bind = BindUnix::new(kind, name.clone());
        let listen = ListenUnix::new(kind, name.clone());
        let policy = match (policy.check(bind.clone()), policy.check(listen.clone())) {
            (Ok(_), _) => policy.clone(),
            // Listening would not help.
            (Err(denial), Err(_)) if denial.is_explicit() => return Err(denial),
            // A datagram socket that is bound is there to listen.
            (Err(_), Err(denial)) if kind == UnixKind::Datagram => {
                network.second_opinion(policy, &listen, denial)?
            }
            (Err(denial), _) => network.second_opinion(policy, &bind, denial)?,
        };
        let listening = policy.check(listen).ok().map(Permit::into_request);
        Ok((policy.check(bind)?, listening, policy))
    }

    pub(crate) fn listen_unix(&self, backlog: i32) -> Result<(), Error> {
        let mut place = self.shared.unix.lock();
        let Some(Bound { asked, real }) = place.bound.clone() else {
            return Err(ErrorCode::InvalidArgument.into());
        };
        let (kind, record) = (self.unix_kind(), self.record());
        let network = &self.shared.network;
        let permit = network.judge(ListenUnix::new(kind, asked));
        let (permit, policy) = permit.map_err(|denial| record.refuse(&denial))?;
        let real = network.judge_by(&policy, ListenUnix::new(kind, real));
        let (real, _) = real.map_err(|denial| record.refuse_as(permit.request(), &denial))?;
        record.allow_all([&permit, &real])?;
        self.shared.readiness.forget();
        os::listen(&self.shared.os, backlog, &permit, &real)?;
        place.listening = Some(permit.into_request());
        Ok(())
    }

    /// Takes the place where the OS socket listens by another's doing, if the
    /// network lets it listen there.
    pub(crate) fn listen_beside_unix(&self, bound: Bound) -> Result<(), Error> {
        let Bound { asked, real } = bound;
        let (kind, record) = (self.unix_kind(), self.record());
        let permit = record.check(ListenUnix::new(kind, asked.clone()))?;
        let _ = record.check(ListenUnix::new(kind, real.clone()))?;
        let mut place = self.shared.unix.lock();
        place.bound = Some(Bound { asked, real });
        place.listening = Some(permit.into_request());
        Ok(())
    }

    pub(crate) async fn connect_unix(&self, remote: &Endpoint) -> Result<(), Error> {
        let wait = self.send_wait(false);
        let (way, located) = self.locate_unix(remote, wait).await?;
        self.record().allow_all(way.permits())?;
        self.shared.readiness.forget();
        if self.unix_kind() == UnixKind::Stream {
            self.begin_connection()?;
        }
        let connected = self.connect_unix_at(Arc::new(way), located, wait).await;
        if connected.is_err() {
            self.forget_connection();
        }
        connected
    }

    /// Connects, as soon as there is room in the listener's queue.
    async fn connect_unix_at(
        &self,
        way: Arc<Way<ConnectUnix>>,
        located: Arc<Located>,
        wait: Wait,
    ) -> Result<(), Error> {
        let mut retries = Retries::new(wait);
        loop {
            self.must_go_on().await?;
            let (way, os) = (Arc::clone(&way), Arc::clone(&self.shared.os));
            let connect = move |located: &Located| os::connect(&os, &way.real, located);
            match self.call_at(Arc::clone(&located), wait, connect).await {
                Err(error) => retries.pause(error).await?,
                connected => return connected,
            }
        }
    }

    /// Finds what an endpoint leads to, and asks whether it may be connected to:
    /// by the name that was asked for, on each link, and by the real one. That it may
    /// is not on record yet.
    async fn locate_unix(
        &self,
        remote: &Endpoint,
        wait: Wait,
    ) -> Result<(Way<ConnectUnix>, Arc<Located>), Error> {
        let (kind, record) = (self.unix_kind(), self.record());
        let network = &self.shared.network;
        let asked = ConnectUnix::new(kind, name(unix_address(remote)?)?);
        let asked = network.judge_by(network.policy_to_write(), asked);
        let (asked, mut policy) = asked.map_err(|denial| record.refuse(&denial))?;
        let mut links = Vec::new();
        let mut judge = |name: &UnixName| {
            let judged = network.judge_by(&policy, ConnectUnix::new(kind, name.clone()));
            let judged = judged.map_err(|denial| record.refuse_as(asked.request(), &denial));
            let (link, grown) = judged?;
            links.push(link);
            policy = grown;
            Ok(())
        };
        let name = asked.request().name();
        let located = self.locate(name, Goal::Socket, wait, &mut judge).await?;
        judge(located.name())?;
        let real = links.pop().ok_or(ErrorCode::Unknown)?;
        let way = Way { asked, links, real };
        Ok((way, Arc::new(located)))
    }

    pub(crate) async fn send_unix_datagram_to(
        &self,
        data: &[u8],
        options: SendOptions,
        destination: &Endpoint,
    ) -> Result<usize, Error> {
        let (flags, wait) = (options.flags(), self.send_wait(options.dont_wait));
        let (way, located) = self.locate_unix(destination, wait).await?;
        self.allow_sending(&way)?;
        let to = way.real.request().name().clone();
        self.shared.unix.lock().correspondents.address(to);
        let (way, data): (_, Arc<[u8]>) = (Arc::new(way), data.into());
        let mut retries = Retries::new(wait);
        loop {
            self.must_go_on().await?;
            self.pace(Direction::Outgoing, wait).await?;
            let (way, data, os) = (
                Arc::clone(&way),
                Arc::clone(&data),
                Arc::clone(&self.shared.os),
            );
            let length = data.len();
            let send = move |at: &Located| os::send_to(&os, &data, flags, &way.real, at);
            let send = self.call_at(Arc::clone(&located), wait, send);
            match self.move_message_by(length, send).await {
                Err(error) => retries.pause(error).await?,
                sent => {
                    self.shared.account.sent.add_datagram(length);
                    return sent;
                }
            }
        }
    }

    /// Puts on record that datagrams go to somebody, where the last one went to
    /// somebody else.
    fn allow_sending(&self, way: &Way<ConnectUnix>) -> Result<(), Error> {
        let tell = || self.record().allow_all(way.permits());
        let name = way.asked.request().name();
        self.unless_again(|place| &mut place.sent_to, name, tell)
    }

    /// Has it told of somebody, where the last datagram that way was not theirs.
    fn unless_again(
        &self,
        last: impl Fn(&mut Place) -> &mut Option<UnixName>,
        who: &UnixName,
        tell: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        if last(&mut self.shared.unix.lock()).as_ref() != Some(who) {
            tell()?;
            *last(&mut self.shared.unix.lock()) = Some(who.clone());
        }
        Ok(())
    }

    /// Whether a datagram may come in from there: from the peer, or from whom
    /// the socket listens to or may write to.
    pub(crate) fn lets_unix_in(&self, source: &UnixAddress) -> Result<bool, Error> {
        // The kernel lets nobody else write to a socket that is connected, but
        // keeps what came before.
        if matches!(self.remote_address(), Ok(SocketAddress::Unix(peer)) if peer == *source) {
            return Ok(true);
        }
        let source = name(source).ok();
        let here = {
            let place = self.shared.unix.lock();
            let may_answer = |source| place.correspondents.may_answer(source);
            if place.is_hearing || source.as_ref().is_some_and(may_answer) {
                return Ok(true);
            }
            place.bound.clone().unwrap_or_default()
        };
        let (kind, policy) = (self.unix_kind(), self.shared.network.policy());
        let connect = source.map(|source| policy.check(ConnectUnix::new(kind, source)));
        let judge = |name| policy.check(ListenUnix::new(kind, name));
        let (asked, real) = (judge(here.asked), judge(here.real));
        let against = objection(&asked).or(objection(&real)).cloned();
        let passage = against.as_ref().map(|denial| match &connect {
            // Whom it may write to may write to it.
            Some(Ok(permit)) if !denial.is_explicit() => Some(permit),
            Some(_) | None => None,
        });
        match (asked, real, passage.flatten()) {
            (_, _, Some(permit)) if permit.shadowed().is_none() => {
                self.allow_receiving(permit).map(|()| true)
            }
            (Ok(asked), Ok(real), _) => {
                self.record().allow_all([&asked, &real])?;
                self.shared.unix.lock().is_hearing = true;
                Ok(true)
            }
            (Err(_), _, Some(permit)) | (_, Err(_), Some(permit)) => {
                self.allow_receiving(permit).map(|()| true)
            }
            (Err(denial), _, None) | (_, Err(denial), None) => {
                self.turn_away(&denial).map(|()| false)
            }
        }
    }

    /// Puts on record that datagrams come in from somebody, where the last one
    /// came from somebody else.
    fn allow_receiving(&self, permit: &Permit<ConnectUnix>) -> Result<(), Error> {
        let tell = || self.record().allow(permit);
        self.unless_again(
            |place| &mut place.received_from,
            permit.request().name(),
            tell,
        )
    }

    /// The permit to let in who connects.
    pub(crate) fn admit_unix(&self) -> Option<Permit<ListenUnix>> {
        let listening = self.shared.unix.lock().listening.clone()?;
        self.shared.network.policy().check(listening).ok()
    }

    fn unix_kind(&self) -> UnixKind {
        match self.shared.kind {
            SocketType::Datagram => UnixKind::Datagram,
            SocketType::Raw
            | SocketType::ReliableMessage
            | SocketType::Seqpacket
            | SocketType::Stream => UnixKind::Stream,
        }
    }

    /// Begins one more attempt. Fails where the socket, or its guest, is over.
    async fn must_go_on(&self) -> Result<(), Error> {
        take_turn().await;
        self.shared.network.must_be_audited()?;
        self.shared.check_ended()
    }
}

fn unix_address(endpoint: &Endpoint) -> Result<&UnixAddress, Error> {
    match endpoint {
        Endpoint::Address(SocketAddress::Unix(address)) => Ok(address),
        Endpoint::Address(SocketAddress::Inet(_)) | Endpoint::Name { .. } => {
            Err(ErrorCode::InvalidArgument.into())
        }
    }
}

/// A name in canonical form.
pub(crate) fn name(address: &UnixAddress) -> Result<UnixName, Error> {
    let name = match address {
        UnixAddress::Abstract(name) => UnixName::abstract_name(name),
        UnixAddress::Path(path) => UnixName::path(path),
        UnixAddress::Unnamed => {
            let message = "a unix socket without a name cannot be reached";
            return Err(Error::new(ErrorCode::InvalidArgument, message));
        }
    };
    Ok(name?)
}
