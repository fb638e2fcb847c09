//! Compiled code as a file, which is run as it is: whose it must be, and whose it
//! must not.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use portcullis_tests::{component, greeter};
use tempfile::TempDir;

fn portcullis<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A folder with the compiled code of a component.
fn compiled(name: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("guest.cwasm");
    let compiled = portcullis(["compile", "-o"])
        .arg(&path)
        .arg(component(name))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
    (folder, path)
}

/// Runs a program that is granted nothing, which does not begin for this reason.
#[track_caller]
fn check_refused(path: &Path, reason: &str) {
    let Output { status, stderr, .. } = portcullis(["run"]).arg(path).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{stderr}");
    let error = format!("error: {}: ", path.display());
    assert!(
        stderr.starts_with(&error) && stderr.contains(reason),
        "{stderr}"
    );
}

#[test]
fn a_compiled_program_runs_under_its_policy() {
    let (_folder, path) = compiled("greeting-client");
    let mode = fs::metadata(&path).unwrap().mode();
    assert_eq!(mode & 0o777, 0o644);
    let peer = greeter("Thank you for connecting\n");
    let address = peer.address.to_string();
    let grant = format!("connect tcp://{address}");
    let run = |allow: &[&str]| {
        let mut command = portcullis(["run"]);
        command.args(allow).arg(&path).arg(&address);
        command.output().unwrap()
    };
    let denied = run(&[]);
    assert!(!denied.status.success(), "{denied:?}");
    let granted = run(&["--allow", &grant]);
    assert!(granted.status.success(), "{granted:?}");
    assert_eq!(granted.stdout, b"Thank you for connecting\n");
    peer.join();
}

#[test]
fn a_compiled_handler_is_served_with_a_pool_and_without() {
    let (_folder, path) = compiled("greeting-handler");
    for pool in [&[] as &[&str], &["--no-pool"]] {
        let mut server = portcullis(["serve", "--listen", "tcp://127.0.0.1:0"])
            .args(pool)
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut stderr = BufReader::new(server.stderr.take().unwrap());
        stderr.read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("portcullis: listens at tcp://");
        let mut heard = String::new();
        if let Some(address) = address {
            let mut visitor = TcpStream::connect(address).unwrap();
            visitor.read_to_string(&mut heard).unwrap();
        }
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(heard, "Thank you for connecting\n", "{pool:?}: {said}");
    }
}

#[test]
fn what_others_could_have_written_is_refused() {
    let (_folder, path) = compiled("greeting-client");
    for mode in [0o664, 0o646, 0o666, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        check_refused(&path, "others could have written");
    }
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let (_folder, path) = compiled("greeting-client");
    // Only root can give a file away.
    if let Err(error) = chown(&path, Some(12345), None) {
        portcullis_tests::measure::say(&format!("not shown, as this is not root: {error}"));
        return;
    }
    check_refused(&path, "others could have written");
}

#[test]
fn what_is_foreign_is_refused() {
    let (_folder, path) = compiled("greeting-client");
    let code = fs::read(&path).unwrap();
    let foreign = "is no compiled code of this host";
    // Another version of wasmtime says so where this one does, behind the length.
    let version = b"\x0248";
    let place = code
        .windows(version.len())
        .position(|bytes| bytes == version);
    let mut other = code.clone();
    other.splice(place.unwrap()..place.unwrap() + 3, *b"\x0247");
    for bytes in [
        other,
        code.get(..code.len() / 2).unwrap().to_vec(),
        code.get(1..).unwrap().to_vec(),
        b"compiled".to_vec(),
        Vec::new(),
        fs::read(component("greeting-client")).unwrap(),
    ] {
        fs::write(&path, bytes).unwrap();
        check_refused(&path, foreign);
    }
}

#[test]
fn what_is_not_called_compiled_code_is_not_taken_for_it() {
    let (folder, path) = compiled("greeting-client");
    for name in ["guest.wasm", "guest", "cwasm", "guest.cwasm.wasm"] {
        let other = folder.path().join(name);
        fs::copy(&path, &other).unwrap();
        check_refused(&other, "only taken from a file whose name ends in `.cwasm`");
    }
    let output = folder.path().join("guest.wasm");
    let compiled = portcullis(["compile", "-o"])
        .arg(&output)
        .arg(component("greeting-client"))
        .output()
        .unwrap();
    assert_eq!(compiled.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&compiled.stderr).contains("has to end in `.cwasm`"));
}
