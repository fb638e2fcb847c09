//! Names from the DNS, asked directly.

#![expect(
    clippy::disallowed_methods,
    reason = "this is one of the places that the others are kept away from"
)]

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup as Found;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name as DnsName, RData, Record, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use portcullis_policy::{Lookup, Name, Permit, Reverse};
use tokio::sync::OnceCell;

use crate::error::ErrorCode;
use crate::hosts_file::HostsFile;
use crate::resolver::{Answer, Pending, Resolver, failure, follow};

/// The DNS, asked directly. Answers are kept for as long as their time to live
/// says.
///
/// By default it asks the name servers, and before them the hosts file, that
/// this machine is set up with (`/etc/resolv.conf`, `/etc/hosts`).
#[derive(Default)]
pub struct DnsResolver {
    server: Option<SocketAddr>,
    // Set up on first use: most guests never look anything up.
    client: OnceCell<Client>,
}

struct Client {
    hosts: HostsFile,
    dns: TokioResolver,
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

    async fn client(&self) -> Result<&Client, NetError> {
        self.client
            .get_or_try_init(|| async { self.connect() })
            .await
    }

    fn connect(&self) -> Result<Client, NetError> {
        let (hosts, builder) = match self.server {
            None => (HostsFile::read(), TokioResolver::builder_tokio()?),
            Some(server) => {
                let mut only = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut only.connections {
                    connection.port = server.port();
                }
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![only]);
                let runtime = TokioRuntimeProvider::default();
                let builder = TokioResolver::builder_with_config(config, runtime);
                (HostsFile::default(), builder)
            }
        };
        Client::new(hosts, builder)
    }

    async fn answer(&self, name: &Name) -> Result<Answer, ErrorCode> {
        let client = self.client().await.map_err(|error| code_of(&error))?;
        if let Some(answer) = client.hosts.answer(name) {
            return Ok(answer);
        }
        let absolute = absolute(name)?;
        // Both families, so that the policy sees all there is to see.
        let (six, four) = tokio::join!(
            client.dns.lookup(absolute.clone(), RecordType::AAAA),
            client.dns.lookup(absolute.clone(), RecordType::A),
        );
        both(read(&absolute, six), read(&absolute, four))
    }

    async fn names(&self, request: &Reverse) -> Result<Vec<Name>, ErrorCode> {
        let client = self.client().await.map_err(|error| code_of(&error))?;
        let known = client.hosts.names(request.address());
        if !known.is_empty() {
            return Ok(known);
        }
        let found = client
            .dns
            .lookup(absolute(request.name())?, RecordType::PTR)
            .await
            .map_err(|error| code_of(&error))?;
        let names = found.answers().iter().filter_map(pointer);
        match names.take(NAMES).collect::<Vec<_>>() {
            none if none.is_empty() => Err(ErrorCode::NameNoData),
            names => Ok(names),
        }
    }
}

impl Client {
    fn new(
        hosts: HostsFile,
        mut builder: ResolverBuilder<TokioRuntimeProvider>,
    ) -> Result<Self, NetError> {
        let options = builder.options_mut();
        // It would ask the DNS for the family that the file does not have.
        options.use_hosts_file = ResolveHosts::Never;
        // The policy is to see each name that the one asked for led through.
        options.preserve_intermediates = true;
        let dns = builder.build()?;
        Ok(Self { hosts, dns })
    }
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsResolver").finish_non_exhaustive()
    }
}

impl Resolver for DnsResolver {
    fn look_up(&self, permit: Permit<Lookup>) -> Pending<'_, Answer> {
        Box::pin(async move {
            let name = permit.request().name();
            let answer = self.answer(name).await;
            answer.map_err(|code| failure(code, name.as_str()))
        })
    }

    fn reverse(&self, permit: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(async move {
            let names = self.names(permit.request()).await;
            names.map_err(|code| failure(code, permit.request().name().as_str()))
        })
    }
}

/// Search domains are added to names that do not end here.
fn absolute(name: &Name) -> Result<DnsName, ErrorCode> {
    let mut absolute = DnsName::from_ascii(name.as_str()).map_err(|_| NOT_A_NAME)?;
    absolute.set_fqdn(true);
    Ok(absolute)
}

/// How many names of one address count.
const NAMES: usize = 16;

/// A name that we cannot read is one that the policy cannot judge.
const NOT_A_NAME: ErrorCode = ErrorCode::NameLookupFailed;

