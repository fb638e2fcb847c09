//! What a change of policy opens and closes, in requests. It must not compare
//! text: each answer is what both policies decide.

mod change;
mod coverage;
mod items;
mod lookups;
mod names;
mod paths;
mod ports;
mod set;
mod settings;
mod sockets;
mod space;
mod spelling;
mod tree;
mod unix;
mod wording;

use std::fmt;

pub use change::{Change, Effect};
pub use settings::Setting;

use crate::diff::items::Items;
use crate::diff::lookups::{Lookups, broadcast};
use crate::diff::sockets::Sockets;
use crate::diff::space::Space;
use crate::diff::unix::UnixSpace;
use crate::socket_grant::Role;
use crate::verb::Verb;
use crate::{AnyRequest, Grant, Policy, Protocol, UnixKind};

/// What differs between two policies.
///
/// Requests of which neither policy says anything special are decided together, by
/// one of them.
#[derive(Debug)]
pub struct Diff {
    changes: Vec<Change>,
    settings: Vec<Setting>,
    spaces: Vec<Space>,
    unix: Vec<UnixSpace>,
    lookups: Lookups,
}

/// Why two policies were not compared: there is too much to tell apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TooComplex {
    /// How many decisions it would take.
    pub decisions: usize,
}

/// How many decisions a comparison may take: some seconds.
const MOST_DECISIONS: usize = 1 << 20;

impl Policy {
    /// What becomes of requests where `after` takes the place of this policy.
    ///
    /// # Errors
    ///
    /// Where that takes more than a million decisions.
    pub fn diff(&self, after: &Self) -> Result<Diff, TooComplex> {
        Diff::new(self, after)
    }
}

impl Diff {
    fn new(before: &Policy, after: &Policy) -> Result<Self, TooComplex> {
        let lines: Vec<(Role, Grant)> = before.lines().chain(after.lines()).collect();
        let lines: Vec<(Role, &Grant)> = lines.iter().map(|(role, line)| (*role, line)).collect();
        let space = |verbs, protocol| Space::new(verbs, protocol, lines.iter().copied());
        let spaces = vec![
            space(&[Verb::Connect], Protocol::Tcp),
            space(&[Verb::Connect], Protocol::Udp),
            space(&[Verb::Listen, Verb::Bind], Protocol::Tcp),
            space(&[Verb::Listen, Verb::Bind], Protocol::Udp),
            space(&[Verb::Join], Protocol::Udp),
        ];
        let unix = [UnixKind::Stream, UnixKind::Datagram]
            .map(|kind| UnixSpace::new(kind, lines.iter().map(|(_, grant)| *grant)));
        let mut diff = Self {
            changes: Vec::new(),
            settings: settings::differing(before, after),
            lookups: Lookups::new(&lines, &spaces),
            spaces,
            unix: unix.into(),
        };
        let decisions = diff.decisions();
        if decisions > MOST_DECISIONS {
            return Err(TooComplex { decisions });
        }
        diff.changes = diff.found(&Comparison { before, after });
        Ok(diff)
    }

    fn decisions(&self) -> usize {
        let spaces = self.spaces.iter().map(Space::size);
        let unix = self.unix.iter().map(UnixSpace::size);
        spaces
            .chain(unix)
            .fold(self.lookups.size(), usize::saturating_add)
            .saturating_mul(2)
    }

    fn found(&self, comparison: &Comparison<'_>) -> Vec<Change> {
        let told = self.lookups.told(comparison);
        let sockets = self
            .spaces
            .iter()
            .map(|space| Sockets::new(space, comparison));
        let sockets: Vec<Sockets<'_>> = sockets.collect();
        let mut all = Vec::new();
        for effect in [Effect::Opens, Effect::Closes] {
            let mut changes = Vec::new();
            for (index, sockets) in sockets.iter().enumerate() {
                let any_name = |port| self.lookups.changes_for_any(&told, effect, index, port);
                changes.extend(sockets.changes(index, effect, any_name));
            }
            let lookups = self.lookups.changes(&told, effect, &self.spaces, &changes);
            changes.extend(lookups);
            let reverse = self.lookups.reverse(effect, comparison, &changes);
            let broadcast = broadcast(effect, comparison, &self.spaces, &changes);
            changes.extend(reverse.into_iter().chain(broadcast));
            for (index, unix) in self.unix.iter().enumerate() {
                changes.extend(unix.changes(index, effect, comparison));
            }
            all.extend(changes);
        }
        all
    }

    /// The requests that are decided otherwise: first what opens, then what closes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What differs besides: `host-name`, `[hosts]` and `[limits]`.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty()
    }
}

/// The addresses where the policy allows what a lookup is for, if the name leads
/// there: in lists, as after `in`.
pub(crate) fn destinations(policy: &Policy, lookup: &AnyRequest) -> Vec<String> {
    let lines: Vec<(Role, Grant)> = policy.lines().collect();
    let items = Items::of_all(lines.iter().map(|(role, line)| (*role, line)));
    let is_allowed = |address| {
        let request = lookup.at(address);
        request.is_some_and(|request| policy.check(request).is_ok())
    };
    let allowed = items.items.iter().enumerate();
    let allowed: Vec<usize> = allowed
        .filter(|(_, item)| is_allowed(item.address))
        .map(|(index, _)| index)
        .collect();
    wording::addresses(&items, &allowed)
}

/// What both policies say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdicts {
    before: bool,
    after: bool,
}

/// Two policies to be asked.
pub(crate) struct Comparison<'a> {
    before: &'a Policy,
    after: &'a Policy,
}

impl Comparison<'_> {
    pub(crate) fn verdicts(&self, request: &AnyRequest) -> Verdicts {
        Verdicts {
            before: self.before.check(request.clone()).is_ok(),
            after: self.after.check(request.clone()).is_ok(),
        }
    }
}

impl Verdicts {
    pub(crate) fn change(self, effect: Effect) -> bool {
        self.before != self.after && self.is_settled(effect)
    }

    /// Whether it ends as the effect says, be it as it was.
    pub(crate) fn is_settled(self, effect: Effect) -> bool {
        match effect {
            Effect::Opens => self.after,
            Effect::Closes => !self.after,
        }
    }
}

impl fmt::Display for TooComplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decisions } = self;
        write!(
            f,
            "the policies tell too much apart: comparing them takes {decisions} decisions, and at \
             most {MOST_DECISIONS} are made"
        )
    }
}

impl std::error::Error for TooComplex {}
