//! The compiled grants of one verb, one kind of unix socket and one role. It must
//! not weigh grants against denies.

use std::sync::Arc;

use crate::UnixName;
use crate::placed::{self, Placed};
use crate::unix_grant::UnixGrant;
use crate::unix_index::UnixIndex;

/// Grants to be found by name.
#[derive(Debug, Default)]
pub(crate) struct UnixTable {
    names: UnixIndex<Placed<UnixGrant>>,
    first: Option<Placed<UnixGrant>>,
}

impl UnixTable {
    /// The first grant of each way to come near to a name: that matches it, and
    /// that does not.
    pub(crate) fn near(&self, name: &UnixName) -> impl Iterator<Item = &Placed<UnixGrant>> {
        let mut by_name = None;
        self.names.find_matching(name, |placed| {
            by_name = placed::first(by_name.into_iter().chain([placed]));
            None::<()>
        });
        by_name.into_iter().chain(&self.first)
    }

    /// The grant that matches the name most exactly.
    pub(crate) fn matching(&self, name: &UnixName) -> Option<&Arc<UnixGrant>> {
        let matching = self.names.find_matching(name, Some)?;
        Some(&matching.grant)
    }
}

impl FromIterator<Placed<UnixGrant>> for UnixTable {
    fn from_iter<I: IntoIterator<Item = Placed<UnixGrant>>>(grants: I) -> Self {
        let mut table = Self::default();
        for placed in grants {
            table.first.get_or_insert_with(|| placed.clone());
            let grant = Arc::clone(&placed.grant);
            table.names.insert(&grant.names, placed);
        }
        table
    }
}
