//! Asking the policy on the record: whatever it says is told to the audit before
//! anything comes of it.
//!
//! Who asks `Network::policy` itself only wants to know, and makes no decision of
//! it, or puts it on record later.

use std::fmt;

use portcullis_policy::{Denial, Permit, Request};

use crate::address::SocketAddress;
use crate::audit::{Allowed, Denied, Event, Limited, Refused};
use crate::error::Error;
use crate::limits::Limit;
use crate::network::Network;
use crate::socket::Socket;

/// Decisions for one socket, or for none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    network: &'a Network,
    socket: Option<u64>,
}

impl Network {
    /// What is decided for a socket, or for none, goes on record.
    pub(crate) fn record(&self, socket: Option<u64>) -> Record<'_> {
        let network = self;
        Record { network, socket }
    }
}

impl Record<'_> {
    /// Asks the policy, and whoever may grant what it does not.
    pub(crate) fn check<R: Request + Clone>(self, request: R) -> Result<Permit<R>, Error> {
        match self.network.judge(request) {
            Ok((permit, _)) => self.allow(&permit).map(|()| permit),
            Err(denial) => Err(self.refuse(&denial)),
        }
    }

    /// Asks the policy whether it denies a request, whatever it grants.
    pub(crate) fn check_denies<R: Request>(self, request: R) -> Result<(), Error> {
        let asked = request.to_string();
        self.check_denies_as(asked, request)
    }

    /// The same where the guest asked for something else, which led there.
    pub(crate) fn check_denies_as<R: Request>(
        self,
        asked: impl fmt::Display,
        request: R,
    ) -> Result<(), Error> {
        match self.network.policy().check(request) {
            Err(denial) if denial.is_explicit() => Err(self.refuse_as(asked, &denial)),
            Ok(permit) if permit.shadowed().is_some_and(Denial::is_explicit) => self.allow(&permit),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Tells that a permit is about to be used.
    pub(crate) fn allow<R: Request>(self, permit: &Permit<R>) -> Result<(), Error> {
        self.network.tell(Event::Allowed(Allowed {
            socket: self.socket,
            request: permit.request(),
            grant: permit.grant(),
            shadowed: permit.shadowed(),
        }))
    }

    /// The same of the permits for what the guest asked for, and for where that
    /// leads, which is mostly the same.
    pub(crate) fn allow_all<'p, R: Request + 'p>(
        self,
        permits: impl IntoIterator<Item = &'p Permit<R>>,
    ) -> Result<(), Error> {
        let mut last = None;
        for permit in permits {
            let request = Some(permit.request().to_string());
            if request != last {
                self.allow(permit)?;
                last = request;
            }
        }
        Ok(())
    }

    /// Tells of a limit that was reached: the audit, and then the guest.
    pub(crate) fn exceeded(self, limit: Limit) -> Error {
        let told = self.tell_limit(limit, None);
        told.err().unwrap_or_else(|| limit.error())
    }

    /// Tells the audit of a peer who is reset since a limit is reached.
    pub(crate) fn crowded(self, limit: Limit, peer: &SocketAddress) -> Result<(), Error> {
        self.tell_limit(limit, Some(peer))
    }

    fn tell_limit(self, limit: Limit, peer: Option<&SocketAddress>) -> Result<(), Error> {
        self.network.tell(Event::Limited(Limited {
            socket: self.socket,
            peer,
            limit: limit.name(),
            value: limit.value(),
        }))
    }

    /// Tells of a denial: the audit all of it, the guest as much as it may know.
    pub(crate) fn refuse(self, denial: &Denial) -> Error {
        self.refuse_as(denial.request(), denial)
    }

    /// The same where the guest asked for something else, which led to what was
    /// denied.
    pub(crate) fn refuse_as(self, asked: impl fmt::Display, denial: &Denial) -> Error {
        let socket = self.socket;
        let told = self.network.tell(Event::Denied(Denied { socket, denial }));
        told.err().unwrap_or_else(|| Error::not_granted(asked))
    }
}

impl Socket {
    /// What is decided for the socket goes on record.
    pub(crate) fn record(&self) -> Record<'_> {
        self.shared.network.record(self.number())
    }

    /// What the audit tells the socket by.
    pub(crate) fn number(&self) -> Option<u64> {
        Some(self.shared.account.socket)
    }

    /// Tells of somebody who was not let in.
    pub(crate) fn turn_away(&self, denial: &Denial) -> Result<(), Error> {
        let socket = self.shared.account.socket;
        let refused = Refused { socket, denial };
        self.shared.network.tell(Event::Refused(refused))
    }
}

/// What the policy has against a request, though it be shadowed.
pub(crate) fn objection<R: Request>(verdict: &Result<Permit<R>, Denial>) -> Option<&Denial> {
    match verdict {
        Ok(permit) => permit.shadowed(),
        Err(denial) => Some(denial),
    }
}

/// Whether a deny decides, or would if the policy were not shadowed.
pub(crate) fn is_denied<R: Request>(verdict: &Result<Permit<R>, Denial>) -> bool {
    objection(verdict).is_some_and(Denial::is_explicit)
}
