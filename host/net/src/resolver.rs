//! Turning names into addresses.
//!
//! A resolver never decides whether a name may be looked up: it consumes the
//! permit that says so.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the place that the others are kept away from"
)]

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Instant;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Name as DnsName;
use portcullis_policy::{Lookup, Name, Permit};
use tokio::sync::OnceCell;

use crate::error::{Error, ErrorCode};

/// Where a name leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The addresses in the order to try them, at least one.
    pub addresses: Vec<IpAddr>,
    /// When the answer stops being true; none where it does not.
    pub valid_until: Option<Instant>,
}

impl Answer {
    /// An answer that stays true.
    pub(crate) fn forever(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            valid_until: None,
        }
    }
}

/// The answer to come.
pub type Pending<'a> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>>;

/// A source of addresses for names.
///
/// `localhost` and the names of the policy's `[hosts]` table never get here.
pub trait Resolver: Send + Sync {
    /// Looks up the name that the permit is for. Search domains are not
    /// applied: the name that was checked is the name that is looked up.
    fn look_up(&self, permit: Permit<Lookup>) -> Pending<'_>;
}

/// The DNS, asked directly. Answers are kept for as long as their time to live
/// says.
///
/// By default it asks the name servers, and before them the hosts file, that
/// this machine is set up with (`/etc/resolv.conf`, `/etc/hosts`).
#[derive(Default)]
pub struct DnsResolver {
    server: Option<SocketAddr>,
    // Set up on first use: most guests never look anything up.
    client: OnceCell<TokioResolver>,
}

impl DnsResolver {
    /// Asks one name server, whatever this machine is set up with.
    pub fn at(server: SocketAddr) -> Self {
        let client = OnceCell::new();
        Self {
            server: Some(server),
            client,
        }
    }

    async fn client(&self) -> Result<&TokioResolver, NetError> {
        self.client
            .get_or_try_init(|| async { self.connect() })
            .await
    }

    fn connect(&self) -> Result<TokioResolver, NetError> {
        let mut builder = match self.server {
            None => TokioResolver::builder_tokio()?,
            Some(server) => {
                let mut only = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut only.connections {
                    connection.port = server.port();
                }
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![only]);
                let mut builder =
                    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
                builder.options_mut().use_hosts_file = ResolveHosts::Never;
                builder
            }
        };
        // Both families, so that the policy sees all there is to see.
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
        builder.build()
    }

    async fn answer(&self, name: &Name) -> Result<Answer, NetError> {
        let mut absolute = DnsName::from_ascii(name.as_str())?;
        absolute.set_fqdn(true);
        let found = self.client().await?.lookup_ip(absolute).await?;
        let (addresses, valid_until) = (found.iter().collect(), Some(found.valid_until()));
        Ok(Answer {
            addresses,
            valid_until,
        })
    }
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsResolver").finish_non_exhaustive()
    }
}

impl Resolver for DnsResolver {
    fn look_up(&self, permit: Permit<Lookup>) -> Pending<'_> {
        Box::pin(async move {
            let name = permit.request().name();
            match self.answer(name).await {
                Ok(answer) if answer.addresses.is_empty() => {
                    Err(failure(ErrorCode::NameNoData, name))
                }
                Ok(answer) => Ok(answer),
                Err(error) => Err(failure(code_of(&error), name)),
            }
        })
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other failure may pass"
)]
fn code_of(error: &NetError) -> ErrorCode {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => ErrorCode::NameNotFound,
            ResponseCode::NoError => ErrorCode::NameNoData,
            _ => ErrorCode::NameTemporaryFailure,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused | ResponseCode::NotImp)) => {
            ErrorCode::NameLookupFailed
        }
        _ => ErrorCode::NameTemporaryFailure,
    }
}

/// A fixed table, for tests and for machines without name servers.
#[derive(Clone, Debug, Default)]
pub struct TableResolver {
    addresses: HashMap<Name, Vec<IpAddr>>,
}

impl FromIterator<(Name, Vec<IpAddr>)> for TableResolver {
    fn from_iter<I: IntoIterator<Item = (Name, Vec<IpAddr>)>>(entries: I) -> Self {
        Self {
            addresses: entries.into_iter().collect(),
        }
    }
}

impl Resolver for TableResolver {
    fn look_up(&self, permit: Permit<Lookup>) -> Pending<'_> {
        Box::pin(async move {
            let name = permit.request().name();
            match self.addresses.get(name) {
                None => Err(failure(ErrorCode::NameNotFound, name)),
                Some(none) if none.is_empty() => Err(failure(ErrorCode::NameNoData, name)),
                Some(addresses) => Ok(Answer::forever(addresses.clone())),
            }
        })
    }
}

fn failure(code: ErrorCode, name: &Name) -> Error {
    Error::new(code, format!("{}: {code}", name.as_str()))
}
