//! Names from the machine's own resolver.

#![expect(
    clippy::disallowed_methods,
    reason = "this is one of the places that the others are kept away from"
)]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType};
use portcullis_policy::{Lookup, Name, Permit, Reverse};
use tokio::sync::Semaphore;

use crate::aside::aside;
use crate::error::ErrorCode;
use crate::hosts_file::HostsFile;
use crate::machine::Machine;
use crate::resolver::{Answer, Families, Pending, Resolver, failure, of_both, of_one};

/// How many lookups may wait for the machine at the same time. Each takes a
/// thread that cannot be stopped, though its guest may give up and ask again;
/// who comes later waits.
const LOOKUPS: usize = 16;

/// How long an answer counts for. The machine does not say how long it is valid.
const VALIDITY: Duration = Duration::from_secs(60);

/// The machine's own resolver: `getaddrinfo` and `getnameinfo`, with all that
/// the operator set up behind them (`nsswitch.conf`: a directory, multicast DNS,
/// a cache).
///
/// It is less than [`DnsResolver`](crate::DnsResolver) in two ways. Answers do
/// not come with a time to live: they count for 60 seconds. Of the names that a
/// name is an alias of it tells the last alone: what the policy denies of those
/// in between passes.
///
/// Search domains are not applied: names are asked for with their final dot. The
/// hosts file, which does not know them in that form, is read first.
#[derive(Debug)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(LOOKUPS));
        Self { places }
    }
}

impl SystemResolver {
    /// Runs a lookup in a thread of its own, when there is a place for it.
    async fn run<T: Send + 'static>(
        &self,
        lookup: impl FnOnce() -> Result<T, ErrorCode> + Send + 'static,
    ) -> Result<T, ErrorCode> {
        let failed = ErrorCode::NameTemporaryFailure;
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| failed)?;
        let pending = aside("lookup", place, lookup).map_err(|_| failed)?;
        pending.await.unwrap_or(Err(failed))
    }
}

impl Resolver for SystemResolver {
    fn look_up(&self, permit: Permit<Lookup>, families: Families) -> Pending<'_, Answer> {
        Box::pin(async move {
            let name = permit.request().name();
            let of = |family| {
                let name = name.clone();
                self.run(move || addresses(&name, family))
            };
            // One question for both would wait for both.
            let answer = match families {
                Families::Both => of_both(of(libc::AF_INET6), of(libc::AF_INET)).await,
                Families::Inet => of_one(of(libc::AF_INET), of(libc::AF_INET6)).await,
                Families::Inet6 => of_one(of(libc::AF_INET6), of(libc::AF_INET)).await,
            };
            answer.map_err(|code| failure(code, permit.request().name().as_str()))
        })
    }

    fn reverse(&self, permit: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(async move {
            let address = permit.request().address();
            let names = self.run(move || names(address)).await;
            names.map_err(|code| failure(code, permit.request().name().as_str()))
        })
    }
}

/// As the file is now.
fn hosts() -> HostsFile {
    HostsFile::read(&Machine::default().hosts)
}

/// What the machine knows of a name, in one family. What the hosts file has is all
/// there is, also where it has nothing of the family.
fn addresses(name: &Name, family: i32) -> Result<Answer, ErrorCode> {
    if let Some(mut answer) = hosts().answer(name) {
        let is_of_family = |address: &IpAddr| address.is_ipv6() == (family == libc::AF_INET6);
        answer.addresses.retain(is_of_family);
        return match answer.addresses.is_empty() {
            true => Err(ErrorCode::NameNoData),
            false => Ok(answer),
        };
    }
    let (addresses, canonical) = ask(&format!("{name}."), family)?;
    let chain = match canonical.map(|canonical| Name::parse(&canonical)) {
        None => Vec::new(),
        Some(Ok(canonical)) if canonical == *name => Vec::new(),
        Some(Ok(canonical)) => vec![canonical],
        // What we cannot read, the policy cannot judge.
        Some(Err(_)) => return Err(ErrorCode::NameLookupFailed),
    };
    match addresses {
        none if none.is_empty() => Err(ErrorCode::NameNoData),
        addresses => Ok(Answer {
            addresses,
            chain,
            valid_until: Instant::now().checked_add(VALIDITY),
        }),
    }
}

