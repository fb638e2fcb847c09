//! Unix sockets: paths that lead elsewhere, and names that are not paths.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::TempDir;

use crate::guest;

/// A folder that is granted, `app`, and one that is not, `secret`. In each there
/// is a listener `s` and a datagram socket `d`.
struct Folders {
    top: TempDir,
    listeners: [UnixListener; 2],
    datagrams: [UnixDatagram; 2],
}

const APP: usize = 0;
const SECRET: usize = 1;

impl Folders {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let folders = ["app", "secret"].map(|name| top.path().join(name));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        let folders = folders.each_ref();
        let listeners = folders.map(|folder| UnixListener::bind(folder.join("s")).unwrap());
        let datagrams = folders.map(|folder| UnixDatagram::bind(folder.join("d")).unwrap());
        for listener in &listeners {
            listener.set_nonblocking(true).unwrap();
        }
        for socket in &datagrams {
            socket.set_nonblocking(true).unwrap();
        }
        Self {
            top,
            listeners,
            datagrams,
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.top.path().join(path)
    }

    fn word(&self, path: &str) -> String {
        format!("path:{}", self.at(path).display())
    }

    /// Grants for what is in `app`.
    fn grants(&self) -> Vec<String> {
        let folder = self.at("app");
        [
            "connect unix",
            "connect unixgram",
            "listen unix",
            "listen unixgram",
        ]
        .map(|what| format!("{what}:{}/**", folder.display()))
        .to_vec()
    }

    fn guest(&self, more: &[&str]) -> portcullis_tests::Script {
        let grants = self.grants();
        let grants: Vec<&str> = grants
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        guest(&grants, &[])
    }

