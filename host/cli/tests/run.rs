//! `portcullis run`, as a shell sees it: what it prints, and how it exits.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use portcullis_tests::{assert_own_frames, component, greeter};
use tempfile::TempDir;

fn portcullis(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn guest(name: &str) -> String {
    component(name).display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Checks the exit code and the whole of standard error.
#[track_caller]
fn check_error(arguments: &[&str], code: i32, expected: &str) {
    let Output {
        status,
        stdout,
        stderr,
    } = portcullis(arguments).output().unwrap();
    assert_eq!(text(&stderr), expected);
    assert_eq!(status.code(), Some(code));
    assert_eq!(text(&stdout), "");
}

/// A folder with a file in it.
fn folder_with(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_granted_client_talks_and_exits_with_zero() {
    let peer = greeter("hello");
    let grant = format!("connect tcp://{}", peer.address);
    let arguments = [
        "run",
        "--allow",
        &grant,
        &guest("greeting-client"),
        &peer.address.to_string(),
    ];
    let Output {
        status,
        stdout,
        stderr,
    } = portcullis(&arguments).output().unwrap();
    assert_eq!(
        (
            text(&stdout).as_str(),
            text(&stderr).as_str(),
            status.code()
        ),
        ("hello", "", Some(0))
    );
    peer.join();
}

#[test]
fn a_denied_client_fails_and_the_operator_is_told_why_and_what_to_do() {
    check_error(
        &["run", &guest("greeting-client"), "127.0.0.1:9"],
        1,
        "portcullis: denied  connect tcp://127.0.0.1:9\n  \
         reason: no grant covers it\n  \
         to allow: --allow 'connect tcp://127.0.0.1:9'\n\
         Error: Custom { kind: PermissionDenied, error: \"connect tcp://127.0.0.1:9 is not granted\" }\n",
    );
}

#[test]
fn the_remedy_of_a_denial_allows_it() {
    let peer = greeter("hello");
    let (guest, address) = (guest("greeting-client"), peer.address.to_string());
    let denied = portcullis(&["run", &guest, &address]).output().unwrap();
    let report = text(&denied.stderr);
    let (_, rest) = report.split_once("--allow '").unwrap();
    let (grant, _) = rest.split_once('\'').unwrap();
    let allowed = portcullis(&["run", "--allow", grant, &guest, &address])
        .output()
        .unwrap();
    assert_eq!(text(&allowed.stdout), "hello");
    peer.join();
}

#[test]
fn a_denial_that_repeats_is_printed_once_and_counted() {
    let arguments = [
        "run",
        &guest("denials"),
        "every_path_is_closed",
        "127.0.0.1:9",
        "[::1]:9",
    ];
    let Output { status, stderr, .. } = portcullis(&arguments).output().unwrap();
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(
        stderr
            .matches("denied  connect tcp://127.0.0.1:9\n")
            .count(),
        1,
        "{stderr}"
    );
    assert!(
        stderr.contains("portcullis: denied  connect tcp://127.0.0.1:9 (2 times in all)\n"),
        "{stderr}"
    );
}

#[test]
fn a_scan_does_not_fill_the_screen() {
    let output = portcullis(&["run", &guest("denials"), "scan"])
        .output()
        .unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(stderr.matches("portcullis: denied  connect ").count(), 1000);
    assert!(
        stderr.ends_with("portcullis: denied  234 more requests of the guest, not told apart\n"),
        "{stderr}"
    );
}

#[test]
fn a_resolver_is_chosen_by_its_name() {
    for resolver in ["dns", "system"] {
        let arguments = [
            "run",
            "--resolver",
            resolver,
            &guest("names"),
            "lookup_prints",
            "localhost:80",
        ];
        let output = portcullis(&arguments).output().unwrap();
        assert_eq!(text(&output.stdout), "[::1]:80\n127.0.0.1:80\n");
    }
    let arguments = ["run", "--resolver", "oracle", &guest("names")];
    let output = portcullis(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("[possible values: dns, system]"),
        "{stderr}"
    );
}

#[test]
fn the_exit_code_is_the_guests_own() {
    check_error(&["run", &guest("faults"), "exit_with_an_error"], 1, "");
}

#[test]
fn a_trap_exits_with_134() {
    let Output { status, stderr, .. } = portcullis(&["run", &guest("faults"), "panic_at_once"])
        .output()
        .unwrap();
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(134), "{stderr}");
    assert!(
        stderr.contains("as ordered"),
        "the guest's own words: {stderr}"
    );
    // In the end, where and why, and the program's own functions.
    let (_, told) = stderr.split_once("faults.wasm: trapped: ").unwrap();
    assert!(told.starts_with("panicked at "), "{stderr}");
    let (place, frames) = told.split_once('\n').unwrap();
    assert!(place.contains("faults.rs:"), "{stderr}");
    assert!(place.ends_with(": as ordered"), "{stderr}");
    assert!(frames.contains("  in faults::"), "{stderr}");
    assert_own_frames(frames);
}

/// They are all that tells of what came after the first.
#[test]
fn a_server_that_a_signal_ends_tells_its_counts() {
    for (signal, code, mode) in [
        (
            "-TERM",
            143,
            &["--allow", "listen tcp://127.0.0.1:0 from 10.0.0.1"][..],
        ),
        ("-INT", 130, &["--shadow"]),
    ] {
        let server = guest("greeting-server");
        let arguments = [&["run"], mode, &[&server, "127.0.0.1:0"]].concat();
        let mut child = portcullis(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = lines.next().unwrap().unwrap();
        let address = listening.strip_prefix("Listening on ").unwrap();
        for _ in 0..3 {
            // Reset, or greeted.
            let mut visitor = TcpStream::connect(address).unwrap();
            let _ = visitor.read_to_end(&mut Vec::new());
        }
        let mut kill = Command::new("kill");
        assert!(
            kill.args([signal, &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.ends_with(" (3 times in all)\n"), "{stderr}");
    }
}

#[test]
fn a_program_that_uses_the_sockets_of_wasi_is_told_of_it() {
    let wasi = guest("wasi_sockets");
    let notice = format!("portcullis: {wasi} imports `wasi:sockets`, which is there and denies ");
    let folder = TempDir::new().unwrap();
    let learned = shown(&folder.path().join("policy.toml"));
    for arguments in [
        &["run", &wasi][..],
        &["run", "--allow", "connect tcp://any:*", &wasi],
        &["run", "--shadow", &wasi],
        &["learn", "-o", &learned, &wasi],
    ] {
        let stderr = text(&portcullis(arguments).output().unwrap().stderr);
        assert_eq!(
            stderr.matches(&notice).count(),
            1,
            "{arguments:?}: {stderr}"
        );
    }
    let other = portcullis(&["run", &guest("greeting-client"), "127.0.0.1:9"]).output();
    let stderr = text(&other.unwrap().stderr);
    assert!(!stderr.contains("wasi:sockets"), "{stderr}");
}

#[test]
fn an_interrupt_ends_it_at_once() {
    for (behaviour, arguments) in [("loop_for_ever", ""), ("wait_for_ever", "127.0.0.1:0")] {
        let guest = guest("faults");
        let mut child = portcullis(&[
            "run",
            "--allow",
            "listen tcp://127.0.0.1:0",
            &guest,
            behaviour,
            arguments,
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let begin = Instant::now();
        let killed = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        child.wait().unwrap();
        assert!(
            begin.elapsed() < Duration::from_secs(1),
            "{behaviour}: {:?}",
            begin.elapsed()
        );
    }
}

#[test]
fn environment_folders_and_arguments_reach_the_guest() {
    let (folder, _) = folder_with("greeting.txt", "from the folder");
    let mount = format!("{}::/data", shown(folder.path()));
    let guest = guest("surroundings");
    let arguments = [
        "run",
        "--env",
        "COLOUR=blue",
        "--env",
        "HANDED_ON",
        "--dir",
        &mount,
        &guest,
        "--flag",
        "-x",
    ];
    let output = portcullis(&arguments)
        .env("HANDED_ON", "from outside")
        .env("KEPT", "secret")
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        text(&output.stdout),
        "arguments: [\"--flag\", \"-x\"]\n\
         environment: [(\"COLOUR\", \"blue\"), (\"HANDED_ON\", \"from outside\")]\n\
         file: from the folder\n",
    );
}

#[test]
fn standard_input_reaches_the_guest() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let grant = format!("connect tcp://{address}");
    let mut child = portcullis(&["run", "--allow", &grant, &guest("chat-client"), &address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (visitor, _) = server.accept().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"good morning\nq\n")
        .unwrap();
    let mut said = String::new();
    BufReader::new(&visitor).read_line(&mut said).unwrap();
    assert_eq!(said, "good morning\n");
    (&visitor).write_all(b"and to you\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        text(&output.stdout),
        " -> Received from server: and to you\n -> "
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_second_run_finds_the_compiled_program() {
    let cache = TempDir::new().unwrap();
    let run = || {
        let begin = Instant::now();
        let output = portcullis(&["run", &guest("faults"), "exit_with_an_error"])
            .env("XDG_CACHE_HOME", cache.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        begin.elapsed()
    };
    let (first, second) = (run(), run());
    assert!(second < first, "compiled in {first:?}, then {second:?}");
    assert!(cache.path().join("portcullis").is_dir());
}

#[test]
fn a_cache_that_cannot_be_used_is_done_without() {
    let (_folder, file) = folder_with("not-a-folder", "");
    let output = portcullis(&["run", &guest("faults"), "exit_with_an_error"])
        .env("XDG_CACHE_HOME", file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}

#[test]
fn a_cache_that_others_can_write_to_is_not_used() {
    let cache = TempDir::new().unwrap();
    let folder = cache.path().join("portcullis");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let output = portcullis(&["run", &guest("faults"), "exit_with_an_error"])
        .env("XDG_CACHE_HOME", cache.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn the_cache_is_nobody_elses() {
    let cache = TempDir::new().unwrap();
    portcullis(&["run", &guest("faults"), "exit_with_an_error"])
        .env("XDG_CACHE_HOME", cache.path())
        .output()
        .unwrap();
    let mode = fs::metadata(cache.path().join("portcullis"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_guest_is_not_given_the_cache() {
    let home = TempDir::new().unwrap();
    let cache = home.path().join("cache/portcullis");
    for folder in [home.path(), &cache, Path::new("/")] {
        let output = portcullis(&[
            "run",
            "--dir",
            &format!("{}::/data", shown(folder)),
            &guest("surroundings"),
        ])
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .output()
        .unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("where compiled code is kept"), "{stderr}");
    }
}

#[test]
fn a_guest_is_not_given_what_holds_it() {
    let folder = TempDir::new().unwrap();
    let (inside, file) = (
        folder.path().join("data"),
        folder.path().join("policy.toml"),
    );
    fs::create_dir(&inside).unwrap();
    fs::write(&file, "version = 1\n").unwrap();
    let (log, learned) = (folder.path().join("log"), folder.path().join("learned"));
    for (command, option, file) in [
        ("run", "--policy", &file),
        ("run", "--ceiling", &file),
        ("run", "--audit", &log),
        ("learn", "--output", &learned),
    ] {
        let end = |dir: &Path| {
            let dir = format!("{}::/data", shown(dir));
            let arguments = [command, option, &shown(file), "--dir", &dir];
            let mut run = portcullis(&arguments);
            run.arg(guest("surroundings")).output().unwrap()
        };
        let output = end(folder.path());
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option}: {stderr}");
        assert!(stderr.contains("by which it is run, held"), "{stderr}");
        assert_ne!(end(&inside).status.code(), Some(2), "{option}");
    }
}

#[test]
fn a_guest_is_not_given_a_link_that_leads_to_what_holds_it() {
    let folder = TempDir::new().unwrap();
    let (data, held) = (folder.path().join("data"), folder.path().join("etc"));
    fs::create_dir(&data).unwrap();
    fs::create_dir(&held).unwrap();
    fs::write(held.join("policy.toml"), "version = 1\n").unwrap();
    // The guest could have it lead elsewhere.
    symlink("../etc", data.join("current")).unwrap();
    let end = |policy: PathBuf| {
        let (policy, dir) = (shown(&policy), format!("{}::/data", shown(&data)));
        let mut run = portcullis(&["run", "--policy", &policy, "--dir", &dir]);
        run.arg(guest("surroundings")).output().unwrap()
    };
    let output = end(data.join("current/policy.toml"));
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("by which it is run, held"), "{stderr}");
    assert_ne!(end(held.join("policy.toml")).status.code(), Some(2));
}

#[test]
fn a_guest_is_not_given_the_compiled_code_that_it_is_run_from() {
    let folder = TempDir::new().unwrap();
    let inside = folder.path().join("data");
    fs::create_dir(&inside).unwrap();
    let compiled = folder.path().join("guest.cwasm");
    let compile = portcullis(&["compile", &guest("surroundings"), "-o", &shown(&compiled)])
        .output()
        .unwrap();
    assert!(compile.status.success(), "{compile:?}");
    let end = |dir: &Path| {
        let dir = format!("{}::/data", shown(dir));
        let mut run = portcullis(&["run", "--dir", &dir]);
        run.arg(&compiled).output().unwrap()
    };
    let output = end(folder.path());
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("by which it is run, held"), "{stderr}");
    assert_ne!(end(&inside).status.code(), Some(2));
}

/// Runs with these arguments, which has to be refused with this.
#[track_caller]
fn check_misplaced(arguments: &[&str], told: &str) {
    let output = portcullis(arguments).output().unwrap();
    let stderr = text(&output.stderr);
    assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
}

#[test]
fn what_reads_like_an_option_is_not_handed_to_the_program() {
    let program = guest("surroundings");
    let behind = |option| ["run", &program, "argument", option, "x"];
    let is_one = "is an option of this command, and stands where";
    check_misplaced(&behind("--deny"), is_one);
    check_misplaced(&behind("--deny=connect tcp://*:*"), is_one);
    let policy = "`--polcy` is no option; is it `--policy`?";
    check_misplaced(&behind("--polcy"), policy);
    check_misplaced(&["run", &program, "--polcy", "x"], policy);
    // A handler has none of its own.
    let serve = ["serve", &program, "--listen", "tcp://127.0.0.1:0"];
    check_misplaced(
        &[&serve[..], &["--no-such"]].concat(),
        "`--no-such` is no option",
    );
    check_misplaced(&[&serve[..], &["x", "-q"]].concat(), "`-q` is no option");
    for line in [
        &["run", &program, "--", "--polcy", "x"][..],
        &["run", &program, "--", "--deny", "x"],
        &["run", &program, "--port", "80", "--help"],
    ] {
        // It is the program that does not take them.
        let output = portcullis(line).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {stderr}");
    }
}

#[test]
fn a_socket_is_opened_for_a_program_without_any_grant() {
    let socket = "--socket=web=tcp://127.0.0.1:0";
    let mut server = portcullis(&["run", socket, &guest("preopens"), "accept"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    output.read_line(&mut address).unwrap();
    let mut visitor = TcpStream::connect(address.trim()).unwrap();
    let mut served = String::new();
    visitor.read_to_string(&mut served).unwrap();
    assert_eq!(served, "served");
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_socket_that_cannot_be_opened_is_named() {
    let program = guest("preopens");
    let check = |sockets: &[&str], expected: &str| {
        let mut arguments = vec!["run"];
        arguments.extend(sockets.iter().flat_map(|socket| ["--socket", socket]));
        arguments.push(&program);
        check_error(&arguments, 2, expected);
    };
    check(
        &["tcp://127.0.0.1:0"],
        "error: --socket tcp://127.0.0.1:0: give a name, as in `web=tcp://127.0.0.1:0`\n",
    );
    check(
        &["=tcp://127.0.0.1:0"],
        "error: --socket =tcp://127.0.0.1:0: give a name, as in `web=tcp://127.0.0.1:0`\n",
    );
    check(
        &["web"],
        "error: --socket web: say what to open, as in `web=tcp://127.0.0.1:8080`\n",
    );
    check(
        &["web=tcp://127.0.0.1:*"],
        "error: --socket web=tcp://127.0.0.1:*: a socket is opened at one endpoint, as in \
         `tcp://127.0.0.1:8080`, `connect tcp://db.internal:5432` or `unix:/run/app.sock`\n",
    );
    check(
        &["web=tcp://127.0.0.1:0", "web=tcp://127.0.0.1:0"],
        "error: --socket web=tcp://127.0.0.1:0: there is a socket `web` already; give each a \
         name of its own\n",
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = format!("web=tcp://{}", taken.local_addr().unwrap());
    let expected = format!("error: --socket {socket}: address in use\n");
    check(&[&socket], &expected);
}

#[test]
fn a_policy_file_grants() {
    let peer = greeter("hello");
    let (_folder, policy) = folder_with(
        "policy.toml",
        format!(
            "version = 1\nallow = [\"connect tcp://{}\"]\n",
            peer.address
        ),
    );
    let arguments = [
        "run",
        "--policy",
        &shown(&policy),
        &guest("greeting-client"),
        &peer.address.to_string(),
    ];
    assert_eq!(
        text(&portcullis(&arguments).output().unwrap().stdout),
        "hello"
    );
    peer.join();
}

#[test]
fn a_deny_on_the_command_line_wins_over_a_policy_file() {
    let (_folder, policy) = folder_with(
        "policy.toml",
        "version = 1\nallow = [\"connect tcp://127.0.0.1:9\"]\n",
    );
    let deny = [
        "run",
        "--policy",
        &shown(&policy),
        "--deny",
        "connect tcp://127.0.0.1:*",
    ];
    let mut command = portcullis(&deny);
    let output = command
        .args([&guest("greeting-client"), "127.0.0.1:9"])
        .output()
        .unwrap();
    assert!(
        text(&output.stderr).contains("connect tcp://127.0.0.1:*"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_ceiling_bounds_what_the_command_line_grants() {
    let peer = greeter("hello");
    let address = peer.address.to_string();
    let ceiling = format!("version = 1\nallow = [\"connect tcp://{address}\"]\n");
    let (_folder, ceiling) = folder_with("operator.toml", ceiling);
    let ceiling = shown(&ceiling);
    let guest = guest("greeting-client");
    let run = |address: &str| {
        let any = "connect tcp://any:*";
        portcullis(&[
            "run",
            "--ceiling",
            &ceiling,
            "--allow",
            any,
            &guest,
            address,
        ])
        .output()
        .unwrap()
    };
    assert_eq!(text(&run(&address).stdout), "hello");
    peer.join();
    let denied = run("127.0.0.2:9");
    assert_eq!(denied.status.code(), Some(1));
    let expected =
        format!("  to allow: add 'connect tcp://127.0.0.2:9' to the ceiling {ceiling}\n");
    let stderr = text(&denied.stderr);
    assert!(stderr.contains(&expected), "{stderr}");
}

#[test]
fn a_ceiling_bounds_the_sockets_that_are_opened() {
    let (_folder, ceiling) = folder_with("operator.toml", "version = 1\n");
    let ceiling = shown(&ceiling);
    check_error(
        &[
            "run",
            "--ceiling",
            &ceiling,
            "--socket",
            "web=tcp://127.0.0.1:0",
            &guest("greeting-client"),
        ],
        2,
        &format!(
            "portcullis: denied  bind tcp://127.0.0.1:0\n  \
               reason: the ceiling {ceiling}: no grant covers it\n  \
               to allow: add 'listen tcp://127.0.0.1:0' to the ceiling {ceiling} \
             (or 'bind tcp://127.0.0.1:0' if it is not to listen)\n\
             error: --socket web=tcp://127.0.0.1:0: bind tcp://127.0.0.1:0 is not granted\n"
        ),
    );
}

#[test]
fn a_policy_with_a_typo_is_refused_with_its_place_and_a_hint() {
    let (_folder, policy) = folder_with(
        "policy.toml",
        "version = 1\nallow = [\n  \"listen tcp://127.0.0.1:80\",\n  \"conect tcp://127.0.0.1:80\",\n]\n",
    );
    let path = shown(&policy);
    check_error(
        &["run", "--policy", &path, &guest("greeting-client")],
        2,
        &format!(
            "error: {path}:4:4: unknown verb `conect`\n  \
               |\n\
             4 |   \"conect tcp://127.0.0.1:80\",\n  \
               |    ^^^^^^\n  \
               |\n  \
               = help: did you mean `connect`?\n"
        ),
    );
}

#[test]
fn a_policy_that_is_not_there_is_named() {
    check_error(
        &["run", "--policy", "nowhere.toml", &guest("greeting-client")],
        2,
        "error: cannot read the policy nowhere.toml: No such file or directory (os error 2)\n",
    );
}

#[test]
fn a_grant_with_a_typo_names_its_flag() {
    let Output { status, stderr, .. } = portcullis(&[
        "run",
        "--allow",
        "conect tcp://127.0.0.1:80",
        &guest("greeting-client"),
    ])
    .output()
    .unwrap();
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(2));
    assert!(
        stderr.starts_with("error: --allow 'conect tcp://127.0.0.1:80'"),
        "{stderr}"
    );
    assert!(stderr.contains("did you mean `connect`?"), "{stderr}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    check_error(
        &["run", "nowhere.wasm"],
        2,
        "error: nowhere.wasm: cannot be read: No such file or directory (os error 2)\n",
    );
}

#[test]
fn a_core_module_is_refused_with_the_way_to_make_it_a_component() {
    let (_folder, path) = folder_with("core.wasm", wat::parse_str("(module)").unwrap());
    let path = shown(&path);
    check_error(
        &["run", &path],
        2,
        &format!(
            "error: {path}: is a core module, not a component; build it for wasm32-wasip2, \
             or wrap it with `wasm-tools component new`\n"
        ),
    );
}

#[test]
fn a_file_that_is_not_webassembly_is_refused() {
    let (_folder, path) = folder_with("notes.txt", "not at all");
    let path = shown(&path);
    check_error(
        &["run", &path],
        2,
        &format!("error: {path}: is not WebAssembly\n"),
    );
}

#[test]
fn a_damaged_component_is_refused() {
    let mut bytes = fs::read(component("greeting-client")).unwrap();
    bytes.truncate(bytes.len() / 2);
    let (_folder, path) = folder_with("half.wasm", bytes);
    let Output { status, stderr, .. } = portcullis(&["run", &shown(&path)]).output().unwrap();
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(
        stderr.starts_with(&format!("error: {}: does not compile: ", path.display())),
        "{stderr}"
    );
}

#[test]
fn an_unknown_import_is_named() {
    let component = r#"(component (import "acme:lasers/fire" (instance (export "now" (func)))))"#;
    let (_folder, path) = folder_with("lasers.wasm", wat::parse_str(component).unwrap());
    let Output { status, stderr, .. } = portcullis(&["run", &shown(&path)]).output().unwrap();
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(
        stderr.starts_with(&format!(
            "error: {}: imports what this host does not have: ",
            path.display()
        )),
        "{stderr}"
    );
    assert!(stderr.contains("acme:lasers/fire"), "{stderr}");
}

#[test]
fn a_component_without_a_main_is_refused() {
    let (_folder, path) = folder_with("library.wasm", wat::parse_str("(component)").unwrap());
    let path = shown(&path);
    check_error(
        &["run", &path],
        2,
        &format!(
            "error: {path}: does not export `wasi:cli/run`, so it is not a program; \
             build it as a binary, not as a library\n"
        ),
    );
}

#[test]
fn a_handler_is_told_from_a_program() {
    for handler in ["greeting-handler", "udp-handler"] {
        let path = guest(handler);
        let error =
            format!("error: {path}: is a handler, not a program: `portcullis serve` serves it\n");
        check_error(&["run", &path], 2, &error);
    }
}

#[test]
fn a_bad_command_line_exits_with_two() {
    for arguments in [
        &["run"][..],
        &["walk"],
        &["run", "--alow", "x", "y.wasm"],
        &[],
    ] {
        let output = portcullis(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_program_without_run_is_told_of_it() {
    let output = portcullis(&["server.wasm", "80"]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr.contains("  tip: to run a program, write `portcullis run server.wasm`\n"),
        "{stderr}"
    );
    let other = portcullis(&["rnu"]).output().unwrap();
    assert!(!text(&other.stderr).contains("to run a program"));
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    check_error(
        &[
            "run",
            "--env",
            "NO_SUCH_VARIABLE",
            &guest("greeting-client"),
        ],
        2,
        "error: --env NO_SUCH_VARIABLE: no such variable here; give it a value: NO_SUCH_VARIABLE=…\n",
    );
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    check_error(
        &["run", "--dir", "nowhere::/data", &guest("greeting-client")],
        2,
        "error: --dir nowhere::/data: cannot open nowhere: No such file or directory (os error 2)\n",
    );
}

#[test]
fn the_greeting_server_greets_native_clients() {
    let mut child = portcullis(&[
        "run",
        "--allow",
        "listen tcp://127.0.0.1:0",
        &guest("greeting-server"),
        "127.0.0.1:0",
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening = lines.next().unwrap().unwrap();
    let address = listening.strip_prefix("Listening on ").unwrap();
    for _ in 0..3 {
        let mut visitor = TcpStream::connect(address).unwrap();
        let peer = visitor.local_addr().unwrap();
        let mut thanks = String::new();
        visitor.read_to_string(&mut thanks).unwrap();
        assert_eq!(thanks, "Thank you for connecting\n");
        assert_eq!(
            lines.next().unwrap().unwrap(),
            format!("Got connection from {peer}")
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
