//! The grant that would almost have covered a request. It must not be asked
//! before a request is denied, nor look at every grant: who is denied may ask
//! again and again.

use std::fmt;

use std::net::IpAddr;

use crate::name_pattern::NamePattern;
use crate::place::Place;
use crate::rules::Rules;
use crate::{Grant, Group};

/// A grant that comes close to covering a request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Nearest {
    grant: Grant,
    differences: Vec<Difference>,
    aside: Option<Aside>,
}

/// Why a host differs that seems to be the same.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Aside {
    /// The grant names loopback, and the guest asked for a number.
    ByNumber { names: NamePattern, address: IpAddr },
    /// The grant says `*`, which is public addresses.
    NotPublic {
        address: IpAddr,
        class: Option<Group>,
    },
}

/// In what a grant differs from a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Difference {
    /// The verb does not cover the operation.
    Verb,
    /// The path or the abstract name of a unix socket does not match.
    Path,
    /// The protocol, or the kind of unix socket, is the other one.
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

    /// The grant that differs least, by what `differences` says of each that
    /// comes close, and of several the one with the first place.
    pub(crate) fn among(
        allows: &Rules,
        places: impl Iterator<Item = Place>,
        differences: impl Fn(&Grant) -> Option<Differences>,
    ) -> Option<Self> {
        let (_, grant, differences) = places
            .filter_map(|place| {
                let grant = allows.at(place)?;
                Some((place, grant, differences(grant)?))
            })
            .min_by_key(|(place, _, differences)| (differences.len(), *place))?;
        Some(Self {
            grant: grant.clone(),
            differences: differences.into(),
            aside: None,
        })
    }

    /// The nearest grant with a remark on its host, if it is the host that differs.
    pub(crate) fn with_aside(self, aside: Option<Aside>) -> Self {
        let is_about_the_host = self.differences.contains(&Difference::Host);
        Self {
            aside: aside.filter(|_| is_about_the_host),
            ..self
        }
    }
}

/// The few differences of a grant that comes close.
#[derive(Clone, Copy)]
pub(crate) struct Differences([Option<Difference>; 2]);

impl Differences {
    /// The aspects that do not agree; none if they are more than half of all,
    /// which is not close, or more than two.
    pub(crate) fn few<const N: usize>(aspects: [(Difference, bool); N]) -> Option<Self> {
        let mut differing = aspects
            .into_iter()
            .filter_map(|(difference, same)| (!same).then_some(difference));
        let few = [differing.next(), differing.next()];
        let close = differing.next().is_none() && 2 * few.iter().flatten().count() <= N;
        close.then_some(Self(few))
    }

    fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

impl From<Differences> for Vec<Difference> {
    fn from(Differences(few): Differences) -> Self {
        few.into_iter().flatten().collect()
    }
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
        })?;
        match &self.aside {
            Some(aside) => write!(f, "; {aside}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByNumber { names, address } => write!(
                f,
                "`{names}` covers what is asked for by that name, and {address} is a number; \
                 `loopback` covers both"
            ),
            Self::NotPublic {
                address,
                class: Some(class),
            } => write!(
                f,
                "`*` is public addresses, and {address} is {class}, which `{class}` covers"
            ),
            Self::NotPublic {
                address,
                class: None,
            } => write!(
                f,
                "`*` is public addresses, and {address} is special, which `any` covers"
            ),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verb => "verb",
            Self::Path => "path",
            Self::Protocol => "protocol",
            Self::Host => "host",
            Self::Port => "port",
        })
    }
}
