//! What all requests have in common. It must not be implemented outside of
//! this crate: a request is canonical because we built it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::layer::Layer;
use crate::place::Place;
use crate::refusals::Refusals;
use crate::{Denial, Grant, Name, Reason};

/// One operation on one endpoint, in canonical form, as the guest asks for it.
///
/// Displays in the grammar of a grant. Implemented by [`Accept`], [`Bind`],
/// [`BindUnix`], [`Broadcast`], [`Connect`], [`ConnectUnix`], [`Join`],
/// [`Listen`], [`ListenUnix`], [`Lookup`] and [`Reverse`], and by [`AnyRequest`],
/// which is one of them.
///
/// [`Accept`]: crate::Accept
/// [`AnyRequest`]: crate::AnyRequest
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
pub trait Request: Decide + Deny + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The narrowest grant that would allow it; none where no grant can.
    fn narrowest(&self) -> Option<Grant>;

    /// The name of a host that it was asked for by, if it was.
    fn asked_name(&self) -> Option<&Name> {
        None
    }

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

    /// Why the layer says nothing, and the grant that would make it.
    #[doc(hidden)]
    fn explain(&self, layer: &Layer) -> Explanation;
}

/// How a denial comes by its request.
pub trait Deny {
    #[doc(hidden)]
    fn deny(&self, refusals: Refusals) -> Denial;
}

impl<R: Request + Clone> Deny for R {
    fn deny(&self, refusals: Refusals) -> Denial {
        Denial::new(self.clone(), refusals)
    }
}

/// Where the grant stands that allows, if it took one, or that the layer refuses.
pub(crate) type Verdict = Result<Option<Place>, Refusal>;

/// That a layer does not allow a request. Why is worked out when somebody asks:
/// most of those who are denied nobody listens to.
#[derive(Clone, Copy)]
pub enum Refusal {
    /// A deny matches.
    Denied(Place),
    /// No grant covers it.
    Silent,
}

/// Why a layer does not allow a request, and the grant that would.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Explanation {
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

impl Explanation {
    /// No grant makes up for a deny.
    pub(crate) fn denied(deny: Grant) -> Self {
        Self {
            reason: Reason::DeniedBy { deny },
            remedy: None,
        }
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
