//! Gopher against Gophernicus.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::peer::{debian_for_anyone, inetd};
use super::succeed;
use super::tap::Tap;
use crate::example::Example;
use crate::learned::assert_learned;

/// Who runs Gophernicus when we are root, which it refuses to be.
const NOBODY: u32 = 65534;

const ABOUT: &str = "Hello\n.dots.\n.\nthe end\n";

/// A server of one menu and one text, and where they are.
fn server() -> (u16, TempDir) {
    let folder = TempDir::new().unwrap();
    let (programs, hole) = (folder.path().join("programs"), folder.path().join("hole"));
    for folder in [folder.path(), &programs, &hole] {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(hole.join("about.txt"), ABOUT).unwrap();
    let menu = "Welcome\n0About us\tabout.txt\n1Elsewhere\t/there\tgopher.example.org\t70\n";
    fs::write(hole.join("gophermap"), menu).unwrap();
    let port = inetd(move || gophernicus(&programs, &hole));
    (port, folder)
}

fn gophernicus(programs: &Path, hole: &Path) -> Command {
    let mut command = debian_for_anyone("usr/sbin/gophernicus", programs);
    command.args(["-h", "localhost", "-r"]).arg(hole);
    if fs::metadata(hole).unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn client(port: u16) -> Example {
    Example::named("gopher-client", "gopher/client.toml").port(7070, port)
}

#[test]
fn the_gopher_client_shows_menus_and_texts() {
    let (port, _folder) = server();
    let tap = Tap::before(port);
    let menu = succeed(client(tap.port));
    let signature = "Gophered by Gophernicus/3.1.1 on ";
    let (menu, _) = menu.split_once("____").unwrap();
    assert_eq!(
        menu,
        "Welcome\n[0/about.txt] About us\n[1/there] Elsewhere\n"
    );
    tap.dialogue().assert(&[
        "C connects",
        "C: ",
        r"S: iWelcome\x09*",
        r"S: 0About us\x09/about.txt\x09localhost\x0970",
        r"S: 1Elsewhere\x09/there\x09gopher.example.org\x0970",
        "S: i___*",
        &format!("S: i*{signature}*"),
        "S: .",
    ]);
    let tap = Tap::before(port);
    let text = succeed(client(tap.port).arguments(["0/about.txt"]));
    assert_eq!(text.replace("\r\n", "\n"), ABOUT);
    // This one sends the text as it is, and does not end it with a dot.
    tap.dialogue().assert(&[
        "C connects",
        "C: /about.txt",
        "S: Hello",
        "S: .dots.",
        "S: .",
        "S: the end",
    ]);
}

#[test]
fn what_the_gopher_client_needs_is_learned() {
    let (port, _folder) = server();
    assert_learned(1, || client(port), |client| drop(succeed(client)));
}
