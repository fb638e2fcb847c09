//! `portcullis learn`.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::{PATIENCE, greeter};
use tempfile::TempDir;

use super::{free_port, guest, interrupt, next_line, portcullis, shown, succeed, text, web_server};

/// The policy without the time at its top.
#[track_caller]
fn untimed(policy: &str) -> String {
    let (first, rest) = policy.split_once('\n').unwrap();
    let (before, time) = first.rsplit_once(" at ").unwrap();
    assert!(time.ends_with("Z."), "{time}");
    format!("{before}\n{rest}")
}

const REVIEW: &str = "# Review this: it grants what the program did, whether it should or not.\n";

#[test]
fn the_policy_of_a_client_lets_it_run_again() {
    let folder = TempDir::new().unwrap();
    let policy = shown(&folder.path().join("policy.toml"));
    let (program, server) = (guest("http-client"), web_server());
    let learnt = portcullis(["learn", "-o", &policy, &program, &server, "/a", "/b"])
        .output()
        .unwrap();
    assert_eq!(text(&learnt.stdout), "200 OK\npage\n200 OK\npage\n");
    assert_eq!(
        text(&learnt.stderr),
        format!("portcullis: learned 1 grant; review {policy}\n")
    );
    assert_eq!(learnt.status.code(), Some(0));
    assert_eq!(
        untimed(&fs::read_to_string(&policy).unwrap()),
        format!(
            "# Learned by `portcullis learn` from http-client.wasm\n{REVIEW}version = 1\n\
             allow = [\n    \"connect tcp://{server}\", # 2 times\n]\n"
        )
    );
    let run = portcullis(["run", "--policy", &policy, &program, &server, "/c"]);
    assert_eq!(succeed(run), "200 OK\npage\n");
}

#[test]
fn without_a_file_the_policy_goes_to_standard_output() {
    for output in [&["-o", "-"][..], &[]] {
        let peer = greeter("hello\n");
        let (program, address) = (guest("greeting-client"), peer.address.to_string());
        let arguments = [&["learn"], output, &[&program, &address]].concat();
        let printed = succeed(portcullis(arguments));
        let policy = printed.strip_prefix("hello\n").unwrap();
        let grant = format!("\n    \"connect tcp://{address}\", # once\n]\n");
        assert!(policy.ends_with(&grant), "{policy}");
        peer.join();
    }
}

#[test]
fn a_server_is_used_and_then_ended_by_the_user() {
    let folder = TempDir::new().unwrap();
    let policy = shown(&folder.path().join("policy.toml"));
    let program = guest("greeting-server");
    let address = format!("127.0.0.1:{}", free_port());
    let visit = || {
        let mut said = String::new();
        let mut visitor = TcpStream::connect(&address).unwrap();
        visitor.read_to_string(&mut said).unwrap();
        assert_eq!(said, "Thank you for connecting\n");
    };
    let mut server = portcullis(["learn", "-o", &policy, &program, &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    next_line(&mut server);
    visit();
    visit();
    interrupt(&server);
    let ended = server.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let learnt = fs::read_to_string(&policy).unwrap();
    let grant = format!(
        "allow = [\n    \"listen tcp://{address} from 127.0.0.1\", # 3 times, first from 127.0.0.1\n]\n"
    );
    assert!(learnt.ends_with(&grant), "{learnt}");

    let mut server = portcullis(["run", "--policy", &policy, &program, &address])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    next_line(&mut server);
    visit();
    server.kill().unwrap();
    server.wait().unwrap();
}

/// A thread of the runtime opens a pipe then that nothing writes to, and cannot be stopped.
#[test]
fn a_program_that_waits_for_a_file_for_ever_is_ended_by_the_user() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let made = Command::new("mkfifo")
        .arg(data.join("greeting.txt"))
        .status();
    assert!(made.unwrap().success());
    let policy = shown(&folder.path().join("policy.toml"));
    let data = format!("{}::/data", shown(&data));
    let program = guest("surroundings");
    let mut learner = portcullis(["learn", "-o", &policy, "--dir", &data, &program])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is about to open the file.
    next_line(&mut learner);
    interrupt(&learner);
    let end = Instant::now() + PATIENCE / 2;
    let ended = loop {
        match learner.try_wait().unwrap() {
            None if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            ended => break ended,
        }
    };
    let _ = learner.kill();
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    assert!(fs::exists(&policy).unwrap(), "what was learned is lost");
}

#[test]
fn what_a_program_did_before_it_trapped_is_learned() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    let program = guest("faults");
    let learnt = portcullis(["learn", "-o", &shown(&policy), &program, "panic_at_once"])
        .output()
        .unwrap();
    let stderr = text(&learnt.stderr);
    assert_eq!(learnt.status.code(), Some(134), "{stderr}");
    assert!(stderr.contains("faults.wasm: trapped: "), "{stderr}");
    let learnt = fs::read_to_string(policy).unwrap();
    assert!(learnt.ends_with("version = 1\nallow = []\n"), "{learnt}");
}

