//! Sharing an address with other sockets: `SO_REUSEADDR` and `SO_REUSEPORT`.
//!
//! The kernel gives each datagram to one of the sockets that share a port, and each
//! connection to one of the listeners. So a socket that shares takes from the others,
//! which may be a server of the operator's. Sharing takes a grant to listen there.
//! Until the socket has it, the kernel does not hear of the option.

use std::io;

use portcullis_policy::{Listen, Permit};

use crate::address::{Family, SocketType};
use crate::error::Error;
use crate::os::inet as os;
use crate::socket::{Settings, Socket};

/// What is shared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sharing {
    /// `SO_REUSEADDR`
    Address,
    /// `SO_REUSEPORT`
    Port,
}

impl Sharing {
    fn get(self, socket: &socket2::Socket) -> io::Result<bool> {
        match self {
            Self::Address => socket.reuse_address(),
            Self::Port => socket.reuse_port(),
        }
    }

    pub(crate) fn set(self, socket: &socket2::Socket, on: bool) -> io::Result<()> {
        match self {
            Self::Address => socket.set_reuse_address(on),
            Self::Port => socket.set_reuse_port(on),
        }
    }

    fn wish(self, settings: &mut Settings) -> &mut bool {
        match self {
            Self::Address => &mut settings.reuse_address,
            Self::Port => &mut settings.reuse_port,
        }
    }
}

impl Socket {
    /// Whether the guest has asked for it, or the OS has it.
    pub(crate) fn shares(&self, sharing: Sharing) -> Result<bool, Error> {
        let is_wished = *sharing.wish(&mut self.shared.settings.lock());
        Ok(is_wished || sharing.get(&self.shared.os)?)
    }

    pub(crate) fn share(&self, sharing: Sharing, on: bool) -> Result<(), Error> {
        let takes_from_others = match (self.shared.family, self.shared.kind) {
            (Family::Unix, _) => false,
            (Family::Inet | Family::Inet6, SocketType::Datagram) => true,
            // An address where another listens is in use all the same.
            (Family::Inet | Family::Inet6, _) => sharing == Sharing::Port,
        };
        if !takes_from_others {
            return Ok(sharing.set(&self.shared.os, on)?);
        }
        let place = self.shared.inet.lock();
        match &place.bound {
            Some(bound) if on => {
                let listening = self.listen_request(bound.address(), bound.name().cloned())?;
                let permit = self.record().check(listening)?;
                os::share(&self.shared.os, sharing, &permit)?;
            }
            None if on => {}
            Some(_) | None => sharing.set(&self.shared.os, false)?,
        }
        *sharing.wish(&mut self.shared.settings.lock()) = on;
        Ok(())
    }

    /// Whether the guest wants to share the address that it asks for.
    pub(crate) fn is_to_share(&self) -> bool {
        let settings = self.shared.settings.lock();
        settings.reuse_address || settings.reuse_port
    }

    /// Binds the OS socket, and where it may listen has it share as was asked for.
    ///
    /// Where the kernel chooses the port, the socket shares only once it is bound: a
    /// socket that shares would be given the port of another one that does.
    pub(crate) fn bind_shared<T>(
        &self,
        permit: Option<&Permit<Listen>>,
        bind: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(permit) = permit else {
            return bind();
        };
        let mut settings = *self.shared.settings.lock();
        let mut wished = vec![Sharing::Address, Sharing::Port];
        wished.retain(|sharing| *sharing.wish(&mut settings));
        let share = || {
            let mut wished = wished.iter();
            wished.try_for_each(|sharing| os::share(&self.shared.os, *sharing, permit))
        };
        if permit.request().address().port() == 0 {
            let bound = bind()?;
            share()?;
            return Ok(bound);
        }
        share()?;
        let bound = bind();
        if bound.is_err() {
            // What the socket may come by otherwise is no place to share.
            for sharing in &wished {
                sharing.set(&self.shared.os, false)?;
            }
        }
        bound
    }
}
