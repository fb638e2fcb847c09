//! A policy: layers that must all allow. It must not be possible to have one
//! without a layer, since nothing would deny.

use std::iter;
use std::net::IpAddr;
use std::slice;
use std::sync::Arc;

use crate::draft::Draft;
use crate::everything::everything;
use crate::footprint;
use crate::layer::Layer;
use crate::refusals::Refusals;
use crate::request::Refusal;
use crate::socket_grant::Role;
use crate::{
    Attenuation, Canonical, Denial, Grant, Limits, Name, Origin, Permit, PolicyBuilder,
    PolicyError, Request,
};

/// A compiled policy: a conjunction of layers, each of grants and denies.
///
/// Cheap to clone. The default policy allows nothing.
#[derive(Clone, Debug)]
pub struct Policy {
    outer: Level,
    inner: Arc<[Level]>,
}

/// Where a layer stands in a policy.
#[derive(Clone, Debug)]
struct Level {
    layer: Arc<Layer>,
    shadow: Shadow,
}

/// Whether a layer lets pass what it does not allow, and only tells of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shadow {
    /// All of it.
    All,
    /// What no deny matches.
    Grants,
    /// Nothing.
    Nothing,
}

impl Policy {
    /// A builder without any grant.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    pub(crate) fn new(layer: Layer) -> Self {
        Self {
            outer: Level::new(layer),
            inner: Arc::default(),
        }
    }

    /// Decides about a request: every layer must allow it. The first that does
    /// not gives the reason.
    pub fn check<R: Request>(&self, request: R) -> Result<Permit<R>, Denial> {
        let mut grant = None;
        let (mut denied, mut shadowed) = (None, None);
        for Level { layer, shadow } in self.levels() {
            // The guest can stack these, and they would say the same.
            let before: &Option<Refusals> = match shadow {
                Shadow::Nothing => &denied,
                Shadow::All | Shadow::Grants => &shadowed,
            };
            if layer.origin == Origin::Attenuated
                && let Some(refusals) = before
                && refusals.origins().any(|origin| *origin == layer.origin)
            {
                continue;
            }
            let grown = layer.grown();
            let layer = grown.as_ref().unwrap_or(layer);
            match request.decide(layer) {
                Ok(place) => grant = place.map(|place| (Arc::clone(layer), place)),
                Err(refusal) => {
                    let refusals = match shadow.passes(&refusal) {
                        true => &mut shadowed,
                        false => &mut denied,
                    };
                    Refusals::add(refusals, layer, refusal);
                }
            }
        }
        if let Some(refusals) = denied {
            return Err(Denial::new(request, refusals));
        }
        let shadowed = shadowed.map(|refusals| request.deny(refusals));
        Ok(Permit::new(request, grant, shadowed))
    }

    /// Whether any layer has a deny that matches a request. Layers without a deny are
    /// not asked, so that a question about denies costs nothing for the others.
    pub fn has_deny_of(&self, request: &impl Request) -> bool {
        let denying = self.layers().filter(|layer| layer.has_denies());
        let mut verdicts = denying.map(|layer| request.decide(layer));
        verdicts.any(|verdict| matches!(verdict, Err(Refusal::Denied(_))))
    }

    /// The policy that lets everything pass and tells of each permit what would
    /// have been the denial: to try a policy out, and to learn one. Its ceilings
    /// and the host's own denies hold all the same, and layers that are added
    /// to it deny as ever.
    #[must_use]
    pub fn shadowed(self) -> Self {
        self.shadowed_as(Shadow::All)
    }

    /// The same, but what a deny matches is denied as ever: to learn what is to
    /// be granted, where it is known what is not to be.
    #[must_use]
    pub fn shadowed_but_for_denies(self) -> Self {
        self.shadowed_as(Shadow::Grants)
    }

    /// The policy that can be granted more while it is in use, by
    /// [`Policy::grow`]. Its ceilings and the host's own denies hold all the
    /// same, and layers that are added to it stay as they are.
    #[must_use]
    pub fn growing(self) -> Self {
        self.map(|level| match level.layer.origin {
            Origin::Policy => level.with_layer(level.layer.growing()),
            Origin::Attenuated | Origin::Ceiling { .. } | Origin::Host | Origin::Socket => {
                level.clone()
            }
        })
    }

    /// Grants one thing more, in every clone of the policy and in what was made
    /// from it. Only a [growing](Policy::growing) policy takes it.
    pub fn grow(&self, grant: &Grant) {
        self.layers().for_each(|layer| layer.grow(grant));
    }

    /// The policy as it would be if it were granted one thing more: to see
    /// whether that would do, and to allow it once. It grows apart.
    #[must_use]
    pub fn supposing(&self, grant: &Grant) -> Self {
        self.clone()
            .map(|level| match level.layer.supposing(grant) {
                Some(supposed) => level.with_layer(supposed),
                None => level.clone(),
            })
    }

    /// The policy that allows only what both allow: this one's layers, and
    /// then those of `narrower`.
    #[must_use]
    pub fn and(&self, narrower: &Self) -> Self {
        Self {
            outer: self.outer.clone(),
            inner: (self.inner.iter())
                .chain(narrower.levels())
                .cloned()
                .collect(),
        }
    }

    /// The policy that allows what this one allows and one of `grants` does as
    /// well: for a guest that keeps itself from the rest.
    pub fn attenuate(&self, grants: &[impl AsRef<str>]) -> Result<Self, PolicyError> {
        Ok(self.attenuated(Attenuation::parse(grants)?))
    }

    /// Narrows the policy by grants that were read before: it allows only what both allow.
    #[must_use]
    pub fn attenuated(&self, by: Attenuation) -> Self {
        self.and(&Self::new(by.layer()))
    }

    /// The policy that also denies this, whatever is granted: for what a host
    /// keeps every guest from, such as the port that it serves its own metrics
    /// on. No grant overrides it, nor a socket that is opened for the guest, nor
    /// a policy that is [shadowed](Self::shadowed).
    ///
    /// ```
    /// # use portcullis_policy::{Connect, Policy, Protocol};
    /// let policy = Policy::builder().allow("connect tcp://loopback:*").build()?;
    /// let policy = policy.denying(&["connect tcp://127.0.0.1:9100"])?;
    /// let metrics = Connect::new(Protocol::Tcp, "127.0.0.1:9100".parse()?);
    /// let denial = policy.check(metrics).unwrap_err();
    /// assert_eq!(
    ///     denial.reason().to_string(),
    ///     "denied by: connect tcp://127.0.0.1:9100"
    /// );
    /// assert_eq!(denial.remedy(), None);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn denying(&self, denies: &[impl AsRef<str>]) -> Result<Self, PolicyError> {
        let mut own = PolicyBuilder::of("deny", Role::Deny, denies)?;
        own.allow = everything();
        Ok(Self::new(own.layer(Origin::Host)).and(self))
    }

    /// The policy with the same denies and the same `[hosts]`, that grants
    /// `grant` and nothing else: for a socket that is opened for a guest.
    /// Ceilings bound it as ever.
    #[must_use]
    pub fn granting(&self, grant: &Grant) -> Self {
        self.granting_all(slice::from_ref(grant))
    }

    /// The same for several grants.
    pub(crate) fn granting_all(&self, grants: &[Grant]) -> Self {
        self.clone().map(|level| Level {
            layer: match level.layer.origin {
                Origin::Attenuated | Origin::Policy | Origin::Socket => {
                    Arc::new(level.layer.granting(grants))
                }
                Origin::Ceiling { .. } | Origin::Host => Arc::clone(&level.layer),
            },
            shadow: level.shadow,
        })
    }

    /// How much a guest may use: of each limit the tightest of all layers.
    pub fn limits(&self) -> Limits {
        let layers = self.layers();
        layers.fold(Limits::default(), |limits, layer| limits.and(layer.limits))
    }

    /// How many layers there are: one for the policy itself, one for each of its
    /// ceilings, and those that were added.
    pub fn depth(&self) -> usize {
        1 + self.inner.len()
    }

    /// What its list of layers takes with one layer more.
    pub(crate) fn levels_footprint(&self) -> usize {
        footprint::shared(self.depth() * size_of::<Level>())
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

    /// The grants of the policy itself, in order: not those of its ceilings, which
    /// only bound it.
    pub fn grants(&self) -> impl Iterator<Item = Grant> {
        let own = self.own_lines();
        own.filter_map(|(role, grant)| (role == Role::Allow).then_some(grant))
    }

    /// The grants and denies of all layers, in order.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (Role, Grant)> {
        self.layers().flat_map(Layer::lines)
    }

    /// Those of the policy itself, without what bounds it.
    pub(crate) fn own_lines(&self) -> impl Iterator<Item = (Role, Grant)> {
        let own = self.layers().filter(|layer| layer.origin == Origin::Policy);
        own.flat_map(Layer::lines)
    }

    /// The names in the `[hosts]` tables of all layers.
    pub(crate) fn listed_hosts(&self) -> impl Iterator<Item = &Name> {
        self.layers().flat_map(|layer| layer.hosts.keys())
    }

    fn shadowed_as(self, shadow: Shadow) -> Self {
        self.map(|level| Level {
            shadow: match level.layer.origin {
                Origin::Attenuated | Origin::Policy | Origin::Socket => shadow,
                Origin::Ceiling { .. } | Origin::Host => level.shadow,
            },
            layer: Arc::clone(&level.layer),
        })
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.levels().map(|level| &*level.layer)
    }

    #[inline]
    fn levels(&self) -> impl Iterator<Item = &Level> {
        iter::once(&self.outer).chain(self.inner.iter())
    }

    fn map(self, change: impl Fn(&Level) -> Level) -> Self {
        Self {
            outer: change(&self.outer),
            inner: self.inner.iter().map(change).collect(),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Draft::default().layer(Origin::Policy))
    }
}

impl Level {
    fn new(layer: Layer) -> Self {
        Self {
            layer: Arc::new(layer),
            shadow: Shadow::Nothing,
        }
    }

    fn with_layer(&self, layer: Layer) -> Self {
        Self {
            layer: Arc::new(layer),
            ..*self
        }
    }
}

impl Shadow {
    fn passes(self, refusal: &Refusal) -> bool {
        match self {
            Self::All => true,
            Self::Grants => match refusal {
                Refusal::Denied(_) => false,
                Refusal::Silent => true,
            },
            Self::Nothing => false,
        }
    }
}