/// What the records say of `name`, and nothing that they say of other names.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "one kind of record makes an alias"
)]
fn read(name: &DnsName, found: Result<Found, NetError>) -> Result<Answer, ErrorCode> {
    let found = found.map_err(|error| code_of(&error))?;
    let records = found.answers();
    let aliases = follow(name, |name| {
        let mut of_name = records.iter().filter(|record| record.name == *name);
        of_name.find_map(|record| match &record.data {
            RData::CNAME(target) => Some(&target.0),
            _ => None,
        })
    })?;
    let canonical = aliases.last().copied().unwrap_or(name);
    let addresses: Vec<IpAddr> = records
        .iter()
        .filter(|record| record.name == *canonical)
        .filter_map(|record| record.data.ip_addr())
        .collect();
    if addresses.is_empty() {
        return Err(ErrorCode::NameNoData);
    }
    let chain = aliases.into_iter().map(parse).collect::<Option<_>>();
    Ok(Answer {
        addresses,
        chain: chain.ok_or(NOT_A_NAME)?,
        valid_until: Some(found.valid_until()),
    })
}

fn parse(name: &DnsName) -> Option<Name> {
    Name::parse(&name.to_ascii()).ok()
}

/// The name that a `PTR` record points to, if it is one.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "one kind of record points to a name"
)]
fn pointer(record: &Record) -> Option<Name> {
    match &record.data {
        RData::PTR(target) => parse(&target.0),
        _ => None,
    }
}

/// The answers for both families as one. The families may lead through different
/// names; the canonical one is that of the addresses to try first.
fn both(
    first: Result<Answer, ErrorCode>,
    second: Result<Answer, ErrorCode>,
) -> Result<Answer, ErrorCode> {
    let (first, second) = match (first, second) {
        (Ok(first), Ok(second)) => (first, second),
        (Ok(answer), Err(_)) | (Err(_), Ok(answer)) => return Ok(answer),
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

/// Of two failures the one that leaves more open: a name is only not there, or
/// without addresses, if nobody failed to say so.
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

/// As glibc tells them apart: what the server may get over, and what not.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other failure is not the name server's answer, and may pass"
)]
fn code_of(error: &NetError) -> ErrorCode {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => code_of_response(none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => code_of_response(*code),
        _ => ErrorCode::NameTemporaryFailure,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else a name server says, it will say again"
)]
fn code_of_response(code: ResponseCode) -> ErrorCode {
    match code {
        ResponseCode::NoError => ErrorCode::NameNoData,
        ResponseCode::NXDomain => ErrorCode::NameNotFound,
        ResponseCode::ServFail => ErrorCode::NameTemporaryFailure,
        _ => ErrorCode::NameLookupFailed,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::thread;

    use hickory_resolver::proto::op::Message;
    use hickory_resolver::system_conf::parse_resolv_conf;
    use parking_lot::Mutex;
    use portcullis_policy::{Policy, Purpose};

    use super::*;

    /// A name server that knows no name, and what it was asked for.
    fn nobody_known() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                let message = Message::from_vec(&query[..length]).unwrap();
                let names = message.queries.iter().map(|query| query.name().to_ascii());
                log.lock().extend(names);
                // An answer, and NXDOMAIN (RFC 1035, 4.1.1).
                query[2] |= 0x80;
                query[3] = 0x83;
                socket.send_to(&query[..length], client).unwrap();
            }
        });
        (address, asked)
    }

    /// As the machine is set up that has this file.
    fn client(resolv_conf: &str, server: SocketAddr) -> Client {
        let (mut config, options) = parse_resolv_conf(resolv_conf).unwrap();
        assert_eq!(config.search().len(), 2, "the file is read");
        let mut only = NameServerConfig::udp(server.ip());
        for connection in &mut only.connections {
            connection.port = server.port();
        }
        config = ResolverConfig::from_parts(
            config.domain().cloned(),
            config.search().to_vec(),
            vec![only],
        );
        let runtime = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, runtime);
        *builder.options_mut() = options;
        Client::new(HostsFile::default(), builder).unwrap()
    }

    #[tokio::test]
    async fn search_domains_are_never_applied() {
        let (server, asked) = nobody_known();
        let text = "search evil.example corp.example\noptions ndots:5\nnameserver 127.0.0.1\n";
        // What would come of them.
        let searching = client(text, server);
        let relative = DnsName::from_ascii("internal").unwrap();
        assert!(searching.dns.lookup(relative, RecordType::A).await.is_err());
        assert!(
            asked
                .lock()
                .iter()
                .any(|name| name == "internal.evil.example.")
        );
        asked.lock().clear();
        let resolver = DnsResolver {
            server: None,
            client: OnceCell::from(client(text, server)),
        };
        let policy = Policy::builder().allow("resolve *").build().unwrap();
        for name in ["internal", "db.internal"] {
            let name = Name::parse(name).unwrap();
            let request = Lookup::new(name.clone(), Purpose::Resolve);
            let permit = policy.check(request).unwrap();
            let failed = resolver.look_up(permit).await.unwrap_err();
            assert_eq!(failed.code(), ErrorCode::NameNotFound);
            let asked = std::mem::take(&mut *asked.lock());
            let absolute = format!("{name}.");
            assert!(!asked.is_empty());
            assert!(asked.iter().all(|asked| *asked == absolute), "{asked:?}");
        }
    }
}
