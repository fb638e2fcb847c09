//! Where names and addresses are looked up, as the rest of this crate sees it.
//!
//! A resolver never decides whether something may be looked up: it consumes the
//! permit that says so.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Instant;

use portcullis_policy::{Lookup, Name, Permit, Reverse};

use crate::error::{Error, ErrorCode};

/// How many aliases may follow one another. glibc and most servers stop at this
/// many or earlier.
const LONGEST_CHAIN: usize = 16;

/// Where a name leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The addresses in the order to try them, at least one.
    pub addresses: Vec<IpAddr>,
    /// The names that the one asked for is an alias of, as far as the resolver
    /// can tell: a `CNAME` leads to the first, and the last is the canonical
    /// name. Empty where the name asked for is canonical. What the policy denies
    /// of them is denied.
    pub chain: Vec<Name>,
    /// When the answer stops being true; none where it does not.
    pub valid_until: Option<Instant>,
}

impl Answer {
    /// An answer that stays true, for a name that is canonical.
    pub(crate) fn forever(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            chain: Vec::new(),
            valid_until: None,
        }
    }
}

/// The answer to come.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A source of addresses for names, and of names for addresses.
///
/// `localhost` and what is in the policy's `[hosts]` table never get here.
pub trait Resolver: Send + Sync {
    /// Looks up the name that the permit is for. Search domains are not
    /// applied: the name that was checked is the name that is looked up.
    fn look_up(&self, permit: Permit<Lookup>) -> Pending<'_, Answer>;

    /// Looks up the names of the address that the permit is for, its own first.
    /// Fails with `name-not-found` where it has none. They are what somebody
    /// says, and need not lead back to the address.
    fn reverse(&self, permit: Permit<Reverse>) -> Pending<'_, Vec<Name>>;
}

/// The names that one name is an alias of, where `target` says what a name is
/// directly an alias of.
///
/// # Errors
///
/// `name-lookup-failed` where they go round in a circle, or on for too long.
pub(crate) fn follow<'a, N>(
    name: &'a N,
    target: impl Fn(&'a N) -> Option<&'a N>,
) -> Result<Vec<&'a N>, ErrorCode> {
    let mut chain = Vec::new();
    let mut end = name;
    while let Some(next) = target(end) {
        if chain.len() == LONGEST_CHAIN {
            return Err(ErrorCode::NameLookupFailed);
        }
        chain.push(next);
        end = next;
    }
    Ok(chain)
}

/// A failure to look something up, which says what.
pub(crate) fn failure(code: ErrorCode, what: &str) -> Error {
    Error::new(code, format!("{what}: {code}"))
}
