//! A datagram that is begun with `MSG_MORE`, of which the rest is to come.
//!
//! It lies here rather than in the kernel's socket, which sends what is begun to
//! where it was begun, whatever was permitted since.

use std::net::SocketAddr;

use rustix::io::Errno;

use crate::limits::Charge;

/// How long a datagram may be, with what goes before it in an IPv4 packet.
pub(crate) const LONGEST: usize = u16::MAX as usize;

/// What there is of a datagram, and where it is to go.
#[derive(Debug)]
pub(crate) struct Begun {
    to: SocketAddr,
    data: Vec<u8>,
    _memory: Charge,
}

impl Begun {
    /// Begins a datagram, whose data takes `memory` of the guest.
    pub(crate) fn new(to: SocketAddr, memory: Charge) -> Self {
        Self {
            to,
            data: Vec::new(),
            _memory: memory,
        }
    }

    /// Whether it goes to this address.
    pub(crate) fn goes_to(&self, address: SocketAddr) -> bool {
        self.to == address
    }

    /// Takes more of the datagram.
    ///
    /// # Errors
    ///
    /// `message-too-long` where that is more than a datagram holds.
    pub(crate) fn go_on(&mut self, data: &[u8]) -> Result<(), Errno> {
        if self.data.len() + data.len() > LONGEST {
            return Err(Errno::MSGSIZE);
        }
        self.data.extend_from_slice(data);
        Ok(())
    }

    /// All there is of it.
    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Gives the last bytes up again.
    pub(crate) fn take_back(&mut self, bytes: usize) {
        self.data.truncate(self.data.len().saturating_sub(bytes));
    }
}
