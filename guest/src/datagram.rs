//! A datagram that came in.

use std::io;
use std::net::SocketAddr;

use crate::address::SockAddr;
use crate::raw::socket;

/// A datagram that came in, with its whole length and where it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram<A = SocketAddr> {
    /// As much of it as there was room for.
    pub data: Vec<u8>,
    /// How many bytes it had when it arrived.
    pub length: usize,
    /// Where it came from.
    pub source: A,
}

impl<A> Datagram<A> {
    /// Whether the end of it did not fit and is lost (`MSG_TRUNC`).
    pub fn is_truncated(&self) -> bool {
        self.length > self.data.len()
    }
}

impl Datagram<SockAddr> {
    /// The same with an address of the family that it is known to have.
    pub(crate) fn narrow<A>(self) -> io::Result<Datagram<A>>
    where
        A: TryFrom<SockAddr, Error = io::Error>,
    {
        Ok(Datagram {
            data: self.data,
            length: self.length,
            source: self.source.try_into()?,
        })
    }
}

impl From<socket::Datagram> for Datagram<SockAddr> {
    fn from(datagram: socket::Datagram) -> Self {
        Self {
            // Longer than can be counted is truncated all the same.
            length: usize::try_from(datagram.length).unwrap_or(usize::MAX),
            data: datagram.data,
            source: datagram.source.into(),
        }
    }
}
