//! Building a policy out of files and flags. It must not read the files: they
//! come as text.

use std::sync::Arc;

use crate::draft::Draft;
use crate::file;
use crate::socket_grant::Role;
use crate::{Limits, Origin, Policy, PolicyError};

/// Collects grants and denies into one [`Policy`]. What is given more than
/// once adds up, in any order.
#[derive(Clone, Debug, Default)]
pub struct PolicyBuilder {
    draft: Draft,
    ceilings: Vec<(Arc<str>, Draft)>,
    error: PolicyError,
}

impl PolicyBuilder {
    /// Adds a policy file in TOML. `place` is what errors call it.
    ///
    /// ```toml
    /// version = 1
    /// allow = ["listen tcp://127.0.0.1:8080", "connect tcp://*.example.com:443"]
    /// deny  = ["connect tcp://10.0.0.0/8:*"]
    /// host-name = "localhost"      # what the guest is told the machine is called
    /// [hosts]                      # names this guest sees, before DNS
    /// "db.internal" = ["10.0.0.5"]
    /// [limits]                     # how much it may use: see `Limits`
    /// sockets = 128
    /// bandwidth = "10 MiB/s"
    /// idle-timeout = "60s"
    /// ```
    ///
    /// Of several files the last `host-name` counts, and of each limit the
    /// tightest; everything else adds up.
    #[must_use]
    pub fn file(mut self, place: &str, text: &str) -> Self {
        let mistakes = file::read(&mut self.draft, text);
        self.error.add_file(place, text, mistakes);
        self
    }

    /// Adds a ceiling: a policy file that bounds whatever else is said here.
    /// Only what it grants as well is allowed, its denies hold, and its limits.
    /// Each of several bounds by itself.
    ///
    /// ```
    /// # use portcullis_policy::{Connect, Policy, Protocol};
    /// let policy = Policy::builder()
    ///     .ceiling("operator.toml", r#"
    ///         version = 1
    ///         allow = ["connect tcp://10.0.0.0/8:443"]
    ///     "#)
    ///     .allow("connect tcp://any:*")
    ///     .build()?;
    /// let check = |address| Ok::<_, Box<dyn std::error::Error>>(
    ///     policy.check(Connect::new(Protocol::Tcp, str::parse(address)?)).map(drop)
    /// );
    /// assert!(check("10.0.0.5:443")?.is_ok());
    /// assert_eq!(
    ///     check("10.0.0.5:80")?.unwrap_err().to_string(),
    ///     "connect tcp://10.0.0.5:80: the ceiling operator.toml: no grant covers it; \
    ///      nearest: connect tcp://10.0.0.0/8:443 (port differs)"
    /// );
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ceiling(mut self, place: &str, text: &str) -> Self {
        let mut draft = Draft::default();
        let mistakes = file::read(&mut draft, text);
        self.error.add_file(place, text, mistakes);
        self.ceilings.push((place.into(), draft));
        self
    }

    /// Adds a grant.
    #[must_use]
    pub fn allow(self, text: &str) -> Self {
        self.flag("--allow", Role::Allow, text)
    }

    /// Adds a deny.
    #[must_use]
    pub fn deny(self, text: &str) -> Self {
        self.flag("--deny", Role::Deny, text)
    }

    /// Adds limits; of those given more than once the tighter holds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.draft.limits = self.draft.limits.and(limits);
        self
    }

    /// Compiles the policy, or tells everything that is wrong with it.
    pub fn build(self) -> Result<Policy, PolicyError> {
        if !self.error.is_empty() {
            return Err(self.error);
        }
        let policy = Policy::new(self.draft.layer(Origin::Policy));
        let ceilings = self.ceilings.into_iter().rev();
        Ok(ceilings.fold(policy, |policy, (place, draft)| {
            Policy::new(draft.layer(Origin::Ceiling { place })).and(&policy)
        }))
    }

    /// A draft of one list, of texts that are called `what`.
    pub(crate) fn of(
        what: &str,
        role: Role,
        texts: &[impl AsRef<str>],
    ) -> Result<Draft, PolicyError> {
        let builder = (texts.iter()).fold(Self::default(), |builder, text| {
            builder.flag(what, role, text.as_ref())
        });
        match builder.error.is_empty() {
            true => Ok(builder.draft),
            false => Err(builder.error),
        }
    }

    fn flag(mut self, flag: &str, role: Role, text: &str) -> Self {
        if let Err(error) = self.draft.add(role, text) {
            self.error.add_flag(flag, text, error);
        }
        self
    }
}
