//! The proof that a request passed. It must not be made anywhere but in
//! `Policy::check`, nor be copied.

use std::sync::Arc;

use crate::layer::Layer;
use crate::place::Place;
use crate::{Denial, Grant, Request};

/// Proof that a policy allows a request: what the code that opens sockets asks
/// for, and uses up.
///
/// Only [`Policy::check`](crate::Policy::check) makes one.
///
/// ```compile_fail
/// # use portcullis_policy::{Bind, Permit};
/// fn twice(permit: Permit<Bind>) -> (Permit<Bind>, Permit<Bind>) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not used permits nothing"]
pub struct Permit<R> {
    request: R,
    /// Where the grant stands, and whose it is.
    grant: Option<(Arc<Layer>, Place)>,
    shadowed: Option<Denial>,
}

impl<R: Request> Permit<R> {
    pub(crate) fn new(
        request: R,
        grant: Option<(Arc<Layer>, Place)>,
        shadowed: Option<Denial>,
    ) -> Self {
        Self {
            request,
            grant,
            shadowed,
        }
    }

    /// The request that passed.
    pub fn request(&self) -> &R {
        &self.request
    }

    /// The request that passed; the permit is used up.
    pub fn into_request(self) -> R {
        self.request
    }

    /// The grant that allowed it, in the innermost layer. None where the
    /// innermost layer needs no grant, as to look `localhost` up.
    pub fn grant(&self) -> Option<&Grant> {
        let (layer, place) = self.grant.as_ref()?;
        layer.allow.at(*place)
    }

    /// What would have been the denial, had the policy not been
    /// [shadowed](crate::Policy::shadowed). None where the request passed.
    pub fn shadowed(&self) -> Option<&Denial> {
        self.shadowed.as_ref()
    }
}
