//! `--dir`: what instances have of the file system, and what they have not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::launch::with_sockets;
use crate::server::{Server, guest, obeyed, orders, serve, shown, write_policy};

/// A folder with a few others in it, without links on the way there.
struct Tree {
    root: PathBuf,
    _folder: TempDir,
}

impl Tree {
    fn new(folders: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for name in folders {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        Self {
            root,
            _folder: folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What `--dir` is given for a folder.
    fn dir(&self, name: &str, guest: &str) -> String {
        format!("{}::{guest}", shown(&self.path(name)))
    }
}

/// Checks that a server does not begin, and says why.
#[track_caller]
fn check_refused(arguments: &[&str], why: &str) {
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command.args(arguments).arg(guest("handler-faults"));
    check_no_server(command, why);
}

#[track_caller]
fn check_no_server(command: Command, why: &str) {
    let mut server = Server::start(command);
    let status = server.end();
    let said = server.said();
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains(why), "{why}: {said}");
}

#[test]
fn folders_within_each_other_are_refused() {
    let tree = Tree::new(&["app/data", "other"]);
    symlink("../other", tree.path("app/link")).unwrap();
    let within = "which is in it";
    let outer = tree.dir("app", "/app");
    for inner in ["app/data", "app/link", "app"] {
        for mode in ["", ":ro"] {
            let inner = tree.dir(inner, "/data") + mode;
            check_refused(&["--dir", &outer, "--dir", &inner], within);
            check_refused(&["--dir", &inner, "--dir", &outer], within);
        }
    }
    // In what it cannot change it has another.
    let data = tree.dir("app/data", "/data");
    let outer = outer + ":ro";
    let (server, address) = orders(&["--dir", &outer, "--dir", &data]);
    assert_eq!(obeyed(address, "write /data/file new"), "ok");
    assert_eq!(obeyed(address, "cat /app/data/file"), "new");
    assert_ne!(obeyed(address, "move /app/data /app/old"), "ok");
    server.finish();
}

/// The first instance puts a link where the folder of the next is looked for.
#[test]
fn an_instance_cannot_choose_the_folder_of_the_next() {
    let tree = Tree::new(&["secret", "app/data"]);
    fs::write(tree.path("secret/file"), "secret").unwrap();
    let (outer, inner) = (tree.dir("app", "/app"), tree.dir("app/data", "/data"));
    let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
    command
        .args(["--dir", &outer, "--dir", &inner])
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let said = server.says("");
    let Some((_, address)) = said.split_once("tcp://") else {
        assert!(said.contains("which is in it"), "{said}");
        return;
    };
    // Where it begins all the same, it must not succeed.
    let address = address.parse().unwrap();
    assert_eq!(obeyed(address, "link ../secret data"), "ok");
    assert_ne!(obeyed(address, "cat /data/file"), "secret");
}

#[test]
fn a_folder_stays_the_one_that_was_opened() {
    let tree = Tree::new(&["data"]);
    fs::write(tree.path("data/file"), "first").unwrap();
    let (mut server, address) = orders(&["--dir", &tree.dir("data", "/data")]);
    assert_eq!(obeyed(address, "cat /data/file"), "first");
    fs::rename(tree.path("data"), tree.path("old")).unwrap();
    fs::create_dir(tree.path("data")).unwrap();
    fs::write(tree.path("data/file"), "second").unwrap();
    assert_eq!(obeyed(address, "cat /data/file"), "first");
    server.reload();
    assert_eq!(obeyed(address, "cat /data/file"), "first");
    // It is the same to one that takes over, which has the command line alone.
    let successor = server.hand_over();
    assert!(server.end().success());
    assert_eq!(obeyed(address, "cat /data/file"), "second");
    crate::server::send(successor, Signal::TERM);
}

#[test]
fn a_folder_that_has_gone_is_empty() {
    let tree = Tree::new(&["data"]);
    let (server, address) = orders(&["--dir", &tree.dir("data", "/data")]);
    fs::remove_dir(tree.path("data")).unwrap();
    assert!(obeyed(address, "surroundings").ends_with("folders [\"/data\"]"));
    assert_ne!(obeyed(address, "write /data/file x"), "ok");
    server.finish();
}

#[test]
fn a_folder_to_read_is_not_written_to() {
    let tree = Tree::new(&["data"]);
    fs::write(tree.path("data/file"), "as it was").unwrap();
    let (server, address) = orders(&["--dir", &(tree.dir("data", "/data") + ":ro")]);
    assert_eq!(obeyed(address, "cat /data/file"), "as it was");
    for order in [
        "write /data/file other",
        "write /data/new other",
        "move /data/file /data/other",
        "link file other",
    ] {
        assert_ne!(obeyed(address, order), "ok", "{order}");
    }
    let names = fs::read_dir(tree.path("data")).unwrap();
    assert_eq!(names.count(), 1);
    assert_eq!(obeyed(address, "cat /data/file"), "as it was");
    server.finish();
}

#[test]
fn what_is_no_name_of_a_folder_is_refused() {
    let tree = Tree::new(&["data", "other"]);
    let data = shown(&tree.path("data")).to_owned();
    for (dir, why) in [
        (format!("{data}::data"), "no path from the root on"),
        (format!("{data}::/a/../b"), "no path from the root on"),
        (format!("{data}::/data:rw"), "`:ro` and nothing else"),
        (format!("{data}::"), "give a folder, or HOST::GUEST"),
        ("::/data".to_owned(), "give a folder, or HOST::GUEST"),
        (format!("{data}:/data"), "under another name write `"),
    ] {
        check_refused(&["--dir", &dir], why);
    }
    let (first, second) = (tree.dir("data", "/data"), tree.dir("other", "/data"));
    check_refused(
        &["--dir", &first, "--dir", &second],
        "there is a folder `/data` already",
    );
}

/// A socket that is renamed, or linked to once more, has a name that no deny is about;
/// one that is put in the place of another has the name that is granted.
#[test]
fn no_unix_socket_is_where_an_instance_has_a_folder() {
    let tree = Tree::new(&["app/data", "other"]);
    symlink("app/data", tree.path("link")).unwrap();
    let path = |name: &str| shown(&tree.path(name)).to_owned();
    let dir = tree.dir("app/data", "/data");
    let refused = "could give sockets of";
    for grant in [
        format!("connect unix:{}", path("app/data/db.sock")),
        format!("connect unix:{}", path("link/db.sock")),
        format!("listen unix:{}/*", path("app/data")),
        format!("bind unixgram:{}/**", path("app/data/deeper")),
        format!("connect unix:{}/**", path("app")),
        "connect unix:/**".to_owned(),
    ] {
        check_refused(&["--dir", &dir, "--allow", &grant], refused);
        let (server, _) = orders(&["--dir", &format!("{dir}:ro"), "--allow", &grant]);
        server.finish();
    }
    for grant in [
        format!("connect unix:{}/*", path("app")),
        format!("connect unix:{}", path("app/data2")),
        "connect unix:@*".to_owned(),
    ] {
        let (server, _) = orders(&["--dir", &dir, "--allow", &grant]);
        server.finish();
    }
    let socket = path("app/data/app.sock");
    let listen = format!("unix:{socket}");
    check_refused(&["--dir", &dir, "--listen", &listen], refused);
    let connect = format!("db=connect unix:{socket}");
    check_refused(&["--dir", &dir, "--socket", &connect], refused);
    let passed = format!("unix:{socket}=app");
    let arguments = ["--dir", &dir, "--listen", "systemd:app"];
    check_no_server(
        with_sockets(&[&passed], "handler-faults", &arguments),
        refused,
    );
}

#[test]
fn a_reload_grants_no_unix_socket_where_an_instance_has_a_folder() {
    let tree = Tree::new(&["data"]);
    let policy = tree.path("policy.toml");
    write_policy(&policy, "");
    let dir = tree.dir("data", "/data");
    let (mut server, address) = orders(&["--dir", &dir, "--policy", shown(&policy)]);
    let grant = format!("connect unix:{}/*", shown(&tree.path("data")));
    write_policy(&policy, &format!("allow = [\"{grant}\"]\n"));
    let why = server.fail_to_reload();
    assert!(why.contains("could give sockets of"), "{why}");
    assert_eq!(obeyed(address, "state"), "1");
    server.finish();
}

/// Links lead there that led elsewhere at the start.
#[test]
fn nothing_is_opened_anew_where_an_instance_could_change_it() {
    let tree = Tree::new(&["data", "etc"]);
    let link = |to: &str, name: &str| {
        let new = tree.path("new");
        symlink(tree.path(to), &new).unwrap();
        fs::rename(new, tree.path(name)).unwrap();
    };
    fs::copy(guest("handler-faults"), tree.path("etc/handler")).unwrap();
    fs::copy(guest("handler-faults"), tree.path("data/handler")).unwrap();
    for name in ["handler", "access", "audit", "policy"] {
        link(&format!("etc/{name}"), name);
    }
    write_policy(&tree.path("etc/policy"), "");
    write_policy(&tree.path("data/policy"), "");
    let dir = tree.dir("data", "/data");
    let mut command = serve(["--listen", "tcp://127.0.0.1:0", "--dir", &dir]);
    for (option, name) in [
        ("--access-log", "access"),
        ("--audit", "audit"),
        ("--policy", "policy"),
    ] {
        command.arg(option).arg(tree.path(name));
    }
    command.arg(tree.path("handler"));
    let mut server = Server::start(command);
    let address = server.address();
    for name in ["handler", "access", "audit", "policy"] {
        link(&format!("data/{name}"), name);
        let why = server.fail_to_reload();
        assert!(why.contains("by which it is run, held"), "{name}: {why}");
        server.signal(Signal::USR2);
        server.says("cannot be taken over, and goes on as before");
        let why = server.says("error: ");
        assert!(why.contains("by which it is run, held"), "{name}: {why}");
        link(&format!("etc/{name}"), name);
    }
    assert!(!tree.path("data/access").exists());
    assert!(!tree.path("data/audit").exists());
    server.reload();
    assert_eq!(obeyed(address, "state"), "1");
    server.finish();
}

/// Where it is found under another path.
#[test]
fn what_is_mounted_twice_is_one_place() {
    let tree = Tree::new(&["data", "mounted"]);
    fs::write(tree.path("data/policy.toml"), "version = 1\n").unwrap();
    let mounted = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-ec"])
            .arg(format!("mount --bind \"$1\" \"$2\"; shift 2; {script}"))
            .arg("sh")
            .args([tree.path("data"), tree.path("mounted")]);
        command
    };
    if !mounted("true")
        .output()
        .is_ok_and(|done| done.status.success())
    {
        eprintln!("skipped: this user cannot mount");
        return;
    }
    let (data, twice) = (tree.dir("data", "/data"), tree.dir("mounted", "/twice"));
    let policy = shown(&tree.path("mounted/policy.toml")).to_owned();
    let socket = format!("connect unix:{}/*", shown(&tree.path("mounted")));
    for (arguments, why) in [
        (["--policy", &policy], "by which it is run, held"),
        (["--dir", &twice], "which is in it"),
        (["--allow", &socket], "could give sockets of"),
    ] {
        let mut command = mounted("exec \"$@\"");
        command
            .args([env!("CARGO_BIN_EXE_portcullis"), "serve"])
            .args(["--listen", "tcp://127.0.0.1:0", "--dir", &data])
            .args(arguments)
            .arg(guest("handler-faults"));
        check_no_server(command, why);
    }
}

#[test]
fn what_the_machine_says_of_names_is_in_no_folder() {
    check_refused(&["--dir", "/etc::/data"], "could change /etc/hosts");
}
