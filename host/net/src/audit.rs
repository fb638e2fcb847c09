//! What operators hear of a guest: every decision, and what became of it.
//!
//! The guest hears `access-denied`; the whole reason goes here. Nothing is told
//! of the data that goes through a socket but how much it was.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_policy::{Denial, Grant, Name, Purpose, Request};

use crate::address::{Family, SocketAddress, SocketType};
use crate::error::Error;
use crate::resolver::Answer;

/// Something that an operator may want to know.
///
/// Sockets are told apart by a number that is counted for each guest, from 1 on,
/// and used once.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection came in, was let in, and was taken by the guest.
    Accepted(Accepted<'a>),
    /// A request passed the policy, and what was asked for is about to be done.
    Allowed(Allowed<'a>),
    /// A socket is closed.
    Closed(Closed<'a>),
    /// A socket has a connection.
    Connected(Connected<'a>),
    /// A request of the guest did not pass the policy.
    Denied(Denied<'a>),
    /// A limit of the policy was reached, or what the host keeps for itself.
    Limited(Limited<'a>),
    /// A name was looked up.
    LookedUp(LookedUp<'a>),
    /// A socket was opened.
    Opened(Opened),
    /// A peer that wanted to connect, or a datagram, was not let in. The guest
    /// has no part in it.
    Refused(Refused<'a>),
    /// The name of an address was looked up.
    ReverseLookedUp(ReverseLookedUp<'a>),
}

/// See [`Event::Accepted`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Accepted<'a> {
    /// The connection.
    pub socket: u64,
    /// The listener that it came to.
    pub listener: u64,
    /// Where it came to; none where the OS does not tell any more.
    pub local: Option<&'a SocketAddress>,
    /// Where it came from.
    pub remote: &'a SocketAddress,
}

/// See [`Event::Allowed`].
///
/// Datagrams to and from the same address in a row are allowed once: another
/// event follows when the address is another. How many they were,
/// [`Closed`] says.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Allowed<'a> {
    /// The socket that it is for; none where a name is looked up for none.
    pub socket: Option<u64>,
    /// The request. It has the name that the guest used, also where the guest
    /// looked the name up first and connects by number.
    pub request: &'a dyn Request,
    /// The grant that allows it, if it took one.
    pub grant: Option<&'a Grant>,
    /// What would be the denial, where the policy is
    /// [shadowed](portcullis_policy::Policy::shadowed).
    pub shadowed: Option<&'a Denial>,
}

/// See [`Event::Closed`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// The socket.
    pub socket: u64,
    /// Where it was, if it was bound.
    pub local: Option<&'a SocketAddress>,
    /// Whom it was connected with, if it was.
    pub remote: Option<&'a SocketAddress>,
    /// How many bytes the OS took from the guest.
    pub bytes_sent: u64,
    /// How many bytes the guest got, or of a datagram could have got.
    pub bytes_received: u64,
    /// How many datagrams the OS took from the guest.
    pub datagrams_sent: u64,
    /// How many datagrams the guest got.
    pub datagrams_received: u64,
    /// How long it was open.
    pub duration: Duration,
}

/// See [`Event::Connected`].
///
/// Where the guest does not wait for the connection, this comes with the first
/// operation that shows that there is one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Connected<'a> {
    /// The socket.
    pub socket: u64,
    /// Where it is; none where it has no name, or the OS does not tell any more.
    pub local: Option<&'a SocketAddress>,
    /// Where it is connected to.
    pub remote: &'a SocketAddress,
}

/// See [`Event::Denied`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Denied<'a> {
    /// The socket that it was for; none where a name is looked up for none.
    pub socket: Option<u64>,
    /// The request, why it did not pass, and what would allow it.
    pub denial: &'a Denial,
}

/// See [`Event::Limited`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limited<'a> {
    /// The socket that it was reached with, if it was one.
    pub socket: Option<u64>,
    /// Who came to that socket and was reset for it. Else it was an operation of the
    /// guest's that failed.
    pub peer: Option<&'a SocketAddress>,
    /// The limit, as a policy calls it: `connections-per-second`. `descriptors` is
    /// no policy's: the host keeps the last for itself.
    pub limit: &'a str,
    /// How much is allowed: a count, bytes, or for a time milliseconds.
    pub value: u64,
}

/// See [`Event::LookedUp`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LookedUp<'a> {
    /// The socket that it was for; none where it was for none.
    pub socket: Option<u64>,
    /// The name that the guest asked for.
    pub name: &'a Name,
    /// What for.
    pub purpose: Purpose,
    /// Where it led, and through which other names; or why nowhere. The policy
    /// may still deny what it led through.
    pub outcome: Result<&'a Answer, &'a Error>,
}

/// See [`Event::Opened`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The socket.
    pub socket: u64,
    /// Its family.
    pub family: Family,
    /// Its type.
    pub kind: SocketType,
}

/// See [`Event::Refused`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Refused<'a> {
    /// The socket that it came to.
    pub socket: u64,
    /// Who came, and why they were not let in.
    pub denial: &'a Denial,
}

/// See [`Event::ReverseLookedUp`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ReverseLookedUp<'a> {
    /// The address.
    pub address: IpAddr,
    /// What it is called, by whoever holds it; or why it has no name.
    pub outcome: Result<&'a [Name], &'a Error>,
}

/// Where events go. It is called on the thread that serves the guest, before
/// the guest hears of the outcome: a slow sink slows the guest.
///
/// An event that cannot be recorded ends the guest: what was asked for is not
/// done, nor anything after it. Each operation then fails with an [`Error`] that
/// has an [`Error::audit_failure`].
pub trait Audit: Send + Sync {
    /// Takes note of an event.
    ///
    /// # Errors
    ///
    /// Where it could not.
    fn record(&self, event: Event<'_>) -> io::Result<()>;
}

/// An audit that forgets everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Audit for Silent {
    fn record(&self, _: Event<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Both: the first hears of an event first, and where it fails the second does
/// not hear of it.
impl<A: Audit, B: Audit> Audit for (A, B) {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        self.0.record(event)?;
        self.1.record(event)
    }
}

/// The audit, if there is one.
impl<A: Audit> Audit for Option<A> {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        self.as_ref().map_or(Ok(()), |audit| audit.record(event))
    }
}

/// Why an event could not be recorded, which ended the guest.
#[derive(Clone, Debug)]
pub struct AuditFailure(Arc<io::Error>);

impl AuditFailure {
    /// What the audit said.
    pub fn reason(&self) -> &io::Error {
        &self.0
    }
}

impl From<io::Error> for AuditFailure {
    fn from(reason: io::Error) -> Self {
        Self(Arc::new(reason))
    }
}

impl fmt::Display for AuditFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "audit: {}", self.0)
    }
}

impl std::error::Error for AuditFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}
