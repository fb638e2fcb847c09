//! Why a request did not pass, as a value. It must not print what did not come
//! out of canonical types: its text goes to a terminal.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use crate::refusals::{self, Refusals};
use crate::request::{Explanation, Refusal, Remedy};
use crate::{Grant, Origin, Reason, Request};

/// Why a request did not pass: the request, the reason, and what would allow
/// it.
///
/// Cheap to make and to clone: what there is to tell is worked out when it is
/// first asked for.
#[derive(Clone)]
pub struct Denial(Arc<Denied<dyn Request>>);

struct Denied<R: ?Sized> {
    refusals: Refusals,
    /// In a place of its own: few denials are told, and all are made.
    details: OnceLock<Box<Details>>,
    request: R,
}

#[derive(Debug, Eq, Hash, PartialEq)]
struct Details {
    request: String,
    first: Refused,
    others: Vec<Refused>,
}

/// What one layer said.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Refused {
    origin: Origin,
    reason: Reason,
    remedy: Option<Remedy>,
}

impl Denial {
    pub(crate) fn new(request: impl Request, refusals: Refusals) -> Self {
        Self(Arc::new(Denied {
            refusals,
            details: OnceLock::new(),
            request,
        }))
    }

    /// The request, in the grammar of a grant; by name if it had one.
    pub fn request(&self) -> &str {
        &self.details().request
    }

    /// Why it did not pass: what the outermost layer says of those that do not
    /// allow it.
    pub fn reason(&self) -> &Reason {
        &self.details().first.reason
    }

    /// Whose that layer is.
    pub fn origin(&self) -> &Origin {
        self.0.refusals.first().origin()
    }

    /// Whose the layers are that do not allow it, from the outermost on: each
    /// would have to. Of a guest's own there is at most one.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.0.refusals.origins()
    }

    /// Whether a deny matches, in whichever layer, rather than no grant.
    pub fn is_explicit(&self) -> bool {
        self.0.refusals.are_explicit()
    }

    /// The flag that would allow it. None where no flag does: if a deny
    /// decided, or another layer than the policy's own does not allow it
    /// either, or the address is of the wrong sort.
    pub fn remedy(&self) -> Option<String> {
        self.grant().map(flag)
    }

    /// The grant of [`Denial::remedy`].
    pub fn grant(&self) -> Option<&Grant> {
        match self.0.refusals.others() {
            [] => self.details().first.grant(),
            [..] => None,
        }
    }

    /// What to tell the operator: three lines, without a final line break.
    pub fn report(&self) -> impl fmt::Display {
        Report {
            denial: self,
            verdict: "denied",
        }
    }

    /// The same of a request that passed because its policy is
    /// [shadowed](crate::Policy::shadowed).
    pub fn shadow_report(&self) -> impl fmt::Display {
        Report {
            denial: self,
            verdict: "would deny",
        }
    }

    fn details(&self) -> &Details {
        let denied = &*self.0;
        denied.details.get_or_init(|| {
            Box::new(Details {
                request: denied.request.to_string(),
                first: denied.explain(denied.refusals.first()),
                others: (denied.refusals.others().iter())
                    .map(|refused| denied.explain(refused))
                    .collect(),
            })
        })
    }

    /// What would allow it, or that nothing can: the last line of the report.
    pub fn advice(&self) -> String {
        if let Some(why) = self.is_final() {
            return why.to_owned();
        }
        let changes: Vec<String> = self.refused().map(Refused::change).collect();
        changes.join(", and ")
    }

    fn refused(&self) -> impl Iterator<Item = &Refused> {
        std::iter::once(&self.details().first).chain(&self.details().others)
    }

    /// Why it is out of the operator's hands, if it is.
    fn is_final(&self) -> Option<&'static str> {
        if self.reason().is_about_the_request() {
            return Some("no grant can");
        }
        self.refused().find_map(|refused| match refused.origin {
            Origin::Attenuated => Some("nothing can but the guest, which keeps itself from it"),
            Origin::Host => Some("nothing can: the host keeps every guest from it"),
            Origin::Ceiling { .. } | Origin::Policy | Origin::Socket => None,
        })
    }
}

impl Denied<dyn Request> {
    fn explain(&self, refused: &refusals::Refused) -> Refused {
        let refusals::Refused { layer, refusal } = refused;
        let deny = match refusal {
            Refusal::Denied(place) => layer.deny.at(*place),
            Refusal::Silent => None,
        };
        let Explanation { reason, remedy } = match deny {
            Some(deny) => Explanation::denied(deny.clone()),
            None => self.request.explain(layer),
        };
        Refused {
            origin: refused.origin().clone(),
            reason,
            remedy,
        }
    }
}

impl Refused {
    /// What the policy itself would have to grant.
    fn grant(&self) -> Option<&Grant> {
        match (&self.origin, &self.remedy) {
            (Origin::Policy, Some(Remedy { grant, .. })) => Some(grant),
            (
                Origin::Attenuated
                | Origin::Ceiling { .. }
                | Origin::Host
                | Origin::Policy
                | Origin::Socket,
                _,
            ) => None,
        }
    }

    /// What makes the layer allow it.
    fn change(&self) -> String {
        let change = match self.grant() {
            Some(grant) => flag(grant),
            None => self.other_change(),
        };
        match self
            .remedy
            .as_ref()
            .and_then(|remedy| remedy.to_bind.as_ref())
        {
            Some(bind) => format!("{change} (or '{bind}' if it is not to listen)"),
            None => change,
        }
    }

    fn other_change(&self) -> String {
        let origin = &self.origin;
        match (&self.reason, &self.remedy, origin) {
            (Reason::DeniedBy { deny }, _, Origin::Policy) => format!("remove the deny '{deny}'"),
            (Reason::DeniedBy { deny }, _, _) => format!("remove the deny '{deny}' from {origin}"),
            (_, Some(Remedy { grant, .. }), Origin::Socket) => {
                format!("open the socket for what '{grant}' allows as well")
            }
            (_, Some(Remedy { grant, .. }), _) => format!("add '{grant}' to {origin}"),
            (_, None, _) => format!("nothing in {origin} can"),
        }
    }
}

/// As what it tells.
impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Denial").field(self.details()).finish()
    }
}

/// By what they tell.
impl PartialEq for Denial {
    fn eq(&self, other: &Self) -> bool {
        self.details() == other.details()
    }
}

impl Eq for Denial {}

impl Hash for Denial {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.details().hash(state);
    }
}

fn flag(grant: &Grant) -> String {
    format!("--allow '{grant}'")
}

/// On one line: the request and the reason.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request(), self.details().first)
    }
}

/// Whose layer it was, where that is not the policy itself, and the reason.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Policy && !self.reason.is_about_the_request() {
            write!(f, "{}: ", self.origin)?;
        }
        self.reason.fmt(f)
    }
}

impl std::error::Error for Denial {}

struct Report<'a> {
    denial: &'a Denial,
    verdict: &'static str,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { denial, verdict } = self;
        writeln!(f, "portcullis: {verdict}  {}", denial.request())?;
        writeln!(f, "  reason: {}", denial.details().first)?;
        write!(f, "  to allow: {}", denial.advice())?;
        Ok(())
    }
}
