//! Where names and addresses are looked up, as the rest of this crate sees it.
//!
//! A resolver never decides whether something may be looked up: it consumes the
//! permit that says so.

use std::future::{Future, pending};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use portcullis_policy::{Lookup, Name, Permit, Reverse};
use tokio::time::{sleep, timeout};

use crate::address::Family;
use crate::error::{Error, ErrorCode};

/// How many aliases may follow one another. glibc and most servers stop at this
/// many or earlier.
const LONGEST_CHAIN: usize = 16;

/// How long a lookup may take: as long as name servers are mostly waited for,
/// twice.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);

/// How long an answer for one family waits for that of the other one, which may
/// never come: RFC 8305, section 3.
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How much later than an answer for the other family one for the family that is
/// wanted may come.
const SILENCE: Duration = Duration::from_millis(500);

/// How long the first answer may take, so that the other one is still waited for
/// within [`LONGEST`].
const FIRST_ANSWER: Duration = LONGEST.saturating_sub(RESOLUTION_DELAY.saturating_mul(2));

/// Of which families addresses are wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Families {
    /// IPv4 and IPv6.
    Both,
    /// IPv4 alone.
    Inet,
    /// IPv6 alone.
    Inet6,
}

impl Families {
    /// What a socket of this family, or of any, can use.
    pub(crate) fn of(family: Option<Family>) -> Self {
        match family {
            Some(Family::Inet) => Self::Inet,
            Some(Family::Inet6) => Self::Inet6,
            Some(Family::Unix) | None => Self::Both,
        }
    }
}

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

    /// Keeps so many addresses: the first, and of each family its share.
    pub(crate) fn truncate(&mut self, most: usize) {
        let surplus = self.addresses.len().saturating_sub(most);
        if surplus == 0 {
            return;
        }
        let six = self.addresses.iter().filter(|ip| ip.is_ipv6()).count();
        let four = self.addresses.len() - six;
        let share = most / 2;
        let mut room = [
            six.min(share.max(most.saturating_sub(four))),
            four.min(share.max(most.saturating_sub(six))),
        ];
        self.addresses.retain(|ip| {
            let [six, four] = &mut room;
            let room = if ip.is_ipv6() { six } else { four };
            match room.checked_sub(1) {
                Some(left) => {
                    *room = left;
                    true
                }
                None => false,
            }
        });
    }
}

/// The answer to come.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A source of addresses for names, and of names for addresses.
///
/// `localhost` and what is in the policy's `[hosts]` table never get here.
pub trait Resolver: Send + Sync {
    /// Looks up the name that the permit is for, for addresses of these families; the
    /// answer may have others. Search domains are not applied: the name that was
    /// checked is the name that is looked up.
    fn look_up(&self, permit: Permit<Lookup>, families: Families) -> Pending<'_, Answer>;

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
    // Bounded: by the longest chain.
    while let Some(next) = target(end) {
        if chain.len() == LONGEST_CHAIN {
            return Err(ErrorCode::NameLookupFailed);
        }
        chain.push(next);
        end = next;
    }
    Ok(chain)
}

/// The answers for both families, of which each may be late, or never come. The
/// one that is there waits briefly for the other.
pub(crate) async fn of_both(
    six: impl Future<Output = Result<Answer, ErrorCode>>,
    four: impl Future<Output = Result<Answer, ErrorCode>>,
) -> Result<Answer, ErrorCode> {
    let (mut six, mut four) = (pin!(six), pin!(four));
    let late = Err(ErrorCode::NameTemporaryFailure);
    let first = timeout(FIRST_ANSWER, async {
        tokio::select! {
            biased;
            six = &mut six => (Some(six), None),
            four = &mut four => (None, Some(four)),
        }
    });
    match first.await {
        Ok((Some(six), _)) => {
            let four = timeout(patience(&six), four).await;
            merge(six, four.unwrap_or(late))
        }
        Ok((None, Some(four))) => {
            let six = timeout(patience(&four), six).await;
            merge(six.unwrap_or(late), four)
        }
        Ok((None, None)) | Err(_) => late,
    }
}

/// The answer for one family, which may never come. Where it is late the other
/// family is asked for as well: if that is answered, the name server is there, and
/// does not answer for this one.
pub(crate) async fn of_one(
    wanted: impl Future<Output = Result<Answer, ErrorCode>>,
    other: impl Future<Output = Result<Answer, ErrorCode>>,
) -> Result<Answer, ErrorCode> {
    let mut wanted = pin!(wanted);
    if let Ok(answer) = timeout(RESOLUTION_DELAY, &mut wanted).await {
        return answer;
    }
    let silence = async {
        match other.await {
            Ok(_) => sleep(SILENCE).await,
            Err(_) => pending().await,
        }
    };
    tokio::select! {
        biased;
        answer = &mut wanted => answer,
        () = silence => Err(ErrorCode::NameTemporaryFailure),
    }
}

/// How long the other answer is worth waiting for. A failure is worth nothing
/// alone, but for one that tells of both families: there is no such name.
fn patience(first: &Result<Answer, ErrorCode>) -> Duration {
    match first {
        Ok(_) | Err(ErrorCode::NameNotFound) => RESOLUTION_DELAY,
        Err(_) => FIRST_ANSWER,
    }
}

/// The answers for both families as one. The families may lead through different
/// names; the canonical one is that of the addresses to try first.
fn merge(
    first: Result<Answer, ErrorCode>,
    second: Result<Answer, ErrorCode>,
) -> Result<Answer, ErrorCode> {
    let (first, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (Ok(answer), Err(_)) | (Err(_), Ok(answer)) => return Ok(answer),
        (Err(ErrorCode::NameNotFound), Err(_)) | (Err(_), Err(ErrorCode::NameNotFound)) => {
            return Err(ErrorCode::NameNotFound);
        }
        (Err(first), Err(second)) => return Err(more_telling(first, second)),
    };
    let mut chain = second.chain;
    chain.retain(|name| !first.chain.contains(name));
    chain.extend(first.chain);
    let ends = [first.valid_until, second.valid_until];
    Ok(Answer {
        addresses: [first.addresses, second.addresses].concat(),
        chain,
        valid_until: ends.into_iter().flatten().min(),
    })
}

/// Of two failures the one that leaves more open: a name is only without
/// addresses if neither family failed to say so.
fn more_telling(first: ErrorCode, second: ErrorCode) -> ErrorCode {
    let order = [
        ErrorCode::NameTemporaryFailure,
        ErrorCode::NameLookupFailed,
        ErrorCode::NameNoData,
    ];
    let found = order
        .into_iter()
        .find(|code| [first, second].contains(code));
    found.unwrap_or(first)
}

/// A failure to look something up, which says what.
pub(crate) fn failure(code: ErrorCode, what: &str) -> Error {
    Error::new(code, format!("{what}: {code}"))
}
