//! A grant with its place among others. It must not say what comes of it.

use std::sync::Arc;

use crate::Grant;

/// A grant, and how many stand before it in its list: of grants that do equally
/// well, the first is told.
#[derive(Debug)]
pub(crate) struct Placed<G> {
    pub(crate) place: usize,
    pub(crate) grant: Arc<G>,
}

impl<G> Placed<G> {
    pub(crate) fn new(place: usize, grant: &Arc<G>) -> Self {
        Self {
            place,
            grant: Arc::clone(grant),
        }
    }
}

/// The one of them that stands first.
pub(crate) fn first<'a, G: 'a>(
    grants: impl Iterator<Item = &'a Placed<G>>,
) -> Option<&'a Placed<G>> {
    grants.min_by_key(|grant| grant.place)
}

impl<G> Clone for Placed<G> {
    fn clone(&self) -> Self {
        Self::new(self.place, &self.grant)
    }
}

impl<'a, G> From<&'a Placed<G>> for Grant
where
    Grant: From<&'a Arc<G>>,
{
    fn from(placed: &'a Placed<G>) -> Self {
        (&placed.grant).into()
    }
}
