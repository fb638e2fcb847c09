//! `--dir`: the folders that guests are given, and what is kept out of them.
//!
//! Each is opened once, at the start, so that no guest can have a later one given
//! another folder. What the operator named and the host opens by its path, at the start
//! or later, is looked for here: none of it may be where a guest could change it.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};
use portcullis::wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use portcullis::{Grant, Policy, SocketAddress, UnixAddress, UnixPaths};
use rustix::fs::{Mode, OFlags, open};

use crate::cache;
use crate::mounts::Mounts;
use crate::run::with_causes;
use crate::trail::trail;

/// By which the machine says where names lead.
const OF_NAMES: [&str; 3] = ["/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"];

/// What each grant of unix sockets begins with.
const SOCKETS: [&str; 6] = [
    "bind unix",
    "bind unixgram",
    "connect unix",
    "connect unixgram",
    "listen unix",
    "listen unixgram",
];

/// Folders that are open.
#[derive(Debug)]
pub(crate) struct Folders(Vec<Folder>);

#[derive(Debug)]
struct Folder {
    /// As the operator wrote it.
    told: String,
    /// As guests call it.
    guest: String,
    perms: FsPerms,
    handle: OwnedFd,
    /// Where it is, without links.
    path: PathBuf,
}

impl Folders {
    /// Opens what `--dir` says.
    ///
    /// # Errors
    ///
    /// Where one cannot be opened, or a guest could change what another holds.
    pub(crate) fn open(dirs: &[String]) -> Result<Self> {
        let mut folders: Vec<Folder> = Vec::new();
        for dir in dirs {
            let folder = Folder::open(dir).with_context(|| format!("--dir {dir}"))?;
            if folders.iter().any(|other| other.guest == folder.guest) {
                bail!(
                    "--dir {dir}: there is a folder `{}` already; give each a name of its own",
                    folder.guest
                );
            }
            folders.push(folder);
        }
        let folders = Self(folders);
        folders.apart(dirs)?;
        Ok(folders)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives them to a guest.
    pub(crate) fn give(&self, wasi: &mut WasiCtxBuilder) -> Result<()> {
        for folder in &self.0 {
            // wasmtime-wasi takes no handle, only a path. This one leads to what the
            // handle is open on, whatever has become of the path that led there.
            let handle = format!("/proc/self/fd/{}", folder.handle.as_raw_fd());
            wasi.preopened_dir(handle, &folder.guest, folder.perms)
                .map_err(with_causes)
                .with_context(|| format!("--dir {}", folder.told))?;
        }
        Ok(())
    }

    /// Refuses what the host opens by its path, where a guest could change it: these
    /// files, whether they are there or not, compiled code, and what the machine keeps
    /// of names.
    pub(crate) fn keep_from<'a>(&self, files: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let files = files.into_iter().chain(OF_NAMES.map(Path::new));
        let files: Vec<_> = files.map(|file| (file, trail(file))).collect();
        // Where it is not there yet, a guest could be the one who makes it.
        let _ = cache::folder();
        let cache = cache::place();
        self.each_writable(|folder, mounts| {
            if let Some(cache) = &cache
                && folder.touches(cache, mounts)
            {
                bail!(
                    "the program could change {}, where compiled code is kept, and so run outside \
                     of the sandbox; give it a folder apart from that, or set XDG_CACHE_HOME to \
                     another",
                    cache.display()
                );
            }
            for (file, trail) in &files {
                if folder.is_on(trail, mounts) {
                    bail!(
                        "the program could change {}, by which it is run, held or watched; give it \
                         a folder apart from that, or one to read (`:ro`)",
                        file.display()
                    );
                }
            }
            Ok(())
        })
    }

    /// Refuses a unix socket, to listen at or to connect to, where a guest could give it
    /// another name, or put another in its place. Of others it says nothing.
    pub(crate) fn keep_from_socket(&self, endpoint: &str) -> Result<()> {
        // Without a verb it is one to listen. What is no grant at all others refuse.
        let grant = Grant::parse(endpoint).or_else(|_| Grant::parse(&format!("listen {endpoint}")));
        grant.map_or(Ok(()), |grant| self.keep_from_grant(&grant))
    }

