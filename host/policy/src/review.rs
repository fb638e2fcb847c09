//! What is worth a second look in a policy that is well formed. It must not warn of
//! what is as it should be: each warning is what the policy decides.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::grant::Kind;
use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::ports::Ports;
use crate::range::Range;
use crate::socket_grant::{Role, SocketGrant};
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::{Change, Connect, Grant, Group, Name, Policy, Reason};

/// What a policy holds, and what is worth a second look.
#[derive(Clone, Debug)]
pub struct Review {
    /// How many grants it has.
    pub grants: usize,
    /// How many denies.
    pub denies: usize,
    /// How many names in `[hosts]`.
    pub hosts: usize,
    /// How many limits.
    pub limits: usize,
    /// What is worth a second look.
    pub warnings: Vec<Warning>,
    /// How many grants were not compared with others, since there is too much to
    /// compare.
    pub skipped: usize,
}

/// Something about a grant that is worth a second look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Warning {
    /// The grant.
    pub grant: Grant,
    /// What it is.
    pub concern: Concern,
}

/// What is worth a second look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Concern {
    /// `[hosts]` leads the name of the grant where the grant does not.
    Astray {
        /// The name.
        name: Name,
        /// Where `[hosts]` leads it.
        address: IpAddr,
        /// The grant that would lead there, as a flag.
        remedy: Option<String>,
    },
    /// All of it is denied, or beyond a ceiling.
    Denied,
    /// Another grant covers it.
    Redundant {
        /// The other grant.
        by: Grant,
    },
    /// It reaches more than one may think.
    Wide {
        /// What it reaches.
        reach: &'static str,
    },
}

/// How many grants are compared with each other.
const MOST_GRANTS: usize = 512;

impl Policy {
    /// Looks through the policy.
    pub fn review(&self) -> Review {
        let lines: Vec<(Role, Grant)> = self.own_lines().collect();
        let of = |role: Role| lines.iter().filter(move |(own, _)| *own == role);
        let grants: Vec<&Grant> = of(Role::Allow).map(|(_, grant)| grant).collect();
        let mut review = Review {
            grants: grants.len(),
            denies: of(Role::Deny).count(),
            hosts: self.listed_hosts().collect::<BTreeSet<_>>().len(),
            limits: self.limits().count(),
            warnings: Vec::new(),
            skipped: grants.len().saturating_sub(MOST_GRANTS),
        };
        let compared = grants.get(..MOST_GRANTS).unwrap_or(&grants);
        let alone: Vec<Policy> = compared.iter().map(|grant| self.granting(grant)).collect();
        for (index, grant) in grants.iter().copied().enumerate() {
            let mut warn = |concern| {
                review.warnings.push(Warning {
                    grant: grant.clone(),
                    concern,
                });
            };
            wide(grant).into_iter().for_each(&mut warn);
            self.astray(grant).into_iter().for_each(&mut warn);
            match self.useless(index, compared, &alone) {
                Ok(concern) => concern.into_iter().for_each(&mut warn),
                Err(TooMuch) => review.skipped += 1,
            }
        }
        review
    }

    /// Whether a grant adds nothing: because of a deny, or of another grant.
    fn useless(
        &self,
        index: usize,
        grants: &[&Grant],
        alone: &[Policy],
    ) -> Result<Option<Concern>, TooMuch> {
        let (Some(grant), Some(own)) = (grants.get(index), alone.get(index)) else {
            return Ok(None);
        };
        let opened = self.granting_all(&[]).diff(own).map_err(|_| TooMuch)?;
        // To look up what one may not reach is not what such a grant is for.
        let is_for_lookups = matches!(grant.kind(), Kind::Resolve(_));
        let is_worth_it = |change: &Change| is_for_lookups || !change.is_about_lookups();
        if !opened.changes().iter().any(is_worth_it) {
            return Ok(Some(Concern::Denied));
        }
        for (other_index, (other, alone)) in grants.iter().zip(alone).enumerate() {
            let mut changes = opened.changes().iter();
            if other_index == index
                || !changes.all(|change| alone.check(change.sample().clone()).is_ok())
            {
                continue;
            }
            let both = self.granting_all(&[(*grant).clone(), (*other).clone()]);
            if !alone.diff(&both).map_err(|_| TooMuch)?.changes().is_empty() {
                continue;
            }
            // Of two that say the same the first one stays.
            let is_same = || own.diff(&both).is_ok_and(|diff| diff.changes().is_empty());
            if other_index < index || !is_same() {
                return Ok(Some(Concern::Redundant {
                    by: (*other).clone(),
                }));
            }
        }
        Ok(None)
    }

