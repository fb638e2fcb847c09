//! Names from a table that does not change.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portcullis_policy::{Canonical, Lookup, Name, Permit, Reverse};

use crate::error::ErrorCode;
use crate::resolver::{Answer, Families, Pending, Resolver, failure, follow};

/// A fixed table, for tests and for machines without name servers.
#[derive(Clone, Debug, Default)]
pub struct TableResolver {
    addresses: BTreeMap<Name, Vec<IpAddr>>,
    aliases: BTreeMap<Name, Name>,
}

impl TableResolver {
    /// The same with a name that is an alias of another, as a `CNAME` makes it.
    #[must_use]
    pub fn with_alias(mut self, alias: Name, target: Name) -> Self {
        self.aliases.insert(alias, target);
        self
    }

    /// The names whose addresses hold this one, in alphabetical order.
    fn names(&self, address: IpAddr) -> Result<Vec<Name>, ErrorCode> {
        let here = |known: &IpAddr| known.into_canonical() == address;
        let names = self
            .addresses
            .iter()
            .filter(|(_, addresses)| addresses.iter().any(here))
            .map(|(name, _)| name.clone());
        match names.collect::<Vec<_>>() {
            none if none.is_empty() => Err(ErrorCode::NameNotFound),
            names => Ok(names),
        }
    }

    fn answer(&self, name: &Name) -> Result<Answer, ErrorCode> {
        let chain = follow(name, |name| self.aliases.get(name))?;
        let canonical = chain.last().copied().unwrap_or(name);
        match self.addresses.get(canonical) {
            None => Err(ErrorCode::NameNotFound),
            Some(none) if none.is_empty() => Err(ErrorCode::NameNoData),
            Some(addresses) => Ok(Answer {
                addresses: addresses.clone(),
                chain: chain.into_iter().cloned().collect(),
                valid_until: None,
            }),
        }
    }
}

impl FromIterator<(Name, Vec<IpAddr>)> for TableResolver {
    fn from_iter<I: IntoIterator<Item = (Name, Vec<IpAddr>)>>(entries: I) -> Self {
        Self {
            addresses: entries.into_iter().collect(),
            aliases: BTreeMap::new(),
        }
    }
}

impl Resolver for TableResolver {
    fn look_up(&self, permit: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        Box::pin(async move {
            let name = permit.request().name();
            self.answer(name)
                .map_err(|code| failure(code, name.as_str()))
        })
    }

    fn reverse(&self, permit: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(async move {
            let request = permit.request();
            self.names(request.address())
                .map_err(|code| failure(code, request.name().as_str()))
        })
    }
}
