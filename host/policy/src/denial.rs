//! Why a request did not pass, as a value. It must not print what did not come
//! out of canonical types: its text goes to a terminal.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use crate::layer::Layer;
use crate::request::{Explanation, Refusal};
use crate::{Reason, Request};

/// Why a request did not pass: the request, the reason, and the grant that
/// would allow it.
///
/// Cheap to make and to clone: what there is to tell is worked out when it is
/// first asked for.
#[derive(Clone)]
pub struct Denial(Arc<Refused<dyn Request>>);

struct Refused<R: ?Sized> {
    layer: Arc<Layer>,
    refusal: Refusal,
    details: OnceLock<Details>,
    request: R,
}

#[derive(Debug, Eq, Hash, PartialEq)]
struct Details {
    request: String,
    explanation: Explanation,
}

impl Denial {
    pub(crate) fn new(request: impl Request, layer: &Arc<Layer>, refusal: Refusal) -> Self {
        Self(Arc::new(Refused {
            layer: Arc::clone(layer),
            refusal,
            details: OnceLock::new(),
            request,
        }))
    }

    /// The request, in the grammar of a grant; by name if it had one.
    pub fn request(&self) -> &str {
        &self.details().request
    }

    /// Why it did not pass.
    pub fn reason(&self) -> &Reason {
        &self.details().explanation.reason
    }

    /// Whether a deny decided, rather than the want of a grant.
    pub fn is_explicit(&self) -> bool {
        match self.0.refusal {
            Refusal::Denied(_) => true,
            Refusal::Silent => false,
        }
    }

    /// The flag that would allow it, in the layer that denied it. None if a
    /// deny decided, or if the address is of the wrong sort: no grant makes up
    /// for that.
    pub fn remedy(&self) -> Option<String> {
        let grant = self.details().explanation.remedy.as_ref()?;
        Some(format!("--allow '{grant}'"))
    }

    /// What to tell the operator: three lines, without a final line break.
    pub fn report(&self) -> impl fmt::Display {
        Report(self)
    }

    fn details(&self) -> &Details {
        let refused = &*self.0;
        refused.details.get_or_init(|| Details {
            request: refused.request.to_string(),
            explanation: match &refused.refusal {
                Refusal::Denied(deny) => Explanation::denied(deny.clone()),
                Refusal::Silent => refused.request.explain(&refused.layer),
            },
        })
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Denial").field(self.details()).finish()
    }
}

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

/// On one line: the request and the reason.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request(), self.reason())
    }
}

impl std::error::Error for Denial {}

struct Report<'a>(&'a Denial);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(denial) = self;
        writeln!(f, "portcullis: denied  {}", denial.request())?;
        writeln!(f, "  reason: {}", denial.reason())?;
        match (denial.remedy(), denial.reason()) {
            (Some(remedy), _) => write!(f, "  to allow: {remedy}"),
            (None, Reason::DeniedBy { deny }) => write!(f, "  to allow: remove the deny '{deny}'"),
            (None, _) => f.write_str("  to allow: no grant can"),
        }
    }
}
