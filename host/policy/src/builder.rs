//! Building a policy out of files and flags. It must not read the files: they
//! come as text.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::diagnostic::Diagnostic;
use crate::file;
use crate::grant::Kind;
use crate::layer::Layer;
use crate::quoted::Quoted;
use crate::socket_grant::Role;
use crate::{Grant, GrantError, Limits, Name, Policy, PolicyError};

/// Collects grants and denies into one [`Policy`]. What is given more than
/// once adds up, in any order.
#[derive(Clone, Debug, Default)]
pub struct PolicyBuilder {
    pub(crate) allow: Vec<Grant>,
    pub(crate) deny: Vec<Grant>,
    pub(crate) limits: Limits,
    pub(crate) host_name: Option<Name>,
    pub(crate) hosts: HashMap<Name, Vec<IpAddr>>,
    pub(crate) diagnostics: Vec<Diagnostic>,
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
    /// ```
    ///
    /// Of several files the last `host-name` counts; everything else adds up.
    #[must_use]
    pub fn file(mut self, place: &str, text: &str) -> Self {
        file::read(&mut self, place, text);
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
        self.limits = self.limits.and(limits);
        self
    }

    /// Compiles the policy, or tells everything that is wrong with it.
    pub fn build(self) -> Result<Policy, PolicyError> {
        if !self.diagnostics.is_empty() {
            return Err(PolicyError::new(self.diagnostics));
        }
        Ok(Policy::new(Layer::new(
            &self.allow,
            &self.deny,
            self.limits,
            self.host_name,
            self.hosts,
        )))
    }

    /// Adds a grant to one of the lists.
    pub(crate) fn add(&mut self, role: Role, text: &str) -> Result<(), GrantError> {
        let grant = Grant::parse(text)?;
        match role {
            Role::Allow => self.allow.push(grant),
            Role::Deny => self.deny.push(unbounded(text, grant)?),
        }
        Ok(())
    }

    fn flag(mut self, flag: &str, role: Role, text: &str) -> Self {
        if let Err(error) = self.add(role, text) {
            self.diagnostics.push(Diagnostic {
                place: format!("{flag} '{}'", Quoted(text)),
                position: None,
                reason: error.reason,
                hint: error.hint,
            });
        }
        self
    }
}

/// A deny with `in` would look narrower than it is.
fn unbounded(text: &str, deny: Grant) -> Result<Grant, GrantError> {
    match deny.kind() {
        Kind::Socket(grant) if grant.within.is_some() => {
            let offset = text.find(" in ").map_or(0, |space| space + 1);
            Err(GrantError {
                offset,
                len: text.len() - offset,
                reason: "a deny takes no `in`".to_owned(),
                hint: Some("a denied name is denied wherever it leads: leave `in` out".to_owned()),
            })
        }
        Kind::Resolve(_) | Kind::Socket(_) | Kind::Unix(_) => Ok(deny),
    }
}