    /// Where `[hosts]` leads the name of a grant, if nothing lets it go there.
    fn astray(&self, grant: &Grant) -> Option<Concern> {
        let Kind::Socket(socket) = grant.kind() else {
            return None;
        };
        let HostPattern::Names(NamePattern::Exact(name)) = &socket.host else {
            return None;
        };
        let port = match &socket.ports {
            Ports::All => 1,
            Ports::List(items) => *items.first()?.start(),
        };
        self.hosts(name)?.iter().find_map(|address| {
            let connect = Connect::new(socket.protocol, (*address, port).into());
            let denial = self.check(connect.named(name.clone())).err()?;
            let is_astray = matches!(denial.reason(), Reason::NotInRange { .. });
            (is_astray && socket.verb == Verb::Connect).then(|| Concern::Astray {
                name: name.clone(),
                address: *address,
                remedy: denial.remedy(),
            })
        })
    }
}

/// There is too much to compare.
struct TooMuch;

fn wide(grant: &Grant) -> Option<Concern> {
    let reach = match grant.kind() {
        Kind::Resolve(names) => match **names {
            NamePattern::Any => "every name may be looked up, and each lookup can carry data out",
            NamePattern::Exact(_) | NamePattern::Under(_) => return None,
        },
        Kind::Socket(grant) => wide_socket(grant)?,
        Kind::Unix(grant) => match &grant.names {
            UnixPattern::AnyAbstract if grant.verb == Verb::Connect => {
                "every abstract socket is reached, those of desktop sessions among them"
            }
            UnixPattern::Under(folder) if folder.is_empty() => "every path is reached",
            UnixPattern::AnyAbstract
            | UnixPattern::Exact(_)
            | UnixPattern::In(_)
            | UnixPattern::Under(_) => return None,
        },
    };
    Some(Concern::Wide { reach })
}

fn wide_socket(grant: &SocketGrant) -> Option<&'static str> {
    let is_everything = |range: &Range| match range {
        Range::Group(_) => false,
        Range::Network(network) => network.prefix_len() == 0,
    };
    let has_metadata = |range: &Range| {
        let mut metadata = Group::Metadata.networks().iter();
        range.names_metadata() && metadata.any(|network| range.covers(network))
    };
    let is_any = |range: &Range| matches!(range, Range::Group(Group::Any));
    match (&grant.host, grant.verb) {
        (HostPattern::Addresses(range), Verb::Connect) if is_everything(range) => Some(
            "every address is reached: loopback, private networks and the metadata of clouds as well",
        ),
        (HostPattern::Addresses(range), Verb::Connect) if is_any(range) => {
            Some("every address but metadata is reached: loopback and private networks as well")
        }
        (HostPattern::Addresses(range), Verb::Connect) if has_metadata(range) => {
            Some("metadata is reached, where clouds keep credentials")
        }
        (HostPattern::Names(NamePattern::Any), Verb::Connect) if grant.ports == Ports::All => {
            Some("every public address is reached, on every port")
        }
        (HostPattern::Names(NamePattern::Any), Verb::Listen) if grant.ports == Ports::All => Some(
            "every port of this machine may be listened on, and shared with a server that \
                 allows it (SO_REUSEPORT, of datagrams SO_REUSEADDR)",
        ),
        (_, Verb::Listen) if grant.ports.single().is_none() => Some(
            "a server at one of these ports that allows it (SO_REUSEPORT, of datagrams \
             SO_REUSEADDR) shares with the guest what comes there",
        ),
        (HostPattern::Names(_), _) => {
            let within = || grant.within.iter().flat_map(|ranges| ranges.iter());
            if within().any(|range| is_everything(&range) || has_metadata(&range)) {
                return Some(
                    "whoever answers for the name may lead it to metadata, where clouds keep credentials",
                );
            }
            within().any(|range| is_any(&range)).then_some(
                "whoever answers for the name may lead it to loopback and private networks",
            )
        }
        (HostPattern::Addresses(_), _) => None,
    }
}

/// On one line: the grant, and what is worth a second look.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grant, concern } = self;
        write!(f, "{grant}: {concern}")
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Astray {
                name,
                address,
                remedy,
            } => {
                write!(
                    f,
                    "[hosts] leads {name} to {address}, which the grant does not cover"
                )?;
                match remedy {
                    Some(remedy) => write!(f, "; to allow: {remedy}"),
                    None => Ok(()),
                }
            }
            Self::Denied => {
                f.write_str("it grants nothing: all of it is denied, or beyond a ceiling")
            }
            Self::Redundant { by } => write!(f, "covered already by: {by}"),
            Self::Wide { reach } => f.write_str(reach),
        }
    }
}
