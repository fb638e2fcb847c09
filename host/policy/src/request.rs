//! What all requests have in common. It must not be implemented outside of
//! this crate: a request is canonical because we built it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::layer::Layer;
use crate::{Grant, Reason};

/// One operation on one endpoint, in canonical form, as the guest asks for it.
///
/// Displays in the grammar of a grant. Implemented by [`Accept`], [`Bind`],
/// [`BindUnix`], [`Broadcast`], [`Connect`], [`ConnectUnix`], [`Join`],
/// [`Listen`], [`ListenUnix`], [`Lookup`] and [`Reverse`], and by nothing else.
///
/// [`Accept`]: crate::Accept
/// [`Bind`]: crate::Bind
/// [`BindUnix`]: crate::BindUnix
/// [`Broadcast`]: crate::Broadcast
/// [`Connect`]: crate::Connect
/// [`ConnectUnix`]: crate::ConnectUnix
/// [`Join`]: crate::Join
/// [`Listen`]: crate::Listen
/// [`ListenUnix`]: crate::ListenUnix
/// [`Lookup`]: crate::Lookup
/// [`Reverse`]: crate::Reverse
pub trait Request: Decide + fmt::Debug + fmt::Display {
    /// The narrowest grant that would allow it; none where no grant can.
    fn narrowest(&self) -> Option<Grant>;

    /// The canonical internet address that it is about: of a peer where one is
    /// to be accepted. None where it is about none, as a lookup.
    fn socket_address(&self) -> Option<SocketAddr> {
        None
    }

    /// The canonical address whose name is to be looked up, if that is what is
    /// asked for.
    fn nameless(&self) -> Option<IpAddr> {
        None
    }
}

/// How a request is held against one layer. Being unnameable outside, it seals
/// [`Request`].
pub trait Decide {
    #[doc(hidden)]
    fn decide(&self, layer: &Layer) -> Verdict;
}

/// The grant that allows, if it took one, or why not.
pub(crate) type Verdict = Result<Option<Grant>, Refusal>;

/// Why a layer does not allow a request, and the grant that would.
pub struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) remedy: Option<Remedy>,
}

/// What would allow a request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Remedy {
    pub(crate) grant: Grant,
    /// What would do for a socket that is bound but not to listen, where the
    /// grant is one to listen.
    pub(crate) to_bind: Option<Grant>,
}

impl Refusal {
    pub(crate) fn denied(deny: Grant) -> Self {
        Self::hopeless(Reason::DeniedBy { deny })
    }

    /// What no grant would change.
    pub(crate) fn hopeless(reason: Reason) -> Self {
        Self {
            reason,
            remedy: None,
        }
    }

    /// No grant makes up for a deny, or for an address of the wrong sort, so
    /// then there is no remedy.
    pub(crate) fn new(reason: Reason, remedy: impl Into<Remedy>) -> Self {
        let remedy = match reason {
            Reason::DeniedBy { .. } | Reason::NotMulticast { .. } => None,
            Reason::HalfGranted { .. }
            | Reason::NoGrant { .. }
            | Reason::NotInRange { .. }
            | Reason::PeerOutside { .. } => Some(remedy.into()),
        };
        Self { reason, remedy }
    }
}

impl<G: Into<Grant>> From<G> for Remedy {
    fn from(grant: G) -> Self {
        Self {
            grant: grant.into(),
            to_bind: None,
        }
    }
}
