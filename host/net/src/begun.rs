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

    /// Takes more of the datagram that is begun, if there is one.
    ///
    /// # Errors
    ///
    /// `invalid-argument` where it is begun to somewhere else, and it stays as it
    /// was; `message-too-long` where it is too much, and then it is given up, as the
    /// OS has it.
    pub(crate) fn go_on(
        begun: &mut Option<Self>,
        to: SocketAddr,
        data: &[u8],
    ) -> Result<(), Errno> {
        let Some(whole) = begun else { return Ok(()) };
        if whole.to != to {
            return Err(Errno::INVAL);
        }
        if whole.data.len() + data.len() > LONGEST {
            *begun = None;
            return Err(Errno::MSGSIZE);
        }
        whole.data.extend_from_slice(data);
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
