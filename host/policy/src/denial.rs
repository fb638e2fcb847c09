//! Why a request did not pass, as a value. It must not print what did not come
//! out of canonical types: its text goes to a terminal.

use std::fmt;

use crate::request::Refusal;
use crate::{Grant, Reason};

/// Why a request did not pass: the request, the reason, and the grant that
/// would allow it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Denial(Box<Details>);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Details {
    request: String,
    reason: Reason,
    remedy: Option<Grant>,
}

impl Denial {
    pub(crate) fn new(request: &impl fmt::Display, refusal: Refusal) -> Self {
        let Refusal { reason, remedy } = refusal;
        Self(Box::new(Details {
            request: request.to_string(),
            reason,
            remedy,
        }))
    }

    /// The request, in the grammar of a grant; by name if it had one.
    pub fn request(&self) -> &str {
        &self.0.request
    }

    /// Why it did not pass.
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// The flag that would allow it, in the layer that denied it. None if a
    /// deny decided, or if the address is of the wrong sort: no grant makes up
    /// for that.
    pub fn remedy(&self) -> Option<String> {
        let grant = self.grant()?;
        Some(format!("--allow '{grant}'"))
    }

    /// The grant of [`Denial::remedy`].
    pub fn grant(&self) -> Option<&Grant> {
        self.0.remedy.as_ref()
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
}

/// On one line: the request and the reason.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request(), self.reason())
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
        writeln!(f, "  reason: {}", denial.reason())?;
        match (denial.remedy(), denial.reason()) {
            (Some(remedy), _) => write!(f, "  to allow: {remedy}"),
            (None, Reason::DeniedBy { deny }) => write!(f, "  to allow: remove the deny '{deny}'"),
            (None, _) => f.write_str("  to allow: no grant can"),
        }
    }
}
