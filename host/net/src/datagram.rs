//! Sending and receiving datagrams, one by one.
//!
//! Each is judged for itself: where it goes, and where it comes from.

use std::io;
use std::net::SocketAddr;

use nix::sys::socket::MsgFlags;
use portcullis_policy::{Connect, Denial, Name, Permit, Policy, Purpose, Request};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::Interest;

use crate::address::{Endpoint, Family, SocketAddress};
use crate::begun::{self, Begun};
use crate::error::{Error, ErrorCode};
use crate::intake::{receive_by, receive_from};
use crate::limits::Direction;
use crate::network::Target;
use crate::os;
use crate::os::asked::{self, Asked};
use crate::os::inet::Passage;
use crate::record::{is_denied, objection};
use crate::socket::Socket;
use crate::transfer::{ReceiveOptions, SendOptions};
use crate::wait::{CROWD, take_turn};

/// A datagram that came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// As much of it as there was room for.
    pub data: Vec<u8>,
    /// How long it was, in bytes; where that is more than there is data, the
    /// rest is lost.
    pub length: usize,
    /// Where it came from.
    pub source: SocketAddress,
    /// Where it was sent to, if the socket [answers as
    /// asked](Socket::answer_as_asked).
    pub asked: Option<Asked>,
}

/// By what a datagram goes out or comes in. Of many in a row by the same, the
/// first is on record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Course {
    /// They may write to the socket, and be answered.
    Accept(SocketAddr),
    /// They may be written to, by the name if there is one.
    Connect(SocketAddr, Option<Name>),
}

impl Course {
    fn of(passage: &Passage) -> Self {
        match passage {
            Passage::Answer(permit) => Self::Accept(permit.request().peer()),
            Passage::Granted(permit) => {
                let request = permit.request();
                Self::Connect(request.address(), request.name().cloned())
            }
        }
    }
}

impl Socket {
    /// Sends one datagram to the peer that the socket is connected to. Where the
    /// kernel has it connected is of no account: only what was granted is.
    pub(crate) async fn send_datagram(
        &self,
        data: &[u8],
        options: SendOptions,
    ) -> Result<usize, Error> {
        let passage = self.passage_to_peer()?;
        let from = self.asked_by(&passage);
        self.send_through(data, options, &passage, from).await
    }

    pub(crate) async fn send_datagram_to(
        &self,
        data: &[u8],
        options: SendOptions,
        destination: &Endpoint,
    ) -> Result<usize, Error> {
        let passage = self.passage_to(destination).await?;
        let from = self.asked_by(&passage);
        self.send_through(data, options, &passage, from).await
    }

    /// Answers a datagram from where it was sent to, whatever its sender has asked
    /// since.
    ///
    /// # Errors
    ///
    /// Those of [`Socket::send_to`].
    pub async fn answer(
        &self,
        data: &[u8],
        options: SendOptions,
        to: &SocketAddress,
        asked: Option<Asked>,
    ) -> Result<usize, Error> {
        let destination = Endpoint::Address(to.clone());
        let Some(asked) = asked else {
            return self.send_to(data, options, &destination).await;
        };
        let passage = self.passage_to(&destination).await?;
        self.send_through(data, options, &passage, Some(asked))
            .await
    }

    /// The address that the peer of a datagram has written to last.
    fn asked_by(&self, passage: &Passage) -> Option<Asked> {
        let correspondents = &self.shared.inet.lock().correspondents;
        correspondents.asked_by(&passage.address())
    }

    async fn send_through(
        &self,
        data: &[u8],
        options: SendOptions,
        passage: &Passage,
        from: Option<Asked>,
    ) -> Result<usize, Error> {
        let wait = self.send_wait(options.dont_wait);
        self.pace(Direction::Outgoing, wait).await?;
        let sent = self.perform(Interest::WRITABLE, wait, |socket| {
            self.move_message(data, || self.put(socket, data, options, passage, from))
        });
        let sent = sent.await?;
        match options.more {
            true => self.shared.account.sent.add(sent),
            false => self.note_sent(sent, passage),
        }
        Ok(sent)
    }

