//! What a request asks the rules about one endpoint, whatever kind of endpoint
//! that is. It must not weigh denies against grants: `layer` does.

use crate::nearest::Differences;
use crate::rules::Rules;
use crate::verb::Verb;
use crate::{Grant, Reason};

/// A question that rules of any kind can be asked.
pub(crate) trait Question {
    /// A deny of the verb that matches.
    fn denied(&self, denies: &Rules, verb: Verb) -> Option<Grant>;

    /// A grant of the verb that covers it.
    fn granted(&self, allows: &Rules, verb: Verb) -> Option<Grant>;

    /// The reason that says more than that there is no grant, if one does.
    fn almost_granted(&self, allows: &Rules, verb: Verb) -> Option<Reason>;

    /// The grants that may be nearest to covering it, with their places: of those
    /// that differ in the same, the first.
    fn near(&self, allows: &Rules) -> impl Iterator<Item = (usize, Grant)>;
    /// Whether listening on such an endpoint is an operation of its own, which
    /// follows binding.
    fn has_listeners(&self) -> bool;

    /// In what a grant differs, if it comes close.
    fn differences(&self, grant: &Grant, verb: Verb) -> Option<Differences>;
}
