//! The grant that would almost have covered a request. It must not be asked
//! before a request is denied: it looks at every grant.

use std::fmt;

use crate::Grant;
use crate::endpoint::Query;
use crate::grant::Kind;
use crate::name_pattern::NamePattern;
use crate::socket_grant::{Role, SocketGrant};
use crate::verb::Verb;

/// A grant that comes close to covering a request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Nearest {
    grant: Grant,
    differences: Vec<Difference>,
}

/// In what a grant differs from a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Difference {
    /// The verb does not cover the operation.
    Verb,
    /// The protocol is the other one.
    Protocol,
    /// The host covers neither the name nor the address.
    Host,
    /// The ports do not hold the port.
    Port,
}

impl Nearest {
    /// The grant.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// In what it differs: one thing, or two.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// The first of the grants that differ least. More than two differences of
    /// four are not close.
    pub(crate) fn among(grants: &[Grant], verb: Verb, query: &Query<'_>) -> Option<Self> {
        grants
            .iter()
            .filter_map(|grant| {
                let differences = match grant.kind() {
                    Kind::Resolve(names) => resolve_differences(names, query)?,
                    Kind::Socket(grant) => socket_differences(grant, verb, query),
                };
                Some(Self {
                    grant: grant.clone(),
                    differences,
                })
            })
            .filter(|nearest| nearest.differences.len() <= 2)
            .min_by_key(|nearest| nearest.differences.len())
    }
}

fn socket_differences(grant: &SocketGrant, verb: Verb, query: &Query<'_>) -> Vec<Difference> {
    [
        (Difference::Verb, verb.covered_by().contains(&grant.verb)),
        (Difference::Protocol, grant.protocol == query.protocol),
        (Difference::Host, has_host_of(grant, query)),
        (Difference::Port, grant.ports.contain(query.port)),
    ]
    .into_iter()
    .filter_map(|(difference, same)| (!same).then_some(difference))
    .collect()
}

/// A grant of `resolve` has nothing but the name in common with an endpoint.
fn resolve_differences(names: &NamePattern, query: &Query<'_>) -> Option<Vec<Difference>> {
    query
        .name
        .is_some_and(|name| names.matches(name))
        .then(|| vec![Difference::Verb])
}

fn has_host_of(grant: &SocketGrant, query: &Query<'_>) -> bool {
    let by_address = query
        .reach
        .zip(grant.addresses(Role::Allow))
        .is_some_and(|(reach, range)| range.covers(&reach));
    let by_name = query
        .name
        .zip(grant.names(Role::Allow))
        .is_some_and(|(name, names)| names.matches(name));
    by_address || by_name
}

/// The grant, and then what differs: `(port differs)`.
impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.grant)?;
        for (index, difference) in self.differences.iter().enumerate() {
            if index > 0 {
                f.write_str(" and ")?;
            }
            difference.fmt(f)?;
        }
        f.write_str(if self.differences.len() == 1 {
            " differs)"
        } else {
            " differ)"
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verb => "verb",
            Self::Protocol => "protocol",
            Self::Host => "host",
            Self::Port => "port",
        })
    }
}
