//! Names from the DNS, asked directly.

#![expect(
    clippy::disallowed_methods,
    reason = "this is one of the places that the others are kept away from"
)]

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup as Found;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name as DnsName, RData, Record, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use parking_lot::Mutex;
use portcullis_policy::{Lookup, Name, Permit, Reverse};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::debug;

use crate::aside::aside;
use crate::error::{Error, ErrorCode};
use crate::hosts_file::HostsFile;
use crate::machine::{Machine, News, Stamps};
use crate::resolver::{Answer, Families, Pending, Resolver, failure, follow, of_both, of_one};

/// How long the files of the machine count before they are looked at again.
const FRESH: Duration = Duration::from_secs(1);

/// How long a lookup waits for news of them where it can do with what was known.
const LOOK: Duration = Duration::from_millis(250);

/// The DNS, asked directly. Answers are kept for as long as their time to live
/// says.
///
/// By default it asks the name servers, and before them the hosts file, that
/// this machine is set up with (`/etc/resolv.conf`, `/etc/hosts`). It follows them:
/// what is changed there counts a second later.
pub struct DnsResolver {
    source: Source,
    // Set up on first use: most guests never look anything up.
    known: Mutex<Option<Known>>,
    /// The place to look at the files: a file system that does not answer is asked
    /// once.
    looking: Arc<Semaphore>,
}

/// Where answers come from.
#[derive(Clone)]
enum Source {
    Machine(Machine),
    Server(SocketAddr),
}

#[derive(Clone)]
struct Known {
    client: Client,
    stamps: Stamps,
    /// When the files were looked at; none where there are none.
    looked: Option<Instant>,
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.looked.is_none_or(|looked| looked.elapsed() < FRESH)
    }
}

#[derive(Clone)]
struct Client {
    hosts: Arc<HostsFile>,
    dns: TokioResolver,
}

impl Default for DnsResolver {
    fn default() -> Self {
        Self::of(Source::Machine(Machine::default()))
    }
}

