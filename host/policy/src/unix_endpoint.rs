//! The endpoint of a request about a unix socket, and the question that it puts
//! to the rules. It must not know verbs apart.

use std::fmt;

use crate::grant::Kind;
use crate::layer::Layer;
use crate::nearest::{Aside, Difference, Differences};
use crate::place::Place;
use crate::question::Question;
use crate::request::{Explanation, Verdict};
use crate::rules::Rules;
use crate::unix_grant::UnixGrant;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::{Grant, Reason, UnixKind, UnixName};

/// A kind of unix socket and its name.
#[derive(Clone, Debug)]
pub(crate) struct UnixEndpoint {
    pub(crate) kind: UnixKind,
    pub(crate) name: UnixName,
}

impl UnixEndpoint {
    /// The whole decision about the endpoint.
    pub(crate) fn decide(&self, layer: &Layer, verb: Verb) -> Verdict {
        layer.decide(verb, self)
    }

    pub(crate) fn explain(&self, layer: &Layer, verb: Verb) -> Explanation {
        layer.explain(verb, self, |verb| self.grant(verb).into())
    }

    /// The narrowest grant that covers the endpoint.
    pub(crate) fn grant(&self, verb: Verb) -> UnixGrant {
        UnixGrant {
            verb,
            kind: self.kind,
            names: UnixPattern::from(&self.name),
        }
    }

    fn found(&self, rules: &Rules, verb: Verb) -> Option<Place> {
        rules.unix(verb, self.kind).matching(&self.name)
    }
}

impl Question for UnixEndpoint {
    fn denied(&self, denies: &Rules, verb: Verb) -> Option<Place> {
        self.found(denies, verb)
    }

    fn granted(&self, allows: &Rules, verb: Verb) -> Option<Place> {
        self.found(allows, verb)
    }

    fn almost_granted(&self, _allows: &Rules, _verb: Verb) -> Option<Reason> {
        None
    }

    fn near(&self, allows: &Rules) -> impl Iterator<Item = Place> {
        allows.near_unix(&self.name)
    }

    fn has_listeners(&self) -> bool {
        self.kind == UnixKind::Stream
    }

    fn aside(&self, _grant: &Grant) -> Option<Aside> {
        None
    }

    fn differences(&self, grant: &Grant, verb: Verb) -> Option<Differences> {
        match grant.kind() {
            Kind::Unix(grant) => Differences::few([
                (Difference::Verb, verb.covered_by().contains(&grant.verb)),
                (Difference::Protocol, grant.kind == self.kind),
                (Difference::Path, grant.names.matches(&self.name)),
            ]),
            Kind::Resolve(_) | Kind::Socket(_) => None,
        }
    }
}

impl fmt::Display for UnixEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}