#[test]
fn the_policy_that_it_starts_from_is_kept() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (
        folder.path().join("old.toml"),
        folder.path().join("new.toml"),
    );
    let server = web_server();
    let (_, port) = server.split_once(':').unwrap();
    fs::write(
        &old,
        "# mine\nversion = 1\nallow = [\n  \"resolve a.internal\", # why\n]\n\
         [hosts] # where\n\"web.internal\" = [\"127.0.0.1\"]\n",
    )
    .unwrap();
    let address = format!("web.internal:{port}");
    let learnt = portcullis([
        "learn",
        "--policy",
        &shown(&old),
        "--allow",
        "connect udp://127.0.0.1:9",
        "--deny",
        "connect tcp://private:*",
        "-o",
        &shown(&new),
        &guest("http-client"),
        &address,
    ]);
    succeed(learnt);
    assert_eq!(
        untimed(&fs::read_to_string(&new).unwrap()),
        format!(
            "# Learned by `portcullis learn` from http-client.wasm\n{REVIEW}\
             # mine\nversion = 1\nallow = [\n  \"resolve a.internal\", # why\n  \
             \"connect udp://127.0.0.1:9\", # given by --allow\n  \
             \"connect tcp://web.internal:{port} in loopback\", # once, 127.0.0.1:{port}\n]\n\
             deny = [\n    \"connect tcp://private:*\", # given by --deny\n]\n\
             [hosts] # where\n\"web.internal\" = [\"127.0.0.1\"]\n"
        )
    );
    // What it needs is there by now.
    let again = portcullis([
        "learn",
        "--policy",
        &shown(&new),
        "-o",
        &shown(&old),
        "--force",
        &guest("http-client"),
        &address,
    ])
    .output()
    .unwrap();
    let stderr = text(&again.stderr);
    assert!(
        stderr.starts_with("portcullis: learned 0 grants; review "),
        "{stderr}"
    );
}

#[test]
fn what_is_denied_stays_denied_and_is_not_learned() {
    let server = web_server();
    let learnt = portcullis([
        "learn",
        "--deny",
        "connect tcp://loopback:*",
        &guest("http-client"),
        &server,
    ])
    .output()
    .unwrap();
    let stderr = text(&learnt.stderr);
    let denied = format!("portcullis: denied  connect tcp://{server}\n");
    assert!(stderr.starts_with(&denied), "{stderr}");
    assert_eq!(learnt.status.code(), Some(1), "{stderr}");
    let policy = text(&learnt.stdout);
    assert!(policy.contains("allow = []\n"), "{policy}");
}

#[test]
fn a_file_is_not_written_over_unasked() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "precious").unwrap();
    let (policy_text, program) = (shown(&policy), guest("faults"));
    let learn = |more: &[&str]| {
        let arguments = [
            &["learn", "-o", &policy_text],
            more,
            &[&program, "exit_with_an_error"],
        ];
        portcullis(arguments.concat()).output().unwrap()
    };
    let refused = learn(&[]);
    assert_eq!(
        text(&refused.stderr),
        format!(
            "error: {policy_text} is there already; write to another file, or over it with --force\n"
        )
    );
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(fs::read_to_string(&policy).unwrap(), "precious");
    assert_eq!(learn(&["--force"]).status.code(), Some(1));
    assert!(
        fs::read_to_string(&policy)
            .unwrap()
            .starts_with("# Learned")
    );
}

#[test]
fn an_output_that_would_go_to_the_program_is_pointed_out() {
    let refused = portcullis([
        "learn",
        &guest("faults"),
        "exit_with_an_error",
        "-o",
        "p.toml",
    ])
    .output()
    .unwrap();
    assert_eq!(
        text(&refused.stderr),
        "error: `-o` after an argument of the program is for the program; put it before them, or \
         `-o -` to write to standard output\n"
    );
    assert_eq!(refused.status.code(), Some(2));
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    let learnt = portcullis([
        "learn",
        &guest("faults"),
        "-o",
        &shown(&policy),
        "exit_with_an_error",
    ])
    .output()
    .unwrap();
    assert_eq!(learnt.status.code(), Some(1), "{}", text(&learnt.stderr));
    assert!(policy.is_file());
}