    /// Sends a datagram, or the last of one that is begun; with `MSG_MORE`, puts it
    /// by until the rest comes.
    fn put(
        &self,
        socket: &socket2::Socket,
        data: &[u8],
        options: SendOptions,
        passage: &Passage,
        from: Option<Asked>,
    ) -> io::Result<usize> {
        let (family, flags) = (self.shared.family, options.flags_of_datagram());
        let mut place = self.shared.inet.lock();
        // Urgent data is for the OS to refuse.
        if place.begun.is_none() && !options.more || options.out_of_band {
            drop(place);
            return os::inet::send_to(socket, family, data, flags, passage, from);
        }
        let to = passage.address();
        if place.begun.as_ref().is_some_and(|begun| !begun.goes_to(to)) {
            return Err(Errno::INVAL.into());
        }
        let mut whole = match place.begun.take() {
            Some(begun) => begun,
            None => {
                must_take_more(socket, to, place.sends_no_more)?;
                let memory = self.shared.network.memory().take(begun::LONGEST);
                Begun::new(to, memory.map_err(|limit| self.over(limit))?)
            }
        };
        // One that is too long is given up, as the OS has it.
        whole.go_on(data)?;
        if options.more {
            place.begun = Some(whole);
            return Ok(data.len());
        }
        let sent = os::inet::send_to(socket, family, whole.data(), flags, passage, from);
        if let Err(error) = &sent
            && error.kind() == io::ErrorKind::WouldBlock
        {
            whole.take_back(data.len());
            place.begun = Some(whole);
        }
        sent.map(|_| data.len())
    }

    /// Whether a datagram is begun that waits for the rest.
    pub(crate) fn has_begun(&self) -> bool {
        self.shared.inet.lock().begun.is_some()
    }

    /// Who was written to may answer.
    pub(crate) fn note_sent(&self, bytes: usize, passage: &Passage) {
        self.shared.account.sent.add_datagram(bytes);
        if let Passage::Granted(permit) = passage {
            let mut place = self.shared.inet.lock();
            place.correspondents.address(permit.request().address());
        }
    }

    /// Asks whether a datagram may go to an endpoint, on the record. Of a name's
    /// addresses the first counts that is of the family and granted.
    pub(crate) async fn passage_to(&self, destination: &Endpoint) -> Result<Passage, Error> {
        take_turn().await;
        let target: Target = self
            .target(destination, |protocol, port| Purpose::Connect {
                protocol,
                port,
            })
            .await?;
        let policy = target.policy.clone();
        let (mut refused, mut second_best) = (None, None);
        for (address, request) in self.requests(target) {
            if self.takes_form(address) {
                match self.passage(&policy, request.clone()) {
                    Ok(passage) if !passage.is_shadowed() => return self.pass(passage),
                    Ok(passage) => second_best = second_best.or(Some(passage)),
                    Err(denial) => refused = refused.or(Some((request, denial))),
                }
            }
        }
        match (second_best, refused) {
            (Some(passage), _) => self.pass(passage),
            (None, Some((request, denial))) => self.appeal(&policy, request, denial),
            (None, None) => Err(ErrorCode::NameFamilyNotSupported.into()),
        }
    }

    /// Asks whether a datagram may go to the peer, on the record.
    pub(crate) fn passage_to_peer(&self) -> Result<Passage, Error> {
        let peer = self.shared.inet.lock().peer.clone();
        let peer = peer.ok_or(ErrorCode::DestinationAddressRequired)?;
        let policy = self.shared.network.policy();
        match self.passage(policy, peer.clone()) {
            Ok(passage) => self.pass(passage),
            Err(denial) => self.appeal(policy, peer, denial),
        }
    }

    /// Asks whoever may grant that a datagram goes there.
    fn appeal(&self, policy: &Policy, to: Connect, denial: Denial) -> Result<Passage, Error> {
        let network = &self.shared.network;
        let permit = network
            .second_opinion(policy, &to, denial)
            .and_then(|policy| network.check_connect(&policy, to.clone()));
        match permit {
            Ok(permit) => self.pass(Passage::Granted(permit)),
            Err(denial) => Err(self.record().refuse_as(to, &denial)),
        }
    }

