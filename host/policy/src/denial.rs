//! Why a request did not pass, as a value. It must not print what did not come
//! out of canonical types: its text goes to a terminal.

use std::fmt;

use crate::request::{Refusal, Remedy};
use crate::{Grant, Origin, Reason};

/// Why a request did not pass: the request, the reason, and what would allow
/// it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Denial(Box<Details>);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Details {
    request: String,
    first: Refused,
    others: Vec<Refused>,
}

/// What one layer said.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Refused {
    origin: Origin,
    reason: Reason,
    remedy: Option<Remedy>,
}

impl Denial {
    pub(crate) fn new(request: &impl fmt::Display, origin: &Origin, refusal: Refusal) -> Self {
        Self(Box::new(Details {
            request: request.to_string(),
            first: Refused::new(origin, refusal),
            others: Vec::new(),
        }))
    }

    /// Adds what a layer further in said.
    pub(crate) fn add(&mut self, origin: &Origin, refusal: Refusal) {
        self.0.others.push(Refused::new(origin, refusal));
    }

    /// The request, in the grammar of a grant; by name if it had one.
    pub fn request(&self) -> &str {
        &self.0.request
    }

    /// Why it did not pass: what the outermost layer says of those that do not
    /// allow it.
    pub fn reason(&self) -> &Reason {
        &self.0.first.reason
    }

    /// Whose that layer is.
    pub fn origin(&self) -> &Origin {
        &self.0.first.origin
    }

    /// Whose the layers are that do not allow it, from the outermost on: each
    /// would have to. Of a guest's own there is at most one.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.refused().map(|refused| &refused.origin)
    }

    /// Whether a deny matches, in whichever layer, rather than no grant.
    pub fn is_explicit(&self) -> bool {
        self.refused()
            .any(|refused| matches!(refused.reason, Reason::DeniedBy { .. }))
    }

    /// The flag that would allow it. None where no flag does: if a deny
    /// decided, or another layer than the policy's own does not allow it
    /// either, or the address is of the wrong sort.
    pub fn remedy(&self) -> Option<String> {
        self.grant().map(flag)
    }

    /// The grant of [`Denial::remedy`].
    pub fn grant(&self) -> Option<&Grant> {
        let alone = self.0.others.is_empty();
        self.0.first.grant().filter(|_| alone)
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

    fn refused(&self) -> impl Iterator<Item = &Refused> {
        std::iter::once(&self.0.first).chain(&self.0.others)
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

impl Refused {
    fn new(origin: &Origin, refusal: Refusal) -> Self {
        let Refusal { reason, remedy } = refusal;
        Self {
            origin: origin.clone(),
            reason,
            remedy,
        }
    }

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

fn flag(grant: &Grant) -> String {
    format!("--allow '{grant}'")
}

/// On one line: the request and the reason.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request(), self.0.first)
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
        writeln!(f, "  reason: {}", denial.0.first)?;
        f.write_str("  to allow: ")?;
        if let Some(why) = denial.is_final() {
            return f.write_str(why);
        }
        for (index, refused) in denial.refused().enumerate() {
            if index > 0 {
                f.write_str(", and ")?;
            }
            f.write_str(&refused.change())?;
        }
        Ok(())
    }
}
