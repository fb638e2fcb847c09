//! What a layer is made of, while it is read. It must not decide anything.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::grant::Kind;
use crate::layer::Layer;
use crate::socket_grant::Role;
use crate::{Grant, GrantError, Limits, Name, Origin};

/// The parts of a layer, collected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) allow: Vec<Grant>,
    pub(crate) deny: Vec<Grant>,
    pub(crate) limits: Limits,
    pub(crate) host_name: Option<Name>,
    pub(crate) hosts: HashMap<Name, Vec<IpAddr>>,
}

impl Draft {
    /// Adds a grant to one of the lists.
    pub(crate) fn add(&mut self, role: Role, text: &str) -> Result<(), GrantError> {
        let grant = Grant::parse(text)?;
        match role {
            Role::Allow => self.allow.push(grant),
            Role::Deny => self.deny.push(unbounded(text, grant)?),
        }
        Ok(())
    }

    /// Compiles it.
    pub(crate) fn layer(self, origin: Origin) -> Layer {
        Layer::new(
            origin,
            self.allow,
            self.deny,
            self.limits,
            self.host_name,
            self.hosts,
        )
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
