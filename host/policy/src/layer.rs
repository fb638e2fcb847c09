//! One policy on its own: denies weighed against grants. It must not know
//! about the other layers.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::endpoint::{Endpoint, Query};
use crate::nearest::Nearest;
use crate::request::{Refusal, Verdict};
use crate::rules::Rules;
use crate::socket_grant::Role;
use crate::verb::Verb;
use crate::{Grant, Group, Name, Reason};

/// What one builder built.
#[derive(Debug, Default)]
pub struct Layer {
    pub(crate) allow: Rules,
    pub(crate) deny: Rules,
    /// The allows once more, in order: to find the nearest one for a denial.
    allowed: Vec<Grant>,
    pub(crate) host_name: Option<Name>,
    pub(crate) hosts: HashMap<Name, Vec<IpAddr>>,
}

/// What the rules say about a query.
pub(crate) enum Ruling {
    Denied(Grant),
    Granted(Grant),
    Silent,
}

impl Layer {
    pub(crate) fn new(
        allow: Vec<Grant>,
        deny: &[Grant],
        host_name: Option<Name>,
        hosts: HashMap<Name, Vec<IpAddr>>,
    ) -> Self {
        Self {
            allow: Rules::new(Role::Allow, &allow),
            deny: Rules::new(Role::Deny, deny),
            allowed: allow,
            host_name,
            hosts,
        }
    }

    /// The whole decision about an endpoint that one query describes.
    pub(crate) fn decide(&self, verb: Verb, endpoint: &Endpoint) -> Verdict {
        let query = endpoint.query();
        match self.ruling(verb, &query) {
            Ruling::Denied(deny) => Err(Refusal::denied(deny)),
            Ruling::Granted(grant) => Ok(Some(grant)),
            Ruling::Silent => Err(Refusal::new(
                self.silence(verb, &query),
                endpoint.grant(verb),
            )),
        }
    }

    pub(crate) fn ruling(&self, verb: Verb, query: &Query<'_>) -> Ruling {
        if let Some(deny) = self.denial(verb, query) {
            return Ruling::Denied(deny);
        }
        if let Some(grant) = self.grant(verb, query) {
            return Ruling::Granted(grant);
        }
        // A grant to listen is one to bind, unless listening is denied.
        match verb {
            Verb::Bind => match self.ruling(Verb::Listen, query) {
                Ruling::Granted(grant) => Ruling::Granted(grant),
                Ruling::Denied(_) | Ruling::Silent => Ruling::Silent,
            },
            Verb::Connect | Verb::Listen => Ruling::Silent,
        }
    }

    /// A deny of the verb. One that is bounded by `from` is about peers only.
    pub(crate) fn denial(&self, verb: Verb, query: &Query<'_>) -> Option<Grant> {
        self.deny
            .table(verb, query.protocol)
            .denying(query)
            .find(|deny| deny.from.is_none())
            .map(Grant::from)
    }

    pub(crate) fn grant(&self, verb: Verb, query: &Query<'_>) -> Option<Grant> {
        self.allow
            .table(verb, query.protocol)
            .granting(query)
            .next()
            .map(Grant::from)
    }

    /// Why the rules were silent on a query.
    pub(crate) fn silence(&self, verb: Verb, query: &Query<'_>) -> Reason {
        self.withheld(verb, query)
            .or_else(|| self.out_of_range(verb, query))
            .unwrap_or_else(|| Reason::NoGrant {
                nearest: Nearest::among(&self.allowed, verb, query),
            })
    }

    /// The deny of listening that keeps a grant to listen from covering a bind.
    fn withheld(&self, verb: Verb, query: &Query<'_>) -> Option<Reason> {
        let listen = (verb == Verb::Bind).then_some(Verb::Listen)?;
        self.grant(listen, query)?;
        let deny = self.denial(listen, query)?;
        Some(Reason::DeniedBy { deny })
    }

    /// The grant that covers the name, but not the address it led to.
    fn out_of_range(&self, verb: Verb, query: &Query<'_>) -> Option<Reason> {
        let (name, address) = (query.name?, query.reach?.addr());
        let grant = verb
            .covered_by()
            .iter()
            .flat_map(|verb| self.allow.table(*verb, query.protocol).naming(name))
            .find(|grant| grant.ports.contain(query.port))?;
        Some(Reason::NotInRange {
            name: name.clone(),
            address,
            class: Group::of(address),
            grant: grant.into(),
        })
    }
}
