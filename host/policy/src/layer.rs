//! One policy on its own: denies weighed against grants. It must not know
//! about the other layers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use crate::footprint;
use crate::nearest::Nearest;
use crate::place::Place;
use crate::question::Question;
use crate::request::{Explanation, Refusal, Remedy, Verdict};
use crate::rules::Rules;
use crate::socket_grant::Role;
use crate::verb::Verb;
use crate::{Grant, Limits, Name, Origin, Reason};

/// The grants, the denies and the rest of one origin.
#[derive(Debug)]
pub struct Layer {
    pub(crate) origin: Origin,
    /// Whose its denies are.
    pub(crate) denier: Origin,
    pub(crate) allow: Rules,
    pub(crate) deny: Arc<Rules>,
    pub(crate) limits: Limits,
    pub(crate) host_name: Option<Name>,
    pub(crate) hosts: HashMap<Name, Vec<IpAddr>>,
    /// `hosts` the other way round; of each address, the names in order.
    pub(crate) hosts_by_address: HashMap<IpAddr, Vec<Name>>,
    /// The layer with what it was granted since, where it can be.
    growth: Option<RwLock<Option<Arc<Layer>>>>,
}

/// What the rules say to a question.
pub(crate) enum Ruling {
    Denied(Place),
    Granted(Place),
    Silent,
    /// A grant to listen would cover the bind, but for this deny of listening.
    Withheld(Place),
}

impl Layer {
    pub(crate) fn new(
        origin: Origin,
        allow: Vec<Grant>,
        deny: Vec<Grant>,
        limits: Limits,
        host_name: Option<Name>,
        hosts: HashMap<Name, Vec<IpAddr>>,
    ) -> Self {
        Self {
            denier: origin.clone(),
            origin,
            allow: Rules::new(Role::Allow, allow),
            deny: Arc::new(Rules::new(Role::Deny, deny)),
            limits,
            host_name,
            hosts_by_address: by_address(&hosts),
            hosts,
            growth: None,
        }
    }

    /// How much memory a layer takes without a grant.
    pub(crate) const fn footprint() -> usize {
        footprint::shared(size_of::<Self>()) + footprint::shared(size_of::<Rules>()) + Rules::EMPTY
    }

    /// Whether it denies anything in so many words.
    pub(crate) fn has_denies(&self) -> bool {
        !self.deny.grants().is_empty()
    }

    /// The same but for its grants, which are these: for a socket that is opened
    /// for the guest.
    pub(crate) fn granting(&self, grants: &[Grant]) -> Self {
        self.allowing(Origin::Socket, grants.to_vec())
    }

    /// The same, but it can be granted more while it is in use.
    pub(crate) fn growing(&self) -> Self {
        Self {
            growth: Some(RwLock::default()),
            ..self.allowing(self.origin.clone(), self.allow.grants().to_vec())
        }
    }

    /// The layer as it has grown by now; none if it has not.
    #[inline]
    pub(crate) fn grown(&self) -> Option<Arc<Self>> {
        let growth = self.growth.as_ref()?;
        growth
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The layer as it would be with one more grant; none if it cannot grow.
    pub(crate) fn supposing(&self, grant: &Grant) -> Option<Self> {
        self.growth.as_ref()?;
        let grown = self.grown();
        let now = grown.as_deref().unwrap_or(self);
        let mut grants = now.allow.grants().to_vec();
        grants.push(grant.clone());
        Some(Self {
            growth: Some(RwLock::default()),
            ..self.allowing(self.origin.clone(), grants)
        })
    }

    /// Grants one thing more, if the layer can grow.
    pub(crate) fn grow(&self, grant: &Grant) {
        let supposed = self.supposing(grant);
        if let (Some(growth), Some(supposed)) = (&self.growth, supposed) {
            *growth.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(supposed));
        }
    }

    /// The same but for its grants and whose they are.
    fn allowing(&self, origin: Origin, grants: Vec<Grant>) -> Self {
        Self {
            origin,
            denier: self.denier.clone(),
            allow: Rules::new(Role::Allow, grants),
            deny: Arc::clone(&self.deny),
            limits: self.limits,
            host_name: self.host_name.clone(),
            hosts: self.hosts.clone(),
            hosts_by_address: self.hosts_by_address.clone(),
            growth: None,
        }
    }

