//! What a request asks the rules about one endpoint, whatever kind of endpoint
//! that is. It must not weigh denies against grants: `layer` does.

use crate::nearest::{Aside, Differences};
use crate::place::Place;
use crate::rules::Rules;
use crate::verb::Verb;
use crate::{Grant, Reason};

/// A question that rules of any kind can be asked.
pub(crate) trait Question {
    /// A deny of the verb that matches.
    fn denied(&self, denies: &Rules, verb: Verb) -> Option<Place>;

    /// A grant of the verb that covers it.
    fn granted(&self, allows: &Rules, verb: Verb) -> Option<Place>;

    /// The reason that says more than that there is no grant, if one does.
    fn almost_granted(&self, allows: &Rules, verb: Verb) -> Option<Reason>;

    /// The grants that may be nearest to covering it: of those that differ in the
    /// same, the first.
    fn near(&self, allows: &Rules) -> impl Iterator<Item = Place>;

    /// Whether listening on such an endpoint is an operation of its own, which
    /// follows binding.
    fn has_listeners(&self) -> bool;

    /// In what a grant differs, if it comes close.
    fn differences(&self, grant: &Grant, verb: Verb) -> Option<Differences>;

    /// Why the host of the nearest grant differs, where it seems to be the same.
    fn aside(&self, grant: &Grant) -> Option<Aside>;
}
