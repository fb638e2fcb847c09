//! Which layers of a policy do not allow a request. It must not say why: that
//! takes a search, and is for when somebody asks.

use std::iter;
use std::sync::Arc;

use crate::Origin;
use crate::layer::Layer;
use crate::request::Refusal;

/// The layers that do not allow a request, from the outermost on: at least one.
pub struct Refusals {
    first: Refused,
    others: Vec<Refused>,
}

/// A layer that does not allow a request.
pub(crate) struct Refused {
    pub(crate) layer: Arc<Layer>,
    pub(crate) refusal: Refusal,
}

impl Refused {
    /// Who would have to allow it.
    pub(crate) fn origin(&self) -> &Origin {
        match self.refusal {
            Refusal::Denied(_) => &self.layer.denier,
            Refusal::Silent => &self.layer.origin,
        }
    }
}

impl Refusals {
    /// Adds a layer further in.
    #[inline]
    pub(crate) fn add(refusals: &mut Option<Self>, layer: &Arc<Layer>, refusal: Refusal) {
        let refused = Refused {
            layer: Arc::clone(layer),
            refusal,
        };
        match refusals {
            Some(refusals) => refusals.others.push(refused),
            None => {
                *refusals = Some(Self {
                    first: refused,
                    others: Vec::new(),
                });
            }
        }
    }

    pub(crate) fn first(&self) -> &Refused {
        &self.first
    }

    pub(crate) fn others(&self) -> &[Refused] {
        &self.others
    }

    pub(crate) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.iter().map(Refused::origin)
    }

    /// Whether a deny matches, in whichever layer.
    pub(crate) fn are_explicit(&self) -> bool {
        self.iter().any(|refused| match refused.refusal {
            Refusal::Denied(_) => true,
            Refusal::Silent => false,
        })
    }

    fn iter(&self) -> impl Iterator<Item = &Refused> {
        iter::once(&self.first).chain(&self.others)
    }
}
