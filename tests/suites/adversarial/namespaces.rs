//! Local peers that see other names than the host does: they are in namespaces of
//! their own, and what their sockets are called means something else here.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::{fs, io, thread};

use nix::sched::{CloneFlags, unshare};
use portcullis_tests::Script;

use crate::guest;

/// Sends a word to `server` from a socket at `name`, in a mount namespace where
/// another file system lies over `hidden`.
fn send_from_elsewhere(hidden: &Path, name: &Path, server: &Path) -> io::Result<()> {
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            // It is this thread's alone, and what it starts is in it as well.
            unshare(CloneFlags::CLONE_NEWNS)?;
            mount(&["--make-rprivate", "/"], Path::new("/"))?;
            mount(&["-t", "tmpfs", "tmpfs"], hidden)?;
            let socket = UnixDatagram::bind(name)?;
            assert_eq!(socket.send_to(b"word", server)?, 4);
            Ok(())
        });
        sender.join().unwrap()
    })
}

fn mount(arguments: &[&str], at: &Path) -> io::Result<()> {
    let mut mount = Command::new("mount");
    mount.args(arguments);
    if !arguments.contains(&"/") {
        mount.arg(at);
    }
    match mount.output()? {
        done if done.status.success() => Ok(()),
        failed => Err(io::Error::other(
            String::from_utf8_lossy(&failed.stderr).into_owned(),
        )),
    }
}

/// The sender's name is that of a socket which the sender cannot reach: an answer
/// would have the host reach it for the sender.
#[test]
fn a_datagram_from_a_name_of_another_mount_namespace() {
    let top = tempfile::tempdir().unwrap();
    let (hidden, server) = (top.path().join("hidden"), top.path().join("server"));
    fs::create_dir(&hidden).unwrap();
    let victim = hidden.join("victim");
    let native = UnixDatagram::bind(&victim).unwrap();
    native.set_nonblocking(true).unwrap();
    let listen = format!("listen unixgram:{}", server.display());
    let connect = format!("connect unixgram:{}", victim.display());
    let hears = |grants: &[&str]| -> io::Result<Script> {
        let mut guest = guest(grants, &[]);
        guest.does("open d unix datagram");
        guest.does(&format!("bind d path:{}", server.display()));
        send_from_elsewhere(&hidden, &victim, &server)?;
        let heard = guest.does("receive-from d");
        assert_eq!(heard, format!("word from {}", victim.display()));
        Ok(guest)
    };
    let mut attacked = match hears(&[&listen]) {
        Ok(guest) => guest,
        Err(error) => {
            eprintln!("skipped: no mount namespace can be made here: {error}");
            return;
        }
    };
    for order in ["send-to", "send-many"] {
        let order = format!("{order} d answer path:{}", victim.display());
        attacked.is_denied(&order, &connect);
    }
    assert!(native.recv(&mut [0; 8]).is_err(), "the socket was reached");
    attacked.end();
    fs::remove_file(&server).unwrap();
    let mut twin = hears(&[&listen, &connect]).unwrap();
    twin.does(&format!("send-to d answer path:{}", victim.display()));
    assert_eq!(native.recv(&mut [0; 8]).unwrap(), 6);
}
