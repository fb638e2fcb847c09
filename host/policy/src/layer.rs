//! One policy on its own: denies weighed against grants. It must not know
//! about the other layers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use crate::nearest::{Differences, Nearest};
use crate::question::Question;
use crate::request::{Refusal, Remedy, Verdict};
use crate::rules::Rules;
use crate::socket_grant::Role;
use crate::verb::Verb;
use crate::{Grant, Limits, Name, Origin, Reason};

/// The grants, the denies and the rest of one origin.
#[derive(Debug)]
pub struct Layer {
    pub(crate) origin: Origin,
    pub(crate) allow: Rules,
    pub(crate) deny: Arc<Rules>,
    /// The allows once more, in order: to find the nearest one for a denial.
    allowed: Vec<Grant>,
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
    Denied(Grant),
    Granted(Grant),
    Silent,
}

impl Layer {
    pub(crate) fn new(
        origin: Origin,
        allow: Vec<Grant>,
        deny: &[Grant],
        limits: Limits,
        host_name: Option<Name>,
        hosts: HashMap<Name, Vec<IpAddr>>,
    ) -> Self {
        Self {
            origin,
            allow: Rules::new(Role::Allow, &allow),
            deny: Arc::new(Rules::new(Role::Deny, deny)),
            allowed: allow,
            limits,
            host_name,
            hosts_by_address: by_address(&hosts),
            hosts,
            growth: None,
        }
    }

    /// The same but for its grants, of which there is only this one: for a
    /// socket that is opened for the guest.
    pub(crate) fn granting(&self, grant: &Grant) -> Self {
        self.allowing(Origin::Socket, vec![grant.clone()])
    }

    /// The same, but it can be granted more while it is in use.
    pub(crate) fn growing(&self) -> Self {
        Self {
            growth: Some(RwLock::default()),
            ..self.allowing(self.origin.clone(), self.allowed.clone())
        }
    }

    /// The layer as it has grown by now; none if it has not.
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
        let mut allowed = now.allowed.clone();
        allowed.push(grant.clone());
        Some(Self {
            growth: Some(RwLock::default()),
            ..self.allowing(self.origin.clone(), allowed)
        })
    }

    /// Grants one thing more, if the layer can grow.
    pub(crate) fn grow(&self, grant: &Grant) {
        let supposed = self.supposing(grant);
        if let (Some(growth), Some(supposed)) = (&self.growth, supposed) {
            *growth.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(supposed));
        }
    }

    /// The same but for whose it is and its grants.
    fn allowing(&self, origin: Origin, allowed: Vec<Grant>) -> Self {
        Self {
            origin,
            allow: Rules::new(Role::Allow, &allowed),
            deny: Arc::clone(&self.deny),
            allowed,
            limits: self.limits,
            host_name: self.host_name.clone(),
            hosts: self.hosts.clone(),
            hosts_by_address: self.hosts_by_address.clone(),
            growth: None,
        }
    }

    /// The whole decision about what one question asks. `remedy` is the
    /// narrowest grant that covers it, of a verb.
    pub(crate) fn decide(
        &self,
        verb: Verb,
        question: &impl Question,
        remedy: impl Fn(Verb) -> Grant,
    ) -> Verdict {
        match self.ruling(verb, question) {
            Ruling::Denied(deny) => Err(Refusal::denied(deny)),
            Ruling::Granted(grant) => Ok(Some(grant)),
            Ruling::Silent => Err(self.refusal(verb, question, remedy)),
        }
    }

    /// Why the rules are silent, and what would change that.
    pub(crate) fn refusal(
        &self,
        verb: Verb,
        question: &impl Question,
        remedy: impl Fn(Verb) -> Grant,
    ) -> Refusal {
        let reason = self.silence(verb, question);
        let remedy = match self.is_likely_to_listen(verb, question, &reason) {
            true => Remedy {
                grant: remedy(Verb::Listen),
                to_bind: Some(remedy(verb)),
            },
            false => remedy(verb).into(),
        };
        Refusal::new(reason, remedy)
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
        // A grant to listen is one to bind, unless listening is denied.
        match verb {
            Verb::Bind => match self.ruling(Verb::Listen, question) {
                Ruling::Granted(grant) => Ruling::Granted(grant),
                Ruling::Denied(_) | Ruling::Silent => Ruling::Silent,
            },
            Verb::Connect | Verb::Join | Verb::Listen => Ruling::Silent,
        }
    }

    pub(crate) fn denial(&self, verb: Verb, question: &impl Question) -> Option<Grant> {
        question.denied(&self.deny, verb)
    }

    pub(crate) fn grant(&self, verb: Verb, question: &impl Question) -> Option<Grant> {
        question.granted(&self.allow, verb)
    }

    /// Why the rules were silent.
    pub(crate) fn silence(&self, verb: Verb, question: &impl Question) -> Reason {
        self.withheld(verb, question)
            .or_else(|| question.almost_granted(&self.allow, verb))
            .unwrap_or_else(|| self.no_grant(|grant| question.differences(grant, verb)))
    }

    /// That there is no grant, and which comes closest by what `differences`
    /// says of each that comes close.
    pub(crate) fn no_grant(&self, differences: impl Fn(&Grant) -> Option<Differences>) -> Reason {
        Reason::NoGrant {
            nearest: Nearest::among(&self.allowed, differences),
        }
    }

    /// The deny of listening that keeps a grant to listen from covering a bind.
    fn withheld(&self, verb: Verb, question: &impl Question) -> Option<Reason> {
        let listen = (verb == Verb::Bind).then_some(Verb::Listen)?;
        self.grant(listen, question)?;
        let deny = self.denial(listen, question)?;
        Some(Reason::DeniedBy { deny })
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