    /// The policy without any unix socket in the folders.
    ///
    /// # Errors
    ///
    /// Where it grants one there: the guest could give another socket the name that is
    /// granted.
    pub(crate) fn guard(&self, policy: &Policy) -> Result<Policy> {
        policy
            .grants()
            .try_for_each(|grant| self.keep_from_grant(&grant))?;
        // Whatever else would let it pass: an answer to `--ask`, a shadow.
        let denies: Vec<String> = self.writable().flat_map(Folder::denies).collect();
        match denies.is_empty() {
            true => Ok(policy.clone()),
            false => Ok(policy.denying(&denies)?),
        }
    }

    fn keep_from_grant(&self, grant: &Grant) -> Result<()> {
        let Some(paths) = grant.unix_paths() else {
            return Ok(());
        };
        self.each_writable(|folder, mounts| {
            let is_reached = match paths {
                UnixPaths::One(path) | UnixPaths::In(path) => {
                    folder.is_on(&trail(as_path(path)), mounts)
                }
                UnixPaths::Under(path) => folder.touches(as_path(path), mounts),
            };
            match is_reached {
                false => Ok(()),
                true => bail!(
                    "the program could give sockets of `{grant}` other names, and others theirs; \
                     give it a folder apart from that, or one to read (`:ro`)"
                ),
            }
        })
    }

    /// Refuses a folder that a guest could put another in place of, or change in spite of
    /// a `:ro`, since it has one around it.
    fn apart(&self, dirs: &[String]) -> Result<()> {
        for (index, dir) in dirs.iter().enumerate() {
            let trail = trail(Path::new(parts(dir).0));
            self.each_writable_but(Some(index), |folder, mounts| {
                match folder.is_on(&trail, mounts) {
                    false => Ok(()),
                    true => bail!(
                        "the program could change what leads to --dir {dir}, which is in it; give \
                         folders apart from each other, or the outer one to read (`:ro`)"
                    ),
                }
            })?;
        }
        Ok(())
    }

    fn writable(&self) -> impl Iterator<Item = &Folder> {
        let folders = self.0.iter();
        folders.filter(|folder| folder.perms == FsPerms::ReadWrite)
    }

    fn each_writable(&self, check: impl FnMut(&Folder, &Mounts) -> Result<()>) -> Result<()> {
        self.each_writable_but(None, check)
    }

    /// Has each folder checked that a guest can change, but for one.
    fn each_writable_but(
        &self,
        but: Option<usize>,
        mut check: impl FnMut(&Folder, &Mounts) -> Result<()>,
    ) -> Result<()> {
        let folders = self.0.iter().enumerate();
        let mut folders = folders
            .filter(|(index, folder)| but != Some(*index) && folder.perms == FsPerms::ReadWrite)
            .peekable();
        if folders.peek().is_none() {
            return Ok(());
        }
        let mounts = Mounts::read().context("cannot tell what is mounted where")?;
        for (_, folder) in folders {
            check(folder, &mounts).with_context(|| format!("--dir {}", folder.told))?;
        }
        Ok(())
    }
}

