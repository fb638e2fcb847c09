//! How unix sockets come by their names and connections, and whom their
//! datagrams reach.
//!
//! A name is judged twice: as it was asked for, before anybody looks at the file
//! system, and as it is without links on the way.

use std::io;

use portcullis_policy::{
    BindUnix, ConnectUnix, Denial, ListenUnix, Permit, UnixKind, UnixName, UnixNameError,
};

use crate::address::{Endpoint, SocketAddress, SocketType, UnixAddress};
use crate::correspondents::{Correspondents, Sharers};
use crate::error::{Error, ErrorCode};
use crate::limits::Direction;
use crate::network::is_explicit;
use crate::os::unix::{self as os, Located, Passage};
use crate::socket::Socket;
use crate::transfer::SendOptions;
use crate::wait::{Pauses, Wait};

/// Where a socket is, in the words of the requests that put it there.
#[derive(Debug)]
pub(crate) struct Place {
    bound: Option<Bound>,
    /// What lets it accept, or receive from whoever writes.
    pub(crate) listening: Option<ListenUnix>,
    correspondents: Correspondents<UnixName>,
}

/// A name as it was asked for, and as it was without links on the way.
#[derive(Clone, Debug)]
struct Bound {
    asked: UnixName,
    real: UnixName,
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

impl Place {
    /// Nowhere as yet.
    pub(crate) fn new(sharers: Sharers) -> Self {
        Self {
            bound: None,
            listening: None,
            correspondents: Correspondents::new(sharers),
        }
    }
}

impl Socket {
    pub(crate) fn bind_unix(&self, local: &Endpoint) -> Result<(), Error> {
        let asked = match unix_address(local)? {
            UnixAddress::Unnamed => UnixName::unnamed(),
            address @ (UnixAddress::Abstract(_) | UnixAddress::Path(_)) => name(address)?,
        };
        let network = &self.shared.network;
        let judged = self.judge_bind(&asked);
        let (permit, hears) = judged.map_err(|denial| network.refuse(&denial))?;
        let located = Located::folder(&asked)?;
        let judged = self.judge_bind(located.name());
        let (real, really_hears) =
            judged.map_err(|denial| network.refuse_as(permit.request(), &denial))?;
        let mut place = self.shared.unix.lock();
        if place.bound.is_some() {
            return Err(ErrorCode::InvalidArgument.into());
        }
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
        name: &UnixName,
    ) -> Result<(Permit<BindUnix>, Option<ListenUnix>), Denial> {
        let (kind, policy) = (self.unix_kind(), self.shared.network.policy());
        let listening = policy.check(ListenUnix::new(kind, name.clone()));
        match (policy.check(BindUnix::new(kind, name.clone())), listening) {
            (Ok(permit), listening) => Ok((permit, listening.ok().map(Permit::into_request))),
            // A datagram socket that is bound is there to listen.
            (Err(_), Err(denial)) if kind == UnixKind::Datagram => Err(denial),
            (Err(denial), _) => Err(denial),
        }
    }

    pub(crate) fn listen_unix(&self, backlog: i32) -> Result<(), Error> {
        let mut place = self.shared.unix.lock();
        let Some(Bound { asked, real }) = place.bound.clone() else {
            return Err(ErrorCode::InvalidArgument.into());
        };
        let (kind, network) = (self.unix_kind(), &self.shared.network);
        let permit = network.check(ListenUnix::new(kind, asked))?;
        let real = network.policy().check(ListenUnix::new(kind, real));
        let real = real.map_err(|denial| network.refuse_as(permit.request(), &denial))?;
        self.shared.readiness.forget();
        os::listen(&self.shared.os, backlog, &permit, &real)?;
        place.listening = Some(permit.into_request());
        Ok(())
    }

