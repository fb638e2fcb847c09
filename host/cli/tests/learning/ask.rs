//! `portcullis run --ask`, on a terminal that Python's `pty` makes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use portcullis_tests::greeter;
use tempfile::TempDir;

use super::{guest, portcullis, shown, text, web_server};

/// Runs a command on a terminal of its own, and types an answer at each question.
const TERMINAL: &str = r#"
import os, pty, sys
answers, command = sys.argv[1].split(","), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
said, questions = b"", 0
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    said += data
    while said.count(b"[d] ") > questions:
        answer = answers[questions].encode()
        os.write(terminal, b"\x04" if answer == b"EOF" else answer + b"\n")
        questions += 1
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(status))
"#;

/// What is seen on the terminal, and how it exited.
fn on_terminal(answers: &str, command: &[&str]) -> (String, Option<i32>) {
    let mut python = Command::new("python3");
    let Output {
        status,
        stdout,
        stderr,
    } = python
        .args(["-c", TERMINAL, answers])
        .args(command)
        .output()
        .unwrap();
    assert_eq!(text(&stderr), "");
    (text(&stdout).replace("\r\n", "\n"), status.code())
}

/// Gets two pages, over one connection each, and asks under the options.
fn get_twice(answers: &str, options: &[&str], server: &str) -> (String, Option<i32>) {
    let portcullis = env!("CARGO_BIN_EXE_portcullis");
    let client = guest("http-client");
    let begin = [portcullis, "run", "--ask"];
    on_terminal(
        answers,
        &[&begin, options, &[&client, server, "/a", "/b"]].concat(),
    )
}

/// What undoes whatever the guest did to the looks of the terminal.
const RESET: &str = "\r\n\x1b[0m\x1b[!p\x0f";

fn question(server: &str, choices: &str) -> String {
    format!(
        "{RESET}portcullis: http-client.wasm asks for  connect tcp://{server}\n  \
         reason: no grant covers it\n  grant: connect tcp://{server}\n  {choices}? [d] "
    )
}

const CHOICES: &str = "allow once (o), for this session (s), or deny (d)";

fn denied(server: &str) -> String {
    format!("portcullis: denied  connect tcp://{server}\n")
}

#[test]
fn once_is_for_one_request_and_is_not_asked_again() {
    let server = web_server();
    let (said, code) = get_twice("o", &[], &server);
    let begin = question(&server, CHOICES) + "o\n200 OK\npage\n" + &denied(&server);
    assert!(said.starts_with(&begin), "{said}");
    assert_eq!(said.matches("200 OK").count(), 1, "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_session_lasts_until_the_program_ends() {
    let server = web_server();
    let (said, code) = get_twice("s", &[], &server);
    assert_eq!(
        said,
        question(&server, CHOICES) + "s\n200 OK\npage\n200 OK\npage\n"
    );
    assert_eq!(code, Some(0));
    // The next one is asked again.
    let (said, _) = get_twice("d", &[], &server);
    assert!(said.starts_with(&question(&server, CHOICES)), "{said}");
}

#[test]
fn what_is_no_yes_is_a_no() {
    let server = web_server();
    for answer in ["d", "", "EOF", "w,yes,maybe"] {
        let (said, code) = get_twice(answer, &[], &server);
        assert!(said.contains(&denied(&server)), "{answer}: {said}");
        assert!(!said.contains("200 OK"), "{answer}: {said}");
        assert_eq!(code, Some(1));
    }
}

#[test]
fn what_is_written_into_the_policy_stays_allowed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(
        &path,
        "# mine\nversion = 1\nallow = [\n  \"resolve a.b\" # why\n]\n",
    )
    .unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let (server, policy) = (web_server(), shown(&path));
    let (said, code) = get_twice("w", &["--policy", &policy], &server);
    let choices =
        format!("allow once (o), for this session (s), write into {policy} (w), or deny (d)");
    assert_eq!(
        said,
        question(&server, &choices) + "w\n200 OK\npage\n200 OK\npage\n"
    );
    assert_eq!(code, Some(0));
    let written = fs::read_to_string(&path).unwrap();
    let expected = format!(
        "# mine\nversion = 1\nallow = [\n  \"resolve a.b\", # why\n  \"connect tcp://{server}\", # allowed at "
    );
    assert!(written.starts_with(&expected), "{written}");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let (said, code) = get_twice("", &["--policy", &policy], &server);
    assert_eq!(
        (said.as_str(), code),
        ("200 OK\npage\n200 OK\npage\n", Some(0))
    );
}

#[test]
fn what_is_denied_is_not_asked_about() {
    let server = web_server();
    let (said, code) = get_twice("", &["--deny", "connect tcp://loopback:*"], &server);
    assert!(said.starts_with(&denied(&server)), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn nobody_is_asked_without_a_terminal() {
    let server = web_server();
    let client = guest("http-client");
    // A session of its own has no terminal.
    let output = Command::new("setsid")
        .args(["--wait", env!("CARGO_BIN_EXE_portcullis"), "run", "--ask"])
        .args([&client, &server])
        .output()
        .unwrap();
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with(&denied(&server)), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_question_leaves_standard_input_and_output_alone() {
    let peer = greeter("hello");
    let folder = TempDir::new().unwrap();
    let (output, program) = (folder.path().join("output"), guest("greeting-client"));
    let script = format!(
        "{} run --ask {program} {} </dev/null >{}",
        env!("CARGO_BIN_EXE_portcullis"),
        peer.address,
        output.display()
    );
    let (said, code) = on_terminal("o", &["/bin/sh", "-c", &script]);
    assert!(said.ends_with("[d] o\n"), "{said}");
    assert_eq!(fs::read_to_string(output).unwrap(), "hello");
    assert_eq!(code, Some(0));
    peer.join();
}

#[test]
fn a_server_is_granted_to_listen_and_not_for_once() {
    let (said, _) = on_terminal(
        "s",
        &[
            env!("CARGO_BIN_EXE_portcullis"),
            "run",
            "--ask",
            &guest("denials"),
            "listen_is_denied",
            "127.0.0.1:0",
        ],
    );
    let question =
        "  grant: listen tcp://127.0.0.1:0\n  allow for this session (s), or deny (d)? [d] s\n";
    assert!(said.contains(question), "{said}");
    // It listens, which it did not expect.
    assert_eq!(said.matches("asks for").count(), 1, "{said}");
    assert!(!said.contains("portcullis: denied"), "{said}");
}

#[test]
fn shadow_and_ask_exclude_each_other() {
    let output = portcullis(["run", "--shadow", "--ask", "p.wasm"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