    /// The grants and denies as they are by now, in order.
    pub(crate) fn lines(&self) -> Vec<(Role, Grant)> {
        let grown = self.grown();
        let now = grown.as_deref().unwrap_or(self);
        let allows = now.allow.grants().iter().map(|grant| (Role::Allow, grant));
        let denies = now.deny.grants().iter().map(|deny| (Role::Deny, deny));
        let lines = allows.chain(denies);
        lines.map(|(role, line)| (role, line.clone())).collect()
    }

    /// The whole decision about what one question asks.
    pub(crate) fn decide(&self, verb: Verb, question: &impl Question) -> Verdict {
        match self.ruling(verb, question) {
            Ruling::Granted(grant) => Ok(Some(grant)),
            Ruling::Denied(deny) | Ruling::Withheld(deny) => Err(Refusal::Denied(deny)),
            Ruling::Silent => Err(Refusal::Silent),
        }
    }

    /// Why the rules were silent, and what would make them speak. `remedy` is the
    /// narrowest grant that covers what is asked, of a verb.
    pub(crate) fn explain(
        &self,
        verb: Verb,
        question: &impl Question,
        remedy: impl Fn(Verb) -> Grant,
    ) -> Explanation {
        let reason = self.silence(verb, question);
        let remedy = match self.is_likely_to_listen(verb, question, &reason) {
            true => Remedy {
                grant: remedy(Verb::Listen),
                to_bind: Some(remedy(verb)),
            },
            false => remedy(verb).into(),
        };
        Explanation {
            reason,
            remedy: Some(remedy),
        }
    }

    /// Whether what is bound is better granted as a listener: a server binds
    /// first, and few other sockets do. Not if that would not help, nor where
    /// somebody thought of binding.
    fn is_likely_to_listen(&self, verb: Verb, question: &impl Question, reason: &Reason) -> bool {
        verb == Verb::Bind
            && question.has_listeners()
            && reason.grant().is_none_or(|grant| !grant.is_of(verb))
            && self.denial(Verb::Listen, question).is_none()
    }

    pub(crate) fn ruling(&self, verb: Verb, question: &impl Question) -> Ruling {
        if let Some(deny) = self.denial(verb, question) {
            return Ruling::Denied(deny);
        }
        if let Some(grant) = self.grant(verb, question) {
            return Ruling::Granted(grant);
        }
        match verb {
            Verb::Bind => self.ruling_by_listen(question),
            Verb::Connect | Verb::Join | Verb::Listen => Ruling::Silent,
        }
    }

    /// A grant to listen is one to bind, unless listening is denied.
    fn ruling_by_listen(&self, question: &impl Question) -> Ruling {
        let Some(grant) = self.grant(Verb::Listen, question) else {
            return Ruling::Silent;
        };
        match self.denial(Verb::Listen, question) {
            Some(deny) => Ruling::Withheld(deny),
            None => Ruling::Granted(grant),
        }
    }

    pub(crate) fn denial(&self, verb: Verb, question: &impl Question) -> Option<Place> {
        question.denied(&self.deny, verb)
    }

    pub(crate) fn grant(&self, verb: Verb, question: &impl Question) -> Option<Place> {
        question.granted(&self.allow, verb)
    }

    /// Why the rules were silent.
    pub(crate) fn silence(&self, verb: Verb, question: &impl Question) -> Reason {
        let almost = question.almost_granted(&self.allow, verb);
        almost.unwrap_or_else(|| Reason::NoGrant {
            nearest: Nearest::among(&self.allow, question.near(&self.allow), |grant| {
                question.differences(grant, verb)
            })
            .map(|nearest| {
                let aside = question.aside(nearest.grant());
                nearest.with_aside(aside)
            }),
        })
    }
}

fn by_address(hosts: &HashMap<Name, Vec<IpAddr>>) -> HashMap<IpAddr, Vec<Name>> {
    let mut names: HashMap<IpAddr, Vec<Name>> = HashMap::new();
    for (name, addresses) in hosts {
        for address in addresses {
            names.entry(*address).or_default().push(name.clone());
        }
    }
    names.values_mut().for_each(|names| names.sort_unstable());
    names
}
