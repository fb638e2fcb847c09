//! What components and files say, as the command prints it: nothing in it is an order
//! to a terminal, or hides from a reader what is there.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and it is told where"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use portcullis_policy::Shown;
use tempfile::TempDir;

/// An order to a terminal, the end of a line, a C1 control, a turn of the direction of
/// writing, a line separator, and what has no width or is ignored.
const HOSTILE: &str =
    "\u{1b}[2J\nportcullis: \u{9b}\u{202e}\u{2066}\u{2028}\u{200b}\u{3164}\u{e0041}end";

/// The same in the text format of WebAssembly.
fn hostile() -> String {
    let escape = |byte: u8| format!("\\{byte:02x}");
    HOSTILE.bytes().map(escape).collect()
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// What the validator says of it names what it exports.
fn with_an_export_twice() -> Vec<u8> {
    let name = hostile();
    component(&format!(
        r#"(component (core module (func (export "{name}")) (func (export "{name}"))))"#
    ))
}

/// A program whose one function is called so, and traps.
fn that_traps() -> Vec<u8> {
    let name = hostile();
    component(&format!(
        r#"(component
            (core module $module
                (func $inner (@name "{name}") unreachable)
                (func (export "run") (result i32) call $inner i32.const 0))
            (core instance $core (instantiate $module))
            (func $run (result (result)) (canon lift (core func $core "run")))
            (instance $instance (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $instance)))"#
    ))
}

#[track_caller]
fn portcullis(folder: &Path, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    let Output { stdout, stderr, .. } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr))
}

/// Checks that it is said, and that all of it can be shown.
#[track_caller]
fn check(said: &str, line: &str) {
    assert_eq!(said, Shown::whole(said).as_str());
    let is_said = said.lines().any(|said| said.contains(line));
    assert!(is_said, "{line}: {said}");
    let is_forged = said
        .lines()
        .any(|line| line.starts_with("portcullis: \u{fffd}"));
    assert!(!is_forged, "{said}");
}

#[test]
fn a_component_that_does_not_compile_writes_nothing_raw() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("bad.wasm"), with_an_export_twice()).unwrap();
    let listen = "tcp://127.0.0.1:0";
    for arguments in [
        &["run", "bad.wasm"][..],
        &["learn", "bad.wasm"],
        &["compile", "bad.wasm"],
        &["serve", "--listen", listen, "bad.wasm"],
    ] {
        let (_, said) = portcullis(folder.path(), arguments);
        check(&said, "error: bad.wasm: does not compile: ");
        check(&said, "duplicate export name `\u{fffd}[2J portcullis: ");
    }
}

#[test]
fn a_component_that_traps_writes_nothing_raw() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("trap.wasm"), that_traps()).unwrap();
    let (_, said) = portcullis(folder.path(), &["run", "trap.wasm"]);
    check(
        &said,
        "error: trap.wasm: trapped: wasm trap: wasm `unreachable` instruction executed",
    );
    check(&said, "  in \u{fffd}[2J portcullis: \u{fffd}");
}

/// A folder that others can write to may have any name in it.
#[test]
fn a_file_writes_nothing_raw_by_its_name_or_its_text() {
    let folder = TempDir::new().unwrap();
    let name = format!("{HOSTILE}.wasm");
    fs::write(folder.path().join(&name), with_an_export_twice()).unwrap();
    let (_, said) = portcullis(folder.path(), &["run", &name]);
    check(&said, "end.wasm: does not compile: ");

    let policy = format!("{HOSTILE}.toml");
    let text = "version = 1\nallow = [\"connect tcp://10.0.0.1:\u{3164}\u{202e}1\"]\n";
    fs::write(folder.path().join(&policy), text).unwrap();
    let (_, said) = portcullis(folder.path(), &["policy", "check", &policy]);
    check(&said, "end.toml:2:");
    let (said, _) = portcullis(folder.path(), &["policy", "check", "--json", &policy]);
    check(&said, "end.toml");
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        value[0]["file"],
        policy.as_str(),
        "a program reads the name"
    );

    let wide = "version = 1\nallow = [\"connect tcp://any:*\"]\n";
    fs::write(folder.path().join(&policy), wide).unwrap();
    let (said, _) = portcullis(folder.path(), &["policy", "check", &policy]);
    check(&said, "end.toml:2: ");
    let absent = format!("{HOSTILE}.cwasm");
    let (_, said) = portcullis(folder.path(), &["run", &absent]);
    check(&said, "cannot be read: No such file");
    let (_, said) = portcullis(folder.path(), &["policy", "explain", HOSTILE]);
    check(
        &said,
        "the request '\\u{1b}[2J\\nportcullis: \\u{9b}\\u{202e}\\u{2066}",
    );
}