    /// Puts on record by what a datagram goes, where the last one went by
    /// something else.
    fn pass(&self, passage: Passage) -> Result<Passage, Error> {
        let course = Course::of(&passage);
        if self.shared.inet.lock().sent_by.as_ref() != Some(&course) {
            match &passage {
                Passage::Granted(permit) => self.record().allow(permit)?,
                Passage::Answer(permit) => self.record().allow(permit)?,
            }
            self.shared.inet.lock().sent_by = Some(course);
        }
        Ok(passage)
    }

    fn passage(&self, policy: &Policy, request: Connect) -> Result<Passage, Denial> {
        let network = &self.shared.network;
        let answer = self
            .answers(&request)
            .and_then(|listening| policy.check(listening).ok());
        match answer {
            None => network.check_connect(policy, request).map(Passage::Granted),
            Some(answer) if answer.shadowed().is_none() => Ok(Passage::Answer(answer)),
            Some(answer) => match network.check_connect(policy, request) {
                Ok(permit) if permit.shadowed().is_none() => Ok(Passage::Granted(permit)),
                Ok(_) | Err(_) => Ok(Passage::Answer(answer)),
            },
        }
    }

    /// The request to let somebody in who was let in before, so lately that they
    /// may be answered.
    fn answers(&self, request: &Connect) -> Option<portcullis_policy::Accept> {
        let place = self.shared.inet.lock();
        let listening = place.listening.as_ref()?;
        let peer = request.address();
        (place.correspondents.may_be_answered(&peer))
            .then(|| portcullis_policy::Accept::new(listening, peer))
    }

    /// Receives the next datagram that may come in.
    pub(crate) async fn receive_datagram(
        &self,
        maximum: usize,
        options: ReceiveOptions,
    ) -> Result<Datagram, Error> {
        let wait = self.receive_wait(options.dont_wait);
        self.may_take()?;
        self.pace(Direction::Incoming, wait).await?;
        let mut turned_away = 0;
        loop {
            let received = self.perform(Interest::READABLE, wait, |socket| {
                let received = self.take(socket, maximum, options.flags());
                self.unless_ended(wait, received)
            });
            let Some(datagram) = received.await? else {
                return Ok(self.no_datagram());
            };
            if self.lets_in(&datagram.source)? {
                self.take_message(datagram.length, options.peek)?;
                if !options.peek {
                    self.note_received(&datagram);
                }
                return Ok(datagram);
            }
            if options.peek {
                discard(&self.shared.os);
            }
            turned_away += 1;
            wait.go_on(turned_away)?;
        }
    }

    pub(crate) fn note_received(&self, datagram: &Datagram) {
        let received = &self.shared.account.received;
        received.add_datagram(datagram.length);
        if let (Some(asked), SocketAddress::Inet(source)) = (datagram.asked, &datagram.source) {
            let source = portcullis_policy::canonical(*source);
            self.shared.inet.lock().correspondents.ask(source, asked);
        }
    }

    /// Whether answers leave from where the questions came to.
    pub(crate) fn answers_as_asked(&self) -> bool {
        self.shared.settings.lock().answers_as_asked
    }

    /// Receives the next datagram, with where it was sent to if that is told.
    pub(crate) fn take(
        &self,
        socket: &socket2::Socket,
        maximum: usize,
        flags: RecvFlags,
    ) -> io::Result<Datagram> {
        match self.answers_as_asked() {
            true => receive_asked(socket, maximum, flags),
            false => receive(socket, maximum, flags),
        }
    }

    /// What is received at the end.
    pub(crate) fn no_datagram(&self) -> Datagram {
        Datagram {
            data: Vec::new(),
            length: 0,
            source: self.nowhere(),
            asked: None,
        }
    }

    /// The address of nobody: what is told where the OS tells none.
    pub(crate) fn nowhere(&self) -> SocketAddress {
        match self.shared.family {
            Family::Inet | Family::Inet6 => SocketAddress::Inet(self.unspecified(0)),
            Family::Unix => SocketAddress::UNNAMED,
        }
    }