/// The addresses of a family, and the canonical name, of a host.
fn ask(host: &str, family: i32) -> Result<(Vec<IpAddr>, Option<String>), ErrorCode> {
    let hints = AddrInfoHints {
        flags: libc::AI_CANONNAME,
        address: family,
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints))
        .and_then(|found| Ok(found.collect::<io::Result<Vec<_>>>()?))
        .map_err(|error| code_of(&error))?;
    let canonical = found.iter().find_map(|info| info.canonname.clone());
    let addresses = found.iter().map(|info| info.sockaddr.ip());
    Ok((addresses.collect(), canonical))
}

fn names(address: IpAddr) -> Result<Vec<Name>, ErrorCode> {
    let known = hosts().names(address);
    if !known.is_empty() {
        return Ok(known);
    }
    let found = dns_lookup::lookup_addr(&address).map_err(|error| code_of(&error))?;
    match Name::parse(&found) {
        Ok(name) => Ok(vec![name]),
        Err(_) => Err(ErrorCode::NameNoData),
    }
}

fn code_of(error: &LookupError) -> ErrorCode {
    match error.kind() {
        LookupErrorKind::NoName => ErrorCode::NameNotFound,
        LookupErrorKind::NoData => ErrorCode::NameNoData,
        LookupErrorKind::Badflags
        | LookupErrorKind::Fail
        | LookupErrorKind::Family
        | LookupErrorKind::Service
        | LookupErrorKind::Socktype => ErrorCode::NameLookupFailed,
        LookupErrorKind::Again
        | LookupErrorKind::IO
        | LookupErrorKind::Memory
        | LookupErrorKind::System
        | LookupErrorKind::Unknown => ErrorCode::NameTemporaryFailure,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::mpsc;

    use parking_lot::Mutex;
    use portcullis_policy::{Policy, Purpose};

    use super::*;

    // Numbers and the hosts file: no test asks a name server of this machine.

    #[test]
    fn the_machine_is_asked() {
        let (addresses, canonical) = ask("127.0.0.1", libc::AF_INET).unwrap();
        assert_eq!(addresses, [Ipv4Addr::LOCALHOST]);
        assert_eq!(canonical.as_deref(), Some("127.0.0.1"));
        // The NUL does not reach the machine.
        assert_eq!(
            ask("local\0host", libc::AF_INET),
            Err(ErrorCode::NameTemporaryFailure)
        );
    }

    #[tokio::test]
    async fn a_name_of_the_hosts_file_leads_to_its_address_and_back() {
        let resolver = SystemResolver::default();
        let policy = Policy::builder().allow("resolve *").build().unwrap();
        let localhost = Name::parse("localhost").unwrap();
        let request = Lookup::new(localhost.clone(), Purpose::Resolve);
        let permit = policy.check(request).unwrap();
        let answer = resolver.look_up(permit, Families::Both).await.unwrap();
        assert!(answer.addresses.iter().all(IpAddr::is_loopback));
        let address = *answer.addresses.first().unwrap();
        let permit = policy.check(Reverse::new(address)).unwrap();
        let names = resolver.reverse(permit).await.unwrap();
        assert!(names.contains(&localhost), "{names:?}");
    }

    #[test]
    fn failures_are_told_apart() {
        for (error, code) in [
            (libc::EAI_AGAIN, ErrorCode::NameTemporaryFailure),
            (libc::EAI_FAIL, ErrorCode::NameLookupFailed),
            (libc::EAI_NODATA, ErrorCode::NameNoData),
            (libc::EAI_NONAME, ErrorCode::NameNotFound),
            (libc::EAI_SYSTEM, ErrorCode::NameTemporaryFailure),
        ] {
            assert_eq!(code_of(&LookupError::new(error)), code);
        }
    }

    #[tokio::test]
    async fn lookups_that_were_given_up_take_a_place_until_they_end() {
        let resolver = SystemResolver::default();
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let look_up = || {
            let gate = Arc::clone(&gate);
            let found = resolver.run(move || {
                let _ = gate.lock().recv();
                Ok(())
            });
            tokio::time::timeout(Duration::from_millis(10), found)
        };
        for _ in 0..LOOKUPS {
            assert!(look_up().await.is_err());
        }
        assert_eq!(resolver.places.available_permits(), 0);
        assert!(look_up().await.is_err());
        drop(release);
        let found = resolver.run(|| Ok(()));
        assert_eq!(found.await, Ok(()));
    }
}