impl DnsResolver {
    /// Asks one name server, whatever this machine is set up with.
    pub fn at(server: SocketAddr) -> Self {
        Self::of(Source::Server(server))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            known: Mutex::default(),
            looking: Arc::new(Semaphore::new(1)),
        }
    }

    /// What a message of a name server says of a name: as it is taken where the
    /// server was asked, but for the checks that it is the answer to the question.
    ///
    /// # Errors
    ///
    /// `name-lookup-failed` where it is no message; those of a lookup.
    pub fn read(message: &[u8], name: &Name) -> Result<Answer, Error> {
        let said = |code| failure(code, name.as_str());
        let message = Message::from_vec(message).map_err(|_| said(NOT_A_NAME))?;
        let absolute = absolute(name).map_err(said)?;
        let lives = message.answers.iter().map(|record| record.ttl);
        let lives = Duration::from_secs(lives.min().unwrap_or_default().into());
        let query = Query::query(absolute.clone(), RecordType::A);
        let end = Instant::now() + lives;
        let found = Found::new_with_deadline(query, message.answers, end);
        read(&absolute, Ok(found)).map_err(said)
    }

    async fn client(&self) -> Result<Client, NetError> {
        let known = self.known.lock().clone();
        let before = match known {
            Some(known) if known.is_fresh() => return Ok(known.client),
            known => known,
        };
        let now = match &self.source {
            Source::Machine(machine) => self.look(machine, before.as_ref()).await,
            Source::Server(server) => at(*server),
        };
        match (now, before) {
            (Ok(now), _) => {
                *self.known.lock() = Some(now.clone());
                Ok(now.client)
            }
            // Files that are being written, or a file system that does not answer.
            (Err(error), Some(known)) => {
                debug!(%error, "the machine's name servers stay as they were");
                Ok(known.client)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Looks at the files of the machine. Fails where that takes too long for who
    /// can do without.
    async fn look(&self, machine: &Machine, before: Option<&Known>) -> Result<Known, NetError> {
        let looking = Arc::clone(&self.looking);
        let place = match before {
            Some(_) => looking.try_acquire_owned().map_err(io::Error::other)?,
            None => looking.acquire_owned().await.map_err(io::Error::other)?,
        };
        let (machine, stamps) = (machine.clone(), before.map(|known| known.stamps));
        let looked = Instant::now();
        let news = aside("names", place, move || machine.news(stamps))?;
        let news = match before {
            Some(_) => timeout(LOOK, news).await.map_err(io::Error::from)?,
            None => news.await,
        };
        let News {
            stamps,
            servers,
            hosts,
        } = news.map_err(io::Error::other)??;
        let client = match (servers, before) {
            (None, Some(known)) => known.client.clone(),
            (servers, _) => {
                let (config, options) = servers.unwrap_or_default();
                let runtime = TokioRuntimeProvider::default();
                let mut builder = TokioResolver::builder_with_config(config, runtime);
                *builder.options_mut() = options;
                Client::new(Arc::default(), builder)?
            }
        };
        let hosts = hosts.or_else(|| Some(Arc::clone(&before?.client.hosts)));
        Ok(Known {
            client: Client {
                hosts: hosts.unwrap_or_default(),
                ..client
            },
            stamps,
            looked: Some(looked),
        })
    }

    async fn answer(&self, name: &Name, families: Families) -> Result<Answer, ErrorCode> {
        let client = self.client().await.map_err(|error| code_of(&error))?;
        if let Some(answer) = client.hosts.answer(name) {
            return Ok(answer);
        }
        let absolute = absolute(name)?;
        let of = |kind| {
            let lookup = client.dns.lookup(absolute.clone(), kind);
            async { read(&absolute, lookup.await) }
        };
        match families {
            Families::Both => of_both(of(RecordType::AAAA), of(RecordType::A)).await,
            Families::Inet => of_one(of(RecordType::A), of(RecordType::AAAA)).await,
            Families::Inet6 => of_one(of(RecordType::AAAA), of(RecordType::A)).await,
        }
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

/// One name server, which no file says more of.
fn at(server: SocketAddr) -> Result<Known, NetError> {
    let mut only = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut only.connections {
        connection.port = server.port();
    }
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![only]);
    let runtime = TokioRuntimeProvider::default();
    let builder = TokioResolver::builder_with_config(config, runtime);
    Ok(Known {
        client: Client::new(Arc::default(), builder)?,
        stamps: Stamps::default(),
        looked: None,
    })
}

impl Client {
    fn new(
        hosts: Arc<HostsFile>,
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
    fn look_up(&self, permit: Permit<Lookup>, families: Families) -> Pending<'_, Answer> {
        Box::pin(async move {
            let name = permit.request().name();
            let answer = self.answer(name, families).await;
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
    use std::path::Path;
    use std::thread;

    use hickory_resolver::system_conf::parse_resolv_conf;
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
        Client::new(Arc::default(), builder).unwrap()
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
        let resolver = DnsResolver::at(server);
        *resolver.known.lock() = Some(Known {
            client: client(text, server),
            stamps: Stamps::default(),
            looked: None,
        });
        let policy = Policy::builder().allow("resolve *").build().unwrap();
        for name in ["internal", "db.internal"] {
            let name = Name::parse(name).unwrap();
            let request = Lookup::new(name.clone(), Purpose::Resolve);
            let permit = policy.check(request).unwrap();
            let failed = resolver.look_up(permit, Families::Both).await.unwrap_err();
            assert_eq!(failed.code(), ErrorCode::NameNotFound);
            let asked = std::mem::take(&mut *asked.lock());
            let absolute = format!("{name}.");
            assert!(!asked.is_empty());
            assert!(asked.iter().all(|asked| *asked == absolute), "{asked:?}");
        }
    }

    /// The machine of a folder, whose name servers listen at a port of the test's.
    fn machine(folder: &Path, port: u16) -> DnsResolver {
        DnsResolver::of(Source::Machine(Machine {
            resolv_conf: folder.join("resolv.conf"),
            hosts: folder.join("hosts"),
            port,
        }))
    }

    async fn addresses(resolver: &DnsResolver, name: &str) -> Result<Vec<IpAddr>, ErrorCode> {
        let policy = Policy::builder().allow("resolve *").build().unwrap();
        let request = Lookup::new(Name::parse(name).unwrap(), Purpose::Resolve);
        let permit = policy.check(request).unwrap();
        let found = resolver.look_up(permit, Families::Both).await;
        found
            .map(|answer| answer.addresses)
            .map_err(|error| error.code())
    }

    /// Asks until it says what is expected, which the time of a file system and
    /// [`FRESH`] may delay.
    async fn in_time(resolver: &DnsResolver, name: &str, expected: Result<Vec<IpAddr>, ErrorCode>) {
        let begin = Instant::now();
        loop {
            let found = addresses(resolver, name).await;
            if found == expected {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn the_files_of_the_machine_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (resolv_conf, hosts) = (
            folder.path().join("resolv.conf"),
            folder.path().join("hosts"),
        );
        let (server, asked) = nobody_known();
        // Nobody answers there.
        std::fs::write(
            &resolv_conf,
            "nameserver 127.9.9.9\noptions timeout:1 attempts:1\n",
        )
        .unwrap();
        std::fs::write(&hosts, "10.0.0.5 db.internal\n").unwrap();
        let resolver = machine(folder.path(), server.port());
        let five: IpAddr = [10, 0, 0, 5].into();
        assert_eq!(addresses(&resolver, "db.internal").await, Ok(vec![five]));
        let lost = addresses(&resolver, "lost.example").await;
        assert_eq!(lost, Err(ErrorCode::NameTemporaryFailure));
        assert!(asked.lock().is_empty());

        // Beside it and into its place, as those do who set the machine up.
        let new = folder.path().join("new");
        std::fs::write(&new, "nameserver 127.0.0.1\n").unwrap();
        std::fs::rename(&new, &resolv_conf).unwrap();
        in_time(&resolver, "lost.example", Err(ErrorCode::NameNotFound)).await;
        assert!(asked.lock().contains(&"lost.example.".to_owned()));
        // In place, and to the same length.
        std::fs::write(&hosts, "10.0.0.6 db.internal\n").unwrap();
        in_time(&resolver, "db.internal", Ok(vec![[10, 0, 0, 6].into()])).await;

        // Half a file is no reason to forget what was known.
        std::fs::write(&resolv_conf, "").unwrap();
        tokio::time::sleep(FRESH).await;
        let lost = addresses(&resolver, "other.example").await;
        assert_eq!(lost, Err(ErrorCode::NameNotFound));
    }

    #[tokio::test]
    async fn a_file_system_that_does_not_answer_holds_up_no_lookup() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
        std::fs::write(folder.path().join("hosts"), "10.0.0.5 db.internal\n").unwrap();
        let resolver = machine(folder.path(), 9);
        let expected = Ok(vec![[10, 0, 0, 5].into()]);
        assert_eq!(addresses(&resolver, "db.internal").await, expected);
        // Who opens a pipe waits until it is opened for writing.
        let hosts = folder.path().join("hosts");
        std::fs::remove_file(&hosts).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &hosts,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        tokio::time::sleep(FRESH).await;
        let begin = Instant::now();
        for _ in 0..3 {
            assert_eq!(addresses(&resolver, "db.internal").await, expected);
        }
        assert!(begin.elapsed() < LOOK * 3, "it waits {:?}", begin.elapsed());
        assert_eq!(resolver.looking.available_permits(), 0);
        // Lets the thread go.
        std::fs::write(&hosts, "10.0.0.7 db.internal\n").unwrap();
        let new = folder.path().join("new");
        std::fs::write(&new, "10.0.0.6 db.internal\n").unwrap();
        std::fs::rename(&new, &hosts).unwrap();
        in_time(&resolver, "db.internal", Ok(vec![[10, 0, 0, 6].into()])).await;
    }
}
