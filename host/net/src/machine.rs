//! How this machine is set up to look names up: the files that say so, read again
//! when they change. It must not ask anybody anything.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::system_conf::parse_resolv_conf;

use crate::hosts_file::HostsFile;

/// Where the files are, and where name servers listen.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) resolv_conf: PathBuf,
    pub(crate) hosts: PathBuf,
    pub(crate) port: u16,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            resolv_conf: "/etc/resolv.conf".into(),
            hosts: "/etc/hosts".into(),
            port: 53,
        }
    }
}

/// What tells one content of a file from another, as glibc has it; none where there
/// is no file.
type Stamp = Option<(u64, u64, u64, i64, i64, i64, i64)>;

/// The contents that are known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stamps {
    resolv_conf: Stamp,
    hosts: Stamp,
}

/// What has changed since.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) stamps: Stamps,
    pub(crate) servers: Option<(ResolverConfig, ResolverOpts)>,
    pub(crate) hosts: Option<Arc<HostsFile>>,
}

impl Machine {
    /// What is not as it was. It may wait for a file system.
    ///
    /// # Errors
    ///
    /// Where the machine says of no name server.
    pub(crate) fn news(&self, known: Option<Stamps>) -> Result<News, NetError> {
        // Before the files are read: what changes meanwhile is seen the next time.
        let stamps = Stamps {
            resolv_conf: stamp(&self.resolv_conf),
            hosts: stamp(&self.hosts),
        };
        let servers = match known {
            Some(known) if known.resolv_conf == stamps.resolv_conf => None,
            Some(_) | None => Some(self.servers()?),
        };
        let hosts = match known {
            Some(known) if known.hosts == stamps.hosts => None,
            Some(_) | None => Some(Arc::new(HostsFile::read(&self.hosts))),
        };
        Ok(News {
            stamps,
            servers,
            hosts,
        })
    }

    fn servers(&self) -> Result<(ResolverConfig, ResolverOpts), NetError> {
        let text = fs::read(&self.resolv_conf).map_err(unreadable)?;
        let (config, options) = parse_resolv_conf(text)?;
        let mut servers = config.name_servers().to_vec();
        for connection in servers
            .iter_mut()
            .flat_map(|server| &mut server.connections)
        {
            connection.port = self.port;
        }
        let (domain, search) = (config.domain().cloned(), config.search().to_vec());
        let config = ResolverConfig::from_parts(domain, search, servers);
        Ok((config, options))
    }
}

fn unreadable(error: io::Error) -> NetError {
    NetError::from(error)
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ))
}
