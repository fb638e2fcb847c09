//! Sending and receiving datagrams, one by one.
//!
//! Each is judged for itself: where it goes, and where it comes from.

use std::io;
use std::net::SocketAddr;

use portcullis_policy::{Connect, Denial, Name, Permit, Policy, Purpose, Request};
use rustix::net::RecvFlags;
use tokio::io::Interest;

use crate::address::{Endpoint, Family, SocketAddress};
use crate::error::{Error, ErrorCode};
use crate::intake::receive_from;
use crate::limits::Direction;
use crate::network::Target;
use crate::os;
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
        self.send_through(data, options, &passage).await
    }

    pub(crate) async fn send_datagram_to(
        &self,
        data: &[u8],
        options: SendOptions,
        destination: &Endpoint,
    ) -> Result<usize, Error> {
        let passage = self.passage_to(destination).await?;
        self.send_through(data, options, &passage).await
    }

    async fn send_through(
        &self,
        data: &[u8],
        options: SendOptions,
        passage: &Passage,
    ) -> Result<usize, Error> {
        let (family, flags) = (self.shared.family, options.flags());
        let wait = self.send_wait(options.dont_wait);
        self.pace(Direction::Outgoing, wait).await?;
        let sent = self.perform(Interest::WRITABLE, wait, |socket| {
            self.move_message(data, || {
                os::inet::send_to(socket, family, data, flags, passage)
            })
        });
        let sent = sent.await?;
        self.note_sent(sent, passage);
        Ok(sent)
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
                    Ok(passage) if !passage.is_shadowed() => return self.take(passage),
                    Ok(passage) => second_best = second_best.or(Some(passage)),
                    Err(denial) => refused = refused.or(Some((request, denial))),
                }
            }
        }
        match (second_best, refused) {
            (Some(passage), _) => self.take(passage),
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
            Ok(passage) => self.take(passage),
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
            Ok(permit) => self.take(Passage::Granted(permit)),
            Err(denial) => Err(self.record().refuse_as(to, &denial)),
        }
    }

    /// Puts on record by what a datagram goes, where the last one went by
    /// something else.
    fn take(&self, passage: Passage) -> Result<Passage, Error> {
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
                let received = receive(socket, maximum, options.flags());
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
    }

    /// What is received at the end.
    pub(crate) fn no_datagram(&self) -> Datagram {
        Datagram {
            data: Vec::new(),
            length: 0,
            source: self.nowhere(),
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
    })
}

/// Drops the next datagram. Where there is none, nothing is left to do.
fn discard(socket: &socket2::Socket) {
    let _ = receive_from(socket, 0, RecvFlags::empty());
}
