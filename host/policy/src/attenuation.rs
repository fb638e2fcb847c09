//! What a guest keeps itself to, before it is compiled. It must not decide anything.

use crate::draft::Draft;
use crate::footprint;
use crate::layer::Layer;
use crate::socket_grant::Role;
use crate::{Origin, Policy, PolicyBuilder, PolicyError};

/// Grants that a policy is to be narrowed by, read and not yet compiled: for
/// [`Policy::attenuated`](crate::Policy::attenuated).
#[derive(Clone, Debug)]
pub struct Attenuation(Draft);

impl Attenuation {
    /// Reads the grants.
    pub fn parse(grants: &[impl AsRef<str>]) -> Result<Self, PolicyError> {
        PolicyBuilder::of("grant", Role::Allow, grants).map(Self)
    }

    /// How many bytes of memory `policy` takes when it is narrowed by these, beside
    /// what it takes itself: at the most, and known before it is done.
    pub fn footprint(&self, policy: &Policy) -> usize {
        let grants = self.0.allow.iter();
        let grants = grants.map(footprint::allow);
        let empty = Layer::footprint() + policy.levels_footprint();
        grants.fold(empty, usize::saturating_add)
    }

    pub(crate) fn layer(self) -> Layer {
        self.0.layer(Origin::Attenuated)
    }
}
