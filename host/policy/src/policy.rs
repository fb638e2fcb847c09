//! A policy: layers that must all allow. It must not be possible to have one
//! without a layer, since nothing would deny.

use std::iter;
use std::net::IpAddr;
use std::sync::Arc;

use crate::layer::Layer;
use crate::{Canonical, Denial, Grant, Limits, Name, Permit, PolicyBuilder, Request};

/// A compiled policy: a conjunction of layers, each of grants and denies.
///
/// Cheap to clone. The default policy allows nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    outer: Arc<Layer>,
    inner: Arc<[Arc<Layer>]>,
    /// How many of the layers let everything pass, from the outermost on.
    shadowed: usize,
}

impl Policy {
    /// A builder without any grant.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    pub(crate) fn new(layer: Layer) -> Self {
        Self {
            outer: Arc::new(layer),
            inner: Arc::default(),
            shadowed: 0,
        }
    }

    /// Decides about a request: every layer must allow it, and the first that
    /// does not is reported.
    pub fn check<R: Request>(&self, request: R) -> Result<Permit<R>, Denial> {
        let (mut grant, mut shadowed) = (None, None);
        for (index, layer) in self.layers().enumerate() {
            match request.decide(layer) {
                Ok(allowing) => grant = allowing,
                Err(refusal) => {
                    let denial = request.deny(layer, refusal);
                    if index >= self.shadowed {
                        return Err(denial);
                    }
                    shadowed = shadowed.or(Some(denial));
                }
            }
        }
        Ok(Permit::new(request, grant, shadowed))
    }

    /// The policy that lets everything pass and tells of each permit what would
    /// have been the denial: to try a policy out, and to learn one. Layers that
    /// [`Policy::and`] adds to it deny as ever.
    #[must_use]
    pub fn shadowed(mut self) -> Self {
        self.shadowed = self.depth();
        self
    }

    /// The policy that allows only what both allow: this one's layers, and
    /// then those of `narrower`.
    #[must_use]
    pub fn and(&self, narrower: &Self) -> Self {
        Self {
            outer: Arc::clone(&self.outer),
            inner: self
                .inner
                .iter()
                .chain(narrower.layers())
                .cloned()
                .collect(),
            shadowed: self.shadowed,
        }
    }

    /// The policy with the same denies and the same `[hosts]`, that grants
    /// `grant` and nothing else: for a socket that is handed to a guest.
    #[must_use]
    pub fn granting(&self, grant: &Grant) -> Self {
        Self {
            outer: Arc::new(self.outer.granting(grant)),
            inner: (self.inner.iter())
                .map(|layer| Arc::new(layer.granting(grant)))
                .collect(),
            shadowed: self.shadowed,
        }
    }

    /// How much a guest may use: of each limit the tightest of all layers.
    pub fn limits(&self) -> Limits {
        let layers = self.layers();
        layers.fold(Limits::default(), |limits, layer| limits.and(layer.limits))
    }

    /// How many layers there are: one, and those that [`Policy::and`] added.
    pub fn depth(&self) -> usize {
        1 + self.inner.len()
    }

    /// What the guest is told the machine is called: what the first layer that
    /// says so says, or `localhost`.
    pub fn host_name(&self) -> &str {
        self.layers()
            .find_map(|layer| layer.host_name.as_ref())
            .map_or("localhost", Name::as_str)
    }

    /// The addresses of a name in the `[hosts]` table of the first layer that
    /// lists it. That says where the name leads, not that it may be used.
    pub fn hosts(&self, name: &Name) -> Option<&[IpAddr]> {
        self.layers()
            .find_map(|layer| layer.hosts.get(name))
            .map(Vec::as_slice)
    }

    /// The first name, in their order, of those whose [`Policy::hosts`] are at
    /// the address, in the first layer that has one.
    pub fn hosts_by_address(&self, address: IpAddr) -> Option<&Name> {
        let address = address.into_canonical();
        self.layers()
            .filter_map(|layer| layer.hosts_by_address.get(&address))
            .flatten()
            .find(|name| {
                self.hosts(name)
                    .is_some_and(|addresses| addresses.contains(&address))
            })
    }

    fn layers(&self) -> impl Iterator<Item = &Arc<Layer>> {
        iter::once(&self.outer).chain(self.inner.iter())
    }
}