    pub(crate) async fn connect_unix(&self, remote: &Endpoint) -> Result<(), Error> {
        let (permit, located) = self.locate_unix(remote)?;
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

    /// Finds what an endpoint leads to, and asks whether it may be connected to.
    fn locate_unix(&self, remote: &Endpoint) -> Result<(Permit<ConnectUnix>, Located), Error> {
        let (kind, network) = (self.unix_kind(), &self.shared.network);
        let asked = network.check(ConnectUnix::new(kind, name(unix_address(remote)?)?))?;
        let located = Located::socket(asked.request().name())?;
        let real = ConnectUnix::new(kind, located.name().clone());
        let real = network.policy().check(real);
        let real = real.map_err(|denial| network.refuse_as(asked.request(), &denial))?;
        Ok((real, located))
    }

    pub(crate) async fn send_unix_datagram_to(
        &self,
        data: &[u8],
        options: SendOptions,
        destination: &Endpoint,
    ) -> Result<usize, Error> {
        let passage = match self.answer_unix(destination)? {
            Some(passage) => passage,
            None => {
                let (permit, located) = self.locate_unix(destination)?;
                let mut place = self.shared.unix.lock();
                place
                    .correspondents
                    .address(permit.request().name().clone());
                Passage::granted(&permit, located)?
            }
        };
        let (flags, wait) = (options.flags(), self.send_wait(options.dont_wait));
        self.pace(Direction::Outgoing, wait).await?;
        // Nothing wakes somebody who waits for room in another's queue.
        self.persist(wait, |socket| {
            self.move_message(data, || os::send_to(socket, data, flags, &passage))
        })
        .await
    }

    /// The way to somebody who was let in, so lately that they may be answered,
    /// at the very name that they gave.
    fn answer_unix(&self, destination: &Endpoint) -> Result<Option<Passage>, Error> {
        let asked = name(unix_address(destination)?)?;
        let place = self.shared.unix.lock();
        let Some(listening) = &place.listening else {
            return Ok(None);
        };
        if !place.correspondents.may_be_answered(&asked) {
            return Ok(None);
        }
        let Ok(permit) = self.shared.network.policy().check(listening.clone()) else {
            return Ok(None);
        };
        let located = Located::socket(&asked)?;
        Ok((*located.name() == asked).then_some(Passage::answer(permit, located)))
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
        let (kind, network) = (self.unix_kind(), &self.shared.network);
        let mut place = self.shared.unix.lock();
        if place.listening.is_some() {
            if let Some(source) = source {
                let connect = ConnectUnix::new(kind, source.clone());
                let verdict = network.policy().check(connect);
                // Whom sending to is denied is not answered.
                if !verdict.is_err_and(|denial| is_explicit(&denial)) {
                    place.correspondents.hear(source);
                }
            }
            return Ok(true);
        }
        if let Some(source) = &source
            && place.correspondents.may_answer(source)
        {
            return Ok(true);
        }
        let here = place.bound.clone().unwrap_or_default();
        let listens = |name| network.policy().check(ListenUnix::new(kind, name));
        let Err(denial) = listens(here.asked).and_then(|_| listens(here.real)) else {
            return Ok(true);
        };
        if let (Some(source), false) = (source, is_explicit(&denial)) {
            let connect = ConnectUnix::new(kind, source);
            if network.policy().check(connect).is_ok() {
                return Ok(true);
            }
        }
        network.turn_away(&denial);
        Ok(false)
    }

    /// The permit to let in who connects.
    pub(crate) fn admit_unix(&self) -> Option<Permit<ListenUnix>> {
        let listening = self.shared.unix.lock().listening.clone()?;
        self.shared.network.policy().check(listening).ok()
    }

    /// The name that the socket was given, where the kernel may know it by
    /// another.
    pub(crate) fn unix_name(&self) -> Option<SocketAddress> {
        let place = self.shared.unix.lock();
        let path = place.bound.as_ref()?.asked.as_path()?;
        Some(SocketAddress::Unix(UnixAddress::Path(path.to_vec())))
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
        let mut pauses = Pauses::new();
        loop {
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

fn name(address: &UnixAddress) -> Result<UnixName, Error> {
    let name = match address {
        UnixAddress::Abstract(name) => UnixName::abstract_name(name),
        UnixAddress::Path(path) => UnixName::path(path),
        UnixAddress::Unnamed => return Err(ErrorCode::InvalidArgument.into()),
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