    /// Everything in the folder that is not granted.
    fn secrets(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.at("secret"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// How many came, and how many datagrams.
    fn came(&self, folder: usize) -> (usize, usize) {
        let visitors = std::iter::from_fn(|| self.listeners[folder].accept().ok()).count();
        let mut buffer = [0; 8];
        let datagrams = std::iter::from_fn(|| self.datagrams[folder].recv(&mut buffer).ok());
        (visitors, datagrams.count())
    }

    fn nothing_came_of_it(&self) {
        assert_eq!(self.came(SECRET), (0, 0));
        assert_eq!(self.secrets(), ["d", "s"]);
    }
}

#[test]
fn a_path_with_dots() {
    let folders = Folders::new();
    let mut guest = folders.guest(&[]);
    for up in ["app/../secret", "app/./../secret", "app/x/../../secret"] {
        guest.does("open s unix stream");
        guest.fails(
            &format!("connect s {}", folders.word(&format!("{up}/s"))),
            "InvalidArgument",
        );
        guest.fails(
            &format!("bind s {}", folders.word(&format!("{up}/new"))),
            "InvalidArgument",
        );
        guest.does("open d unix datagram");
        let to = folders.word(&format!("{up}/d"));
        guest.fails(&format!("connect d {to}"), "InvalidArgument");
        guest.fails(&format!("send-to d word {to}"), "InvalidArgument");
        guest.fails(&format!("send-many d word {to}"), "InvalidArgument");
    }
    folders.nothing_came_of_it();
    guest.does("open s unix stream");
    guest.does(&format!("connect s {}", folders.word("app/.//s")));
    guest.does("open d unix datagram");
    guest.does(&format!("send-to d word {}", folders.word("app//d")));
    assert_eq!(folders.came(APP), (1, 1));
}

#[test]
fn a_link_out_of_the_folder() {
    let folders = Folders::new();
    symlink(folders.at("secret"), folders.at("app/door")).unwrap();
    symlink("../secret", folders.at("app/relative")).unwrap();
    symlink(folders.at("secret/s"), folders.at("app/ls")).unwrap();
    symlink(folders.at("secret/d"), folders.at("app/ld")).unwrap();
    symlink(folders.at("secret/new"), folders.at("app/ln")).unwrap();
    let mut attacker = folders.guest(&[]);
    let secret = folders.at("secret");
    let more = ["connect unix", "connect unixgram", "listen unix"]
        .map(|what| format!("{what}:{}/**", secret.display()));
    let mut twin = folders.guest(&more.each_ref().map(String::as_str));
    for link in ["app/door/s", "app/relative/s", "app/ls"] {
        let path = folders.word(link);
        let request = format!("connect unix:{}", folders.at(link).display());
        attacker.does("open s unix stream");
        attacker.is_denied(&format!("connect s {path}"), &request);
        assert_eq!(folders.came(SECRET), (0, 0));
        twin.does("open s unix stream");
        twin.does(&format!("connect s {path}"));
        assert_eq!(folders.came(SECRET), (1, 0));
    }
    for link in ["app/door/d", "app/relative/d", "app/ld"] {
        let path = folders.word(link);
        let request = format!("connect unixgram:{}", folders.at(link).display());
        attacker.does("open d unix datagram");
        attacker.is_denied(&format!("connect d {path}"), &request);
        attacker.is_denied(&format!("send-to d word {path}"), &request);
        assert_eq!(folders.came(SECRET), (0, 0));
        twin.does("open d unix datagram");
        twin.does(&format!("send-to d word {path}"));
        assert_eq!(folders.came(SECRET), (0, 1));
    }
    attacker.does("open s unix stream");
    let request = format!("bind unix:{}", folders.at("app/door/new").display());
    attacker.is_denied(
        &format!("bind s {}", folders.word("app/door/new")),
        &request,
    );
    // The last component is not followed, as the OS has it.
    attacker.fails(
        &format!("bind s {}", folders.word("app/ln")),
        "AddressInUse",
    );
    folders.nothing_came_of_it();
    twin.does("open s unix stream");
    twin.does(&format!("bind s {}", folders.word("app/door/new")));
    assert_eq!(folders.secrets(), ["d", "new", "s"]);
}

/// Swaps what a path leads to for as long as it lives.
struct Swapping {
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Swapping {
    fn begin(door: &Path, targets: [PathBuf; 2]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let (door, next) = (door.to_owned(), door.with_extension("next"));
        symlink(&targets[0], &door).unwrap();
        let thread = thread::spawn(move || {
            for target in targets.iter().cycle() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                symlink(target, &next).unwrap();
                fs::rename(&next, &door).unwrap();
            }
        });
        Self {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Swapping {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_folder_that_is_swapped_all_the_while() {
    let folders = Folders::new();
    fs::create_dir(folders.at("app/inner")).unwrap();
    let inner = UnixListener::bind(folders.at("app/inner/s")).unwrap();
    let received = UnixDatagram::bind(folders.at("app/inner/d")).unwrap();
    inner.set_nonblocking(true).unwrap();
    received.set_nonblocking(true).unwrap();
    let door = folders.at("app/door");
    let swapping = Swapping::begin(&door, [folders.at("app/inner"), folders.at("secret")]);
    let mut guest = folders.guest(&[]);
    let mut worked = [0; 3];
    // No more than a guest may leave files of sockets.
    for number in 0..250 {
        guest.does("open s unix stream");
        guest.does("open d unix datagram");
        guest.does("open b unix stream");
        let orders = [
            format!("connect s {}", folders.word("app/door/s")),
            format!("send-to d word {}", folders.word("app/door/d")),
            format!("bind b {}", folders.word(&format!("app/door/new{number}"))),
        ];
        for (order, worked) in orders.iter().zip(&mut worked) {
            let answer = guest.tell(order);
            match answer.outcome.as_str() {
                "done" => *worked += 1,
                // It may as well be gone for a moment, or lead elsewhere than it
                // did when it was judged.
                "AccessDenied" | "NotFound" => {}
                _ => panic!("{order}: {answer:?}"),
            }
        }
        // The queues are short.
        while inner.accept().is_ok() {}
        while received.recv(&mut [0; 8]).is_ok() {}
    }
    drop(swapping);
    folders.nothing_came_of_it();
    assert!(worked.iter().all(|count| *count > 0), "{worked:?}");
}

#[test]
fn an_abstract_name_for_a_path_and_a_path_for_an_abstract_name() {
    let folders = Folders::new();
    let path = folders.at("app/s").display().to_string();
    let name = format!("portcullis-name-{}", std::process::id());
    let address = {
        use std::os::linux::net::SocketAddrExt;
        std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap()
    };
    let abstracts = UnixListener::bind_addr(&address).unwrap();
    abstracts.set_nonblocking(true).unwrap();
    let to_path = format!("connect s path:{path}");
    let to_name = format!("connect s abstract:{name}");
    // The name that looks like the path, too.
    let to_look = format!("connect s abstract:{path}");
    let mut paths = guest(&["connect unix:/**", &format!("connect unix:{path}")], &[]);
    let mut names = guest(&["connect unix:@*", &format!("connect unix:@{name}")], &[]);
    paths.does("open s unix stream");
    paths.is_denied(&to_name, &format!("connect unix:@{name}"));
    paths.is_denied(&to_look, &format!("connect unix:@{path}"));
    names.does("open s unix stream");
    names.is_denied(&to_path, &format!("connect unix:{path}"));
    assert!(abstracts.accept().is_err());
    assert_eq!(folders.came(APP), (0, 0));
    paths.does(&to_path);
    names.does(&to_name);
    assert!(abstracts.accept().is_ok());
    assert_eq!(folders.came(APP), (1, 0));
    // One abstract name is not another, nor one that the OS chooses.
    let mut one = guest(&[&format!("bind unix:@{name}-mine")], &[]);
    one.does("open s unix stream");
    one.is_denied("bind s unnamed", "bind unix:@*");
    one.is_denied(
        &format!("bind s abstract:{name}-mine2"),
        &format!("bind unix:@{name}-mine2"),
    );
    one.is_denied(
        &format!("bind s abstract:{name}-mine%00"),
        &format!("bind unix:@{name}-mine%00"),
    );
    one.does(&format!("bind s abstract:{name}-mine"));
}

#[test]
fn a_datagram_to_a_path_that_is_not_granted() {
    let folders = Folders::new();
    let mut guest = folders.guest(&[]);
    guest.does("open d unix datagram");
    guest.does(&format!("connect d {}", folders.word("app/d")));
    let path = folders.word("secret/d");
    let request = format!("connect unixgram:{}", folders.at("secret/d").display());
    guest.is_denied(&format!("send-to d word {path}"), &request);
    guest.is_denied(&format!("connect d {path}"), &request);
    assert_eq!(
        guest.does(&format!(
            "send-many d one {} two {path}",
            folders.word("app/d")
        )),
        "1"
    );
    folders.nothing_came_of_it();
    guest.does("send d word");
    assert_eq!(folders.came(APP), (0, 2));
}

#[test]
fn what_a_refused_path_leaves_behind() {
    let folders = Folders::new();
    let precious = folders.at("secret/precious");
    fs::write(&precious, "precious").unwrap();
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o640)).unwrap();
    let state = |path: &Path| {
        let is = fs::symlink_metadata(path).unwrap();
        (
            is.ino(),
            is.mode(),
            is.len(),
            is.mtime_nsec(),
            is.ctime_nsec(),
        )
    };
    let (folder, file) = (state(&folders.at("secret")), state(&precious));
    let socket = state(&folders.at("secret/s"));
    let mut attacker = folders.guest(&[]);
    for name in ["precious", "s", "d", "new", "deep/new"] {
        let path = folders.word(&format!("secret/{name}"));
        let shown = folders.at(&format!("secret/{name}")).display().to_string();
        for (kind, bind, scheme) in [
            ("stream", "bind unix", "unix"),
            ("datagram", "listen unixgram", "unixgram"),
        ] {
            attacker.does(&format!("open s unix {kind}"));
            attacker.is_denied(&format!("bind s {path}"), &format!("{bind}:{shown}"));
            attacker.is_denied(
                &format!("connect s {path}"),
                &format!("connect {scheme}:{shown}"),
            );
        }
        attacker.is_denied(
            &format!("send-to s word {path}"),
            &format!("connect unixgram:{shown}"),
        );
    }
    assert_eq!(state(&folders.at("secret")), folder);
    assert_eq!(state(&precious), file);
    assert_eq!(state(&folders.at("secret/s")), socket);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    // Who is granted the path does not take it from what is there, either.
    let mut twin = folders.guest(&[&format!("bind unix:{}/*", folders.at("secret").display())]);
    twin.does("open s unix stream");
    twin.fails(
        &format!("bind s {}", folders.word("secret/precious")),
        "AddressInUse",
    );
    assert_eq!(state(&precious), file);
    twin.does(&format!("bind s {}", folders.word("secret/new")));
    assert_eq!(folders.secrets(), ["d", "new", "precious", "s"]);
}