impl Folder {
    fn open(dir: &str) -> Result<Self> {
        let (host, guest, perms) = parts(dir);
        check_name(dir, host, guest)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle =
            open(host, flags, Mode::empty()).map_err(|error| unopened(host, error.into()))?;
        let path = fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd()))
            .context("cannot tell where it is")?;
        Ok(Self {
            told: dir.to_owned(),
            guest: guest.to_owned(),
            perms,
            handle,
            path,
        })
    }

    /// Whether one of these places, which have no links in them, is in it.
    fn is_on(&self, trail: &[PathBuf], mounts: &Mounts) -> bool {
        let own = mounts.place(&self.path);
        let mut places = trail.iter().map(|path| mounts.place(path));
        places.any(|place| place.is_within(&own))
    }

    /// Whether what is beneath another folder is in it, or it is beneath that.
    fn touches(&self, other: &Path, mounts: &Mounts) -> bool {
        let trail = trail(other);
        let is_beneath = trail
            .last()
            .is_some_and(|end| mounts.place(&self.path).is_within(&mounts.place(end)));
        is_beneath || self.is_on(&trail, mounts)
    }

    /// What is denied so that nothing reaches a unix socket in it.
    fn denies(&self) -> Vec<String> {
        let path = self.path.as_os_str().as_bytes();
        let folder = match path {
            b"/" => String::new(),
            path => {
                let address = SocketAddress::Unix(UnixAddress::Path(path.into())).to_string();
                address.strip_prefix("unix:").unwrap_or(&address).to_owned()
            }
        };
        let denies = SOCKETS.map(|sockets| format!("{sockets}:{folder}/**"));
        // Of one whose path is longer than that of a socket can be, nothing can be said,
        // and no socket in it be reached.
        let denies = denies.into_iter();
        denies.filter(|deny| Grant::parse(deny).is_ok()).collect()
    }
}

/// The folder here, what guests call it, and what they may do.
fn parts(dir: &str) -> (&str, &str, FsPerms) {
    let (names, perms) = match dir.strip_suffix(":ro") {
        Some(names) => (names, FsPerms::ReadOnly),
        None => (dir, FsPerms::ReadWrite),
    };
    let (host, guest) = names.split_once("::").unwrap_or((names, names));
    (host, guest, perms)
}

/// Refuses what reads like a name and is none.
fn check_name(dir: &str, host: &str, guest: &str) -> Result<()> {
    if host.is_empty() || guest.is_empty() {
        bail!("give a folder, or HOST::GUEST");
    }
    // One that has the name that it has here may be relative.
    let is_named = dir.contains("::");
    let turns = guest.split('/').any(|name| matches!(name, "." | ".."));
    if is_named && (turns || !guest.starts_with('/')) {
        bail!("the program calls it `{guest}`, which is no path from the root on, as `/data` is");
    }
    if is_named && guest.contains(':') {
        bail!("`{guest}` is no path; behind a folder goes `:ro` and nothing else");
    }
    Ok(())
}

fn unopened(host: &str, error: io::Error) -> Error {
    match host.split_once(':') {
        Some((folder, guest)) => anyhow!(
            "cannot open {host}: {error}; for {folder} under another name write `{folder}::{guest}`"
        ),
        None => anyhow!("cannot open {host}: {error}"),
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use portcullis_policy::{ConnectUnix, UnixKind, UnixName};
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn no_shadow_reaches_a_unix_socket_in_a_folder() {
        let folder = TempDir::new().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let own = root.join("a b");
        fs::create_dir(&own).unwrap();
        let is_let = |dir: String, path: &Path| {
            let folders = Folders::open(&[dir]).unwrap();
            let policy = folders.guard(&Policy::default()).unwrap().shadowed();
            let name = UnixName::path(path.as_os_str().as_bytes()).unwrap();
            let connect = ConnectUnix::new(UnixKind::Stream, name);
            policy.check(connect).is_ok()
        };
        let dir = format!("{}::/data", own.display());
        assert!(!is_let(dir.clone(), &own.join("app.sock")));
        assert!(!is_let(dir.clone(), &own.join("deeper/app.sock")));
        assert!(is_let(dir.clone(), &root.join("app.sock")));
        assert!(is_let(dir + ":ro", &own.join("app.sock")));
    }

    #[test]
    fn a_folder_whose_path_is_too_long_for_sockets_is_given() {
        let folder = TempDir::new().unwrap();
        let long = folder.path().join("x".repeat(120));
        fs::create_dir(&long).unwrap();
        let folders = Folders::open(&[format!("{}::/data", long.display())]).unwrap();
        folders.guard(&Policy::default()).unwrap();
    }
}
