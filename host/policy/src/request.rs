//! What all requests have in common. It must not be implemented outside of
//! this crate: a request is canonical because we built it.

use std::fmt;

use crate::layer::Layer;
use crate::{Grant, Reason};

/// One operation on one endpoint, in canonical form, as the guest asks for it.
///
/// Displays in the grammar of a grant. Implemented by [`Accept`], [`Bind`],
/// [`Connect`], [`Listen`] and [`Lookup`], and by nothing else.
///
/// [`Accept`]: crate::Accept
/// [`Bind`]: crate::Bind
/// [`Connect`]: crate::Connect
/// [`Listen`]: crate::Listen
/// [`Lookup`]: crate::Lookup
pub trait Request: Decide + fmt::Debug + fmt::Display {}

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
    pub(crate) remedy: Option<Grant>,
}

impl Refusal {
    pub(crate) fn denied(deny: Grant) -> Self {
        Self {
            reason: Reason::DeniedBy { deny },
            remedy: None,
        }
    }

    /// No grant makes up for a deny, so then there is no remedy.
    pub(crate) fn new(reason: Reason, remedy: impl Into<Grant>) -> Self {
        let remedy = match reason {
            Reason::DeniedBy { .. } => None,
            Reason::HalfGranted { .. }
            | Reason::NoGrant { .. }
            | Reason::NotInRange { .. }
            | Reason::PeerOutside { .. } => Some(remedy.into()),
        };
        Self { reason, remedy }
    }
}