    /// Whether a datagram may come in from there: an answer, or from somebody that
    /// the socket listens to, or may write to and is not denied to listen to.
    pub(crate) fn lets_in(&self, source: &SocketAddress) -> Result<bool, Error> {
        let source = match source {
            SocketAddress::Inet(source) => source,
            SocketAddress::Unix(source) => return self.lets_unix_in(source),
        };
        let network = &self.shared.network;
        let source = portcullis_policy::canonical(*source);
        if self.shared.inet.lock().correspondents.may_answer(&source) {
            return Ok(true);
        }
        let request = Connect::new(portcullis_policy::Protocol::Udp, source);
        let accept = network.policy().check(self.accept_request(source)?);
        // Whom it may write to may write to it.
        let connect = match objection(&accept) {
            Some(denial) if !denial.is_explicit() => network
                .check_connect(network.policy(), request.clone())
                .ok(),
            Some(_) | None => None,
        };
        match (accept, connect) {
            (_, Some(permit)) if permit.shadowed().is_none() => {
                self.allow_from(Course::Connect(source, None), &permit)?;
            }
            (Ok(permit), _) => {
                self.allow_from(Course::Accept(source), &permit)?;
                self.hear(source, request);
            }
            (Err(_), Some(permit)) => {
                self.allow_from(Course::Connect(source, None), &permit)?;
            }
            (Err(denial), None) => {
                self.turn_away(&denial)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts on record by what a datagram comes in, where the last one came by
    /// something else.
    fn allow_from<R: Request>(&self, course: Course, permit: &Permit<R>) -> Result<(), Error> {
        if self.shared.inet.lock().received_by.as_ref() != Some(&course) {
            self.record().allow(permit)?;
            self.shared.inet.lock().received_by = Some(course);
        }
        Ok(())
    }

    /// Who was let in may be answered, but for whom sending to is denied.
    fn hear(&self, source: SocketAddr, request: Connect) {
        let place = self.shared.inet.lock();
        let is_heard = place.correspondents.may_be_answered(&source);
        drop(place);
        let network = &self.shared.network;
        // Judged once, as long as they go on writing: denies do not change.
        if !is_heard && is_denied(&network.check_connect(network.policy(), request)) {
            return;
        }
        self.shared.inet.lock().correspondents.hear(source);
    }

    /// Whether a datagram that may come in is there, or none can come any more.
    /// Those that may not are dropped.
    pub(crate) fn vet_datagram(&self) -> bool {
        let peek = ReceiveOptions {
            peek: true,
            ..ReceiveOptions::default()
        };
        for _ in 0..CROWD {
            match receive(&self.shared.os, 0, peek.flags()) {
                Ok(datagram) => match self.lets_in(&datagram.source) {
                    Ok(false) => discard(&self.shared.os),
                    // Whatever is wrong, it is for the receive to tell.
                    Ok(true) | Err(_) => return true,
                },
                // Nothing is there, but at the end a receive does not wait.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.shared.readiness.has_ended().unwrap_or(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        false
    }
}

/// Fails as the OS would where a datagram is begun that it would not take.
fn must_take_more(socket: &socket2::Socket, to: SocketAddr, is_over: bool) -> io::Result<()> {
    if to.port() == 0 {
        return Err(Errno::INVAL.into());
    }
    match socket.take_error()? {
        Some(error) => Err(error),
        None if is_over => Err(Errno::PIPE.into()),
        None => Ok(()),
    }
}

/// Receives one datagram with its length and source.
pub(crate) fn receive(
    socket: &socket2::Socket,
    maximum: usize,
    flags: RecvFlags,
) -> io::Result<Datagram> {
    let (data, length, source) = receive_from(socket, maximum, flags | RecvFlags::TRUNC)?;
    Ok(Datagram {
        data,
        length,
        source: os::address(source)?,
        asked: None,
    })
}

/// Receives one datagram with its length, its source, and where it was sent to.
fn receive_asked(
    socket: &socket2::Socket,
    maximum: usize,
    flags: RecvFlags,
) -> io::Result<Datagram> {
    let flags = MsgFlags::from_bits_retain((flags | RecvFlags::TRUNC).bits().cast_signed());
    let receive = |room: &mut [u8]| asked::receive(socket, room, flags);
    let (data, arrival) = receive_by(maximum, receive, |arrival| arrival.length)?;
    Ok(Datagram {
        data,
        length: arrival.length,
        source: SocketAddress::Inet(arrival.source),
        asked: arrival.asked,
    })
}

/// Drops the next datagram. Where there is none, nothing is left to do.
fn discard(socket: &socket2::Socket) {
    let _ = receive_from(socket, 0, RecvFlags::empty());
}
