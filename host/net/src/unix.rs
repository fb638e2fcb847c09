//! How unix sockets come by their names and connections, and whom their
//! datagrams reach.
//!
//! A name is judged twice: as it was asked for, before anybody looks at the file
//! system, and as it is without links on the way.

use std::io;

use portcullis_policy::{
    BindUnix, ConnectUnix, Denial, ListenUnix, Permit, Policy, UnixKind, UnixName, UnixNameError,
};

use crate::address::{Endpoint, SocketAddress, SocketType, UnixAddress};
use crate::correspondents::{Correspondents, Sharers};
use crate::error::{Error, ErrorCode};
use crate::limits::Direction;
use crate::os::unix::{self as os, Located};
use crate::record::objection;
use crate::socket::Socket;
use crate::transfer::SendOptions;
use crate::wait::{Pauses, Wait, take_turn};

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
        Ok(Self {
            asked: name.clone(),
            real: Located::folder(name)?.name().clone(),
        })
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

impl Socket {
    pub(crate) fn bind_unix(&self, local: &Endpoint) -> Result<(), Error> {
        let asked = match unix_address(local)? {
            UnixAddress::Unnamed => UnixName::unnamed(),
            address @ (UnixAddress::Abstract(_) | UnixAddress::Path(_)) => name(address)?,
        };
        let record = self.record();
        let judged = self.judge_bind(self.shared.network.policy(), &asked);
        let (permit, hears, policy) = judged.map_err(|denial| record.refuse(&denial))?;
        let located = Located::folder(&asked)?;
        let judged = self.judge_bind(&policy, located.name());
        let (real, really_hears, _) =
            judged.map_err(|denial| record.refuse_as(permit.request(), &denial))?;
        let mut place = self.shared.unix.lock();
        if place.bound.is_some() {
            return Err(ErrorCode::InvalidArgument.into());
        }
        record.allow_both(&permit, &real)?;
        os::bind(&self.shared.os, &permit, &real, &located)?;
        if self.unix_kind() == UnixKind::Datagram {
            place.listening = hears.filter(|_| really_hears.is_some());
        }
        place.bound = Some(Bound {
            real: located.name().clone(),
            asked,
        });
        Ok(())
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
        record.allow_both(&permit, &real)?;
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
        let (asked, permit, located) = self.locate_unix(remote)?;
        self.record().allow_both(&asked, &permit)?;
        self.shared.readiness.forget();
        let send_timeout = self.shared.settings.lock().send_timeout;
        let wait = self.wait(
            false,
            send_timeout.map(|time| Wait::from_now(time, ErrorCode::WouldBlock)),
        );
        if self.unix_kind() == UnixKind::Stream {
            self.begin_connection()?;
        }
        // Nothing wakes somebody who waits for room in a listener's queue.
        let connected = self.persist(wait, |socket| os::connect(socket, &permit, &located));
        let connected = connected.await;
        if connected.is_err() {
            self.forget_connection();
        }
        connected
    }

    /// Finds what an endpoint leads to, and asks whether it may be connected to:
    /// by the name that was asked for, and by the real one. That it may is not on
    /// record yet.
    fn locate_unix(
        &self,
        remote: &Endpoint,
    ) -> Result<(Permit<ConnectUnix>, Permit<ConnectUnix>, Located), Error> {
        let (kind, record) = (self.unix_kind(), self.record());
        let network = &self.shared.network;
        let asked = ConnectUnix::new(kind, name(unix_address(remote)?)?);
        let asked = network.judge_by(network.policy_to_write(), asked);
        let (asked, policy) = asked.map_err(|denial| record.refuse(&denial))?;
        let located = Located::socket(asked.request().name())?;
        let real = network.judge_by(&policy, ConnectUnix::new(kind, located.name().clone()));
        let (real, _) = real.map_err(|denial| record.refuse_as(asked.request(), &denial))?;
        Ok((asked, real, located))
    }

    pub(crate) async fn send_unix_datagram_to(
        &self,
        data: &[u8],
        options: SendOptions,
        destination: &Endpoint,
    ) -> Result<usize, Error> {
        let (asked, permit, located) = self.locate_unix(destination)?;
        self.allow_sending(&asked, &permit)?;
        let to = permit.request().name().clone();
        self.shared.unix.lock().correspondents.address(to);
        let (flags, wait) = (options.flags(), self.send_wait(options.dont_wait));
        self.pace(Direction::Outgoing, wait).await?;
        // Nothing wakes somebody who waits for room in another's queue.
        let sent = self.persist(wait, |socket| {
            self.move_message(data, || os::send_to(socket, data, flags, &permit, &located))
        });
        let sent = sent.await?;
        self.shared.account.sent.add_datagram(sent);
        Ok(sent)
    }

    /// Puts on record that datagrams go to somebody, where the last one went to
    /// somebody else.
    fn allow_sending(
        &self,
        asked: &Permit<ConnectUnix>,
        real: &Permit<ConnectUnix>,
    ) -> Result<(), Error> {
        let tell = || self.record().allow_both(asked, real);
        self.unless_again(|place| &mut place.sent_to, asked.request().name(), tell)
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
                self.record().allow_both(&asked, &real)?;
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

    /// Calls `call` until it no longer asks to wait or the patience ends, where
    /// the socket's readiness says nothing about it.
    async fn persist<T>(
        &self,
        wait: Wait,
        mut call: impl FnMut(&socket2::Socket) -> io::Result<T>,
    ) -> Result<T, Error> {
        self.shared.network.must_be_audited()?;
        let mut pauses = Pauses::new();
        loop {
            take_turn().await;
            self.shared.check_ended()?;
            let blocked: Error = match call(&self.shared.os) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => error.into(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                done => return Ok(done?),
            };
            if let Wait::Never = wait {
                return Err(blocked);
            }
            wait.bound(pauses.next()).await?;
        }
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
    name.map_err(|error| {
        let code = match error {
            UnixNameError::TooLong => ErrorCode::NameTooLong,
            UnixNameError::Empty
            | UnixNameError::Folder
            | UnixNameError::Nul
            | UnixNameError::Parent
            | UnixNameError::Relative => ErrorCode::InvalidArgument,
        };
        Error::new(code, error.to_string())
    })
}
