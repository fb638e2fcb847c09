//! The fuzz target of paths of unix sockets, through links that lead anywhere: of
//! two folders a guest is granted what is in one, and it must reach nothing in
//! the other. It must hold for all bytes: each stands for a part of a path.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use portcullis_net::{Endpoint, Family, Network, SocketAddress, SocketType, UnixAddress};
use portcullis_policy::Policy;
use tempfile::TempDir;

use crate::bytes::Bytes;
use crate::runtime::block_on;

/// Where there are links in the granted folder, if there are so many.
const LINKS: [&str; 4] = ["in/a", "in/b", "in/deep/a", "in/deep/b"];

/// How many parts a path has at most.
const PARTS: usize = 8;

pub(crate) fn run(data: &[u8]) {
    PLACE.with(|place| place.run(Bytes(data)));
}

thread_local! {
    static PLACE: Place = Place::new();
}

/// What lies where, and what is granted there.
struct Place {
    _folder: TempDir,
    root: PathBuf,
    /// Outside of the granted folder.
    secret: UnixListener,
    /// Within it.
    _own: UnixListener,
    network: Network,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["in", "in/deep", "out"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let secret = UnixListener::bind(root.join("out/secret")).unwrap();
        secret.set_nonblocking(true).unwrap();
        let policy = Policy::builder()
            .allow(&format!("connect unix:{}/in/**", root.display()))
            .allow(&format!("bind unix:{}/in/**", root.display()));
        Self {
            secret,
            _own: UnixListener::bind(root.join("in/own")).unwrap(),
            network: Network::new(policy.build().unwrap()),
            _folder: folder,
            root,
        }
    }

    fn run(&self, mut bytes: Bytes<'_>) {
        let (count, binds) = (bytes.byte(), bytes.byte() == b'b');
        let links: Vec<PathBuf> = (LINKS.iter().take(usize::from(count)))
            .filter_map(|name| {
                let (link, target) = (self.root.join(name), self.path(&mut bytes));
                symlink(std::ffi::OsStr::from_bytes(&target), &link).ok()?;
                Some(link)
            })
            .collect();
        let path = self.path(&mut bytes);
        let there = Endpoint::Address(SocketAddress::Unix(UnixAddress::Path(path.clone())));
        let socket = self.network.open(Family::Unix, SocketType::Stream, 0);
        let mut socket = socket.unwrap();
        socket.set_timeout(Some(std::time::Duration::ZERO));
        // Each costs a thread, so that it is tried where it was asked for.
        let done = match binds {
            true => block_on(socket.bind(&there)),
            false => block_on(socket.connect(&there)),
        };
        drop(socket);
        links.iter().for_each(|link| fs::remove_file(link).unwrap());
        let text = String::from_utf8_lossy(&path);
        let reached = self.secret.accept();
        let is_silent = reached.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        assert!(is_silent, "{text:?} reached the other folder: {done:?}");
        let others = fs::read_dir(self.root.join("out")).unwrap().count();
        assert_eq!(others, 1, "{text:?} left something in the other folder");
        if binds {
            self.clear(&self.root.join("in"));
        }
    }

    /// Removes what was bound.
    fn clear(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.file_name().map(OsStrExt::as_bytes) {
                Some(b"own") => {}
                Some(b"deep") if path.is_dir() => self.clear(&path),
                _ => fs::remove_file(path).unwrap(),
            }
        }
    }

    /// A path out of parts that are likely to lead somewhere, and some that are
    /// not. A zero ends it.
    fn path(&self, bytes: &mut Bytes<'_>) -> Vec<u8> {
        let mut path = Vec::new();
        for _ in 0..PARTS {
            let part = bytes.byte();
            match part {
                0 => break,
                b'r' => path = self.root.as_os_str().as_bytes().to_vec(),
                b'i' => path.extend(b"/in"),
                b'o' => path.extend(b"/out"),
                b's' => path.extend(b"/secret"),
                b'd' => path.extend(b"/deep"),
                b'a' => path.extend(b"/a"),
                b'b' => path.extend(b"/b"),
                b'w' => path.extend(b"/own"),
                b'u' => path.extend(b"/.."),
                b'.' => path.extend(b"/."),
                b'n' => path.extend(b"/new"),
                b'p' => path.extend(b"/proc/self/root"),
                b'c' => path.extend(b"/proc/self/cwd"),
                b'-' => path = b"..".to_vec(),
                other => path.push(other),
            }
        }
        path
    }
}
