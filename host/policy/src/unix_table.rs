//! The compiled grants of one verb, one kind of unix socket and one role. It must
//! not weigh grants against denies.

use crate::UnixName;
use crate::place::{self, Place};
use crate::unix_grant::UnixGrant;
use crate::unix_index::UnixIndex;

/// Grants to be found by name.
#[derive(Debug, Default)]
pub(crate) struct UnixTable {
    names: UnixIndex<Place>,
    first: Option<Place>,
}

impl UnixTable {
    /// The first grant of each way to come near to a name: that matches it, and
    /// that does not.
    pub(crate) fn near(&self, name: &UnixName) -> impl Iterator<Item = Place> {
        let mut by_name = None;
        self.names.find_matching(name, |place| {
            by_name = place::first(by_name, Some(*place));
            None::<()>
        });
        by_name.into_iter().chain(self.first)
    }

    /// The grant that matches the name most exactly.
    pub(crate) fn matching(&self, name: &UnixName) -> Option<Place> {
        self.names.find_matching(name, Some).copied()
    }
}

impl<'a> FromIterator<(Place, &'a UnixGrant)> for UnixTable {
    fn from_iter<I: IntoIterator<Item = (Place, &'a UnixGrant)>>(grants: I) -> Self {
        let mut table = Self::default();
        for (place, grant) in grants {
            table.first.get_or_insert(place);
            table.names.insert(&grant.names, place);
        }
        table
    }
}
