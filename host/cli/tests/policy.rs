//! `portcullis policy`, as a shell sees it: what it prints, and how it exits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with policies.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .arg("policy")
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Checks the exit code and all that is printed.
    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32, expected: &str) {
        let output = self.run(arguments);
        assert_eq!(text(&output.stderr), "");
        assert_eq!(text(&output.stdout), expected);
        assert_eq!(output.status.code(), Some(code));
    }

    #[track_caller]
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Checks that nothing can be done, and what is said of that.
    #[track_caller]
    fn fails(&self, arguments: &[&str], expected: &str) {
        let output = self.run(arguments);
        let stderr = text(&output.stderr);
        assert!(stderr.contains(expected), "{stderr}");
        assert_eq!(
            (text(&output.stdout), output.status.code()),
            (String::new(), Some(2))
        );
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const POLICY: &str = r#"version = 1
allow = [
    "connect tcp://10.0.0.0/8:5432",
    "connect tcp://db.internal:5432 in private",
    "listen tcp://127.0.0.1:8080 from loopback",
    "connect tcp://10.0.0.5:5432",
]
deny = ["connect tcp://10.0.0.9:*"]
[hosts]
"db.internal" = ["10.0.0.5", "1.1.1.1"]
"#;

#[test]
fn check_counts_and_warns() {
    let folder = Folder::with(&[("p.toml", POLICY)]);
    folder.check(
        &["check", "p.toml"],
        0,
        "the policy is good: 4 grants, 1 deny, 1 host, 0 limits\n\
         warning: p.toml:6: connect tcp://10.0.0.5:5432: covered already by: \
         connect tcp://10.0.0.0/8:5432\n",
    );
    let value = folder.json(&["check", "--json", "p.toml"], 0);
    assert_eq!(
        value,
        json!({
            "grants": 4, "denies": 1, "hosts": 1, "limits": 0, "skipped": 0,
            "warnings": [{
                "concern": "redundant",
                "grant": "connect tcp://10.0.0.5:5432",
                "place": { "file": "p.toml", "line": 6 },
                "text": "covered already by: connect tcp://10.0.0.0/8:5432",
            }],
        })
    );
}

#[test]
fn check_reads_several_files_as_one_policy() {
    let folder = Folder::with(&[
        (
            "a.toml",
            "version = 1\nallow = [\"connect tcp://10.0.0.5:80\"]",
        ),
        (
            "b.toml",
            "version = 1\n\ndeny = [\"connect tcp://private:*\"]",
        ),
    ]);
    folder.check(
        &["check", "a.toml", "b.toml"],
        0,
        "the policy is good: 1 grant, 1 deny, 0 hosts, 0 limits\n\
         warning: a.toml:2: connect tcp://10.0.0.5:80: it grants nothing: all of it is denied, or \
         beyond a ceiling\n",
    );
}

#[test]
fn check_tells_every_mistake() {
    let broken = "version = 1\nallow = [\"connekt tcp://a.b:1\", \"connect tcp://a.b\"]\n";
    let folder = Folder::with(&[("p.toml", broken)]);
    folder.fails(&["check", "p.toml"], "unknown verb `connekt`");
    folder.fails(&["check", "p.toml"], "the port is missing");
    let value = folder.json(&["check", "--json", "p.toml"], 2);
    let mistakes = value.as_array().unwrap();
    assert_eq!(mistakes.len(), 2);
    assert_eq!(mistakes[0]["file"], "p.toml");
    assert_eq!(
        (&mistakes[0]["line"], &mistakes[0]["column"]),
        (&json!(2), &json!(11))
    );
    assert_eq!(mistakes[0]["reason"], "unknown verb `connekt`");
    assert_eq!(mistakes[0]["hint"], "did you mean `connect`?");
    folder.fails(
        &["check", "missing.toml"],
        "cannot read the policy missing.toml",
    );
    folder.fails(&["check"], "there is no policy to look through");
}

#[test]
fn explain_says_by_what_a_request_is_allowed() {
    let folder = Folder::with(&[("p.toml", POLICY)]);
    folder.check(
        &["explain", "p.toml", "connect tcp://10.0.0.7:5432"],
        0,
        "allowed  connect tcp://10.0.0.7:5432\n  \
           by: connect tcp://10.0.0.0/8:5432\n  \
           written at: p.toml:3\n",
    );
    folder.check(
        &[
            "explain",
            "p.toml",
            "accept tcp://127.0.0.1:8080 from 127.0.0.1",
        ],
        0,
        "allowed  accept tcp://127.0.0.1:8080 from 127.0.0.1\n  \
           by: listen tcp://127.0.0.1:8080 from loopback\n  \
           written at: p.toml:5\n",
    );
    folder.check(
        &[
            "explain",
            "--allow",
            "connect tcp://10.1.1.1:1",
            "connect tcp://10.1.1.1:1",
        ],
        0,
        "allowed  connect tcp://10.1.1.1:1\n  \
           by: connect tcp://10.1.1.1:1\n  \
           written at: --allow 'connect tcp://10.1.1.1:1'\n",
    );
}

#[test]
fn explain_says_why_a_request_is_denied_and_what_would_allow_it() {
    let folder = Folder::with(&[("p.toml", POLICY)]);
    folder.check(
        &["explain", "p.toml", "connect tcp://10.0.0.9:5432"],
        1,
        "denied   connect tcp://10.0.0.9:5432\n  \
           reason: denied by: connect tcp://10.0.0.9:*\n  \
           written at: p.toml:8\n  \
           to allow: remove the deny 'connect tcp://10.0.0.9:*'\n",
    );
    folder.check(
        &["explain", "p.toml", "connect tcp://10.0.0.7:5433"],
        1,
        "denied   connect tcp://10.0.0.7:5433\n  \
           reason: no grant covers it; nearest: connect tcp://10.0.0.0/8:5432 (port differs)\n  \
           written at: p.toml:3\n  \
           to allow: --allow 'connect tcp://10.0.0.7:5433'\n",
    );
    let value = folder.json(
        &["explain", "--json", "p.toml", "connect tcp://10.0.0.7:5433"],
        1,
    );
    assert_eq!(value["verdict"], "deny");
    assert_eq!(value["request"], "connect tcp://10.0.0.7:5433");
    assert_eq!(value["nearest"], "connect tcp://10.0.0.0/8:5432");
    assert_eq!(value["place"], json!({ "file": "p.toml", "line": 3 }));
    assert_eq!(value["remedy"], "--allow 'connect tcp://10.0.0.7:5433'");
    assert_eq!(value["steps"].as_array().unwrap().len(), 1);
}

#[test]
fn explain_judges_each_address_that_hosts_gives_a_name() {
    let folder = Folder::with(&[("p.toml", POLICY)]);
    folder.check(
        &["explain", "p.toml", "connect tcp://db.internal:5432"],
        0,
        "allowed  connect tcp://db.internal:5432\n  \
           by: connect tcp://db.internal:5432 in private\n  \
           written at: p.toml:4\n  \
           at 10.0.0.5: allowed by connect tcp://db.internal:5432 in private\n  \
           at 1.1.1.1: allowed by connect tcp://db.internal:5432 in private\n",
    );
    let value = folder.json(
        &[
            "explain",
            "--json",
            "p.toml",
            "connect tcp://db.internal:5432",
        ],
        0,
    );
    assert_eq!(value["verdict"], "allow");
    let steps = value["steps"].as_array().unwrap();
    let addresses: Vec<&Value> = steps.iter().map(|step| &step["address"]).collect();
    assert_eq!(
        addresses,
        [&Value::Null, &json!("10.0.0.5"), &json!("1.1.1.1")]
    );
}

#[test]
fn explain_says_where_a_name_may_lead() {
    let folder = Folder::with(&[]);
    let arguments = [
        "explain",
        "--allow",
        "connect tcp://a.b:80 in private",
        "connect tcp://a.b:80",
    ];
    folder.check(
        &arguments,
        0,
        "allowed  connect tcp://a.b:80\n  \
           by: connect tcp://a.b:80 in private\n  \
           written at: --allow 'connect tcp://a.b:80 in private'\n  \
           as long as the name leads to: private,public\n  \
           (each address is judged when it is used; --resolve looks the name up now)\n",
    );
    let value = folder.json(
        &["explain", "--json", "--allow", "resolve a.b", "resolve a.b"],
        0,
    );
    assert_eq!(value.get("destinations"), None);
}

#[test]
fn explain_looks_up_what_the_policy_lets_a_guest_look_up_and_nothing_else() {
    let folder = Folder::with(&[]);
    // Nobody is asked: that would take as long as it takes, and fail.
    folder.check(
        &[
            "explain",
            "--resolve",
            "connect tcp://no-such-name.invalid:80",
        ],
        1,
        "denied   connect tcp://no-such-name.invalid:80\n  \
           reason: no grant covers it\n  \
           to allow: --allow 'connect tcp://no-such-name.invalid:80'\n",
    );
    let grant = "connect tcp://no-such-name.invalid:80";
    folder.fails(
        &["explain", "--resolve", "--allow", grant, grant],
        "cannot look no-such-name.invalid up",
    );
    let grant = "connect tcp://localhost:80";
    let output = folder.run(&["explain", "--resolve", "--allow", grant, grant]);
    let stdout = text(&output.stdout);
    assert!(
        stdout.contains("  at ::1: allowed by connect tcp://localhost:80\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("  at 127.0.0.1: allowed by connect tcp://localhost:80\n"),
        "{stdout}"
    );
}

#[test]
fn explain_refuses_what_is_no_request() {
    let folder = Folder::with(&[("p.toml", POLICY)]);
    folder.fails(
        &["explain", "p.toml", "connect tcp://10.0.0.0/8:80"],
        "error: the request 'connect tcp://10.0.0.0/8:80': a request names one address\n  hint: ",
    );
    folder.fails(
        &["explain", "p.toml", "connekt tcp://a.b:1"],
        "hint: did you mean `connect`?",
    );
    folder.fails(
        &["explain", "missing.toml", "resolve a.b"],
        "cannot read the policy missing.toml",
    );
}

#[test]
fn explain_tells_whose_ceiling_it_is() {
    let folder = Folder::with(&[
        ("p.toml", POLICY),
        (
            "ceiling.toml",
            "version = 1\nallow = [\"connect tcp://10.0.0.5:*\"]",
        ),
    ]);
    let arguments = [
        "explain",
        "--ceiling",
        "ceiling.toml",
        "p.toml",
        "connect tcp://10.0.0.7:5432",
    ];
    let output = folder.run(&arguments);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout.contains("the ceiling ceiling.toml: no grant covers it"),
        "{stdout}"
    );
}

#[test]
fn diff_says_what_opens_and_what_closes() {
    let folder = Folder::with(&[
        ("a.toml", POLICY),
        (
            "b.toml",
            "version = 1\nallow = [\"connect tcp://10.0.0.0/8:5432-5433\"]\n\
             deny = [\"connect tcp://10.0.0.9:*\"]\n[limits]\nsockets = 5",
        ),
    ]);
    let output = folder.run(&["diff", "a.toml", "b.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "opens   connect tcp://10.0.0.0/8:5433 but not 10.0.0.9\n\
         closes  connect tcp://db.internal:5432 in public\n\
         closes  connect tcp://db.internal:5432 in private but not 10.0.0.0/8\n\
         closes  listen tcp://127.0.0.1:8080 from loopback\n\
         sets    hosts \"db.internal\": 10.0.0.5, 1.1.1.1 → none\n\
         sets    limits sockets: none → 5\n"
    );
}

#[test]
fn diff_of_what_decides_alike_is_empty() {
    let folder = Folder::with(&[
        (
            "a.toml",
            "version = 1\nallow = [\"connect tcp://10.0.0.0/8:80\"]",
        ),
        (
            "b.toml",
            "version = 1\nallow = [\"connect tcp://10.0.0.0/9:80\", \"connect tcp://10.128.0.0/9:80\"]",
        ),
    ]);
    folder.check(&["diff", "a.toml", "b.toml"], 0, "");
    let value = folder.json(&["diff", "--json", "a.toml", "b.toml"], 0);
    assert_eq!(value, json!({ "changes": [], "settings": [] }));
    folder.fails(
        &["diff", "a.toml", "missing.toml"],
        "cannot read the policy missing.toml",
    );
}

#[test]
fn diff_as_json_has_a_sample_of_each_change() {
    let folder = Folder::with(&[
        ("a.toml", "version = 1"),
        (
            "b.toml",
            "version = 1\nallow = [\"connect tcp://10.0.0.0/8:80\"]\nhost-name = \"box\"\n\
             [hosts]\n\"a.b\" = [\"10.0.0.5\"]",
        ),
    ]);
    let value = folder.json(&["diff", "--json", "a.toml", "b.toml"], 1);
    assert_eq!(
        value,
        json!({
            "changes": [{
                "effect": "opens",
                "lines": ["connect tcp://10.0.0.0/8:80"],
                "sample": "connect tcp://10.0.0.0:80",
            }],
            "settings": [
                { "key": "host-name", "before": "localhost", "after": "box" },
                { "key": "hosts \"a.b\"", "before": null, "after": "10.0.0.5" },
            ],
        })
    );
}

/// The blocks of a document's section in a language.
fn blocks<'a>(section: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let blocks = section.split(fence.as_str()).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_examples_of_the_documentation_are_true() {
    let document = include_str!("../../../docs/policy.md");
    let (_, section) = document.split_once("\n## Asking the policy\n").unwrap();
    let files: Vec<(&str, &str)> = blocks(section, "toml")
        .into_iter()
        .map(|block| {
            (
                block.strip_prefix("# ").unwrap().lines().next().unwrap(),
                block,
            )
        })
        .collect();
    let folder = Folder::with(&files);
    let mut commands = 0;
    for block in blocks(section, "console") {
        for example in block.split("$ portcullis policy ").skip(1) {
            let (command, expected) = example.split_once('\n').unwrap();
            let (command, request) = match command.split_once(" '") {
                Some((command, request)) => (command, request.strip_suffix('\'')),
                None => (command, None),
            };
            let arguments: Vec<&str> = command.split(' ').chain(request).collect();
            let output = folder.run(&arguments);
            assert_eq!(text(&output.stdout), expected, "{command}");
            commands += 1;
        }
    }
    assert_eq!(commands, 4);
}

#[test]
fn what_the_policy_tells_by_itself_takes_no_grant_to_ask_for() {
    let policy = "version = 1\n[hosts]\n\"db.internal\" = [\"10.0.0.5\"]\n";
    let folder = Folder::with(&[("p.toml", policy)]);
    for (address, code) in [("10.0.0.5", 0), ("127.0.0.1", 0), ("10.0.0.6", 1)] {
        let request = format!("resolve {address}");
        let output = folder.run(&["explain", "p.toml", &request]);
        assert_eq!(output.status.code(), Some(code), "{address}");
    }
}

#[test]
fn a_deny_is_told_with_its_own_place() {
    let grant = "\"connect tcp://10.0.0.5:80\"";
    let policy = format!("version = 1\nallow = [{grant}]\ndeny = [{grant}]\n");
    let folder = Folder::with(&[("p.toml", &policy)]);
    let request = "connect tcp://10.0.0.5:80";
    let told = folder.json(&["explain", "--json", "p.toml", request], 1);
    assert_eq!(told["place"], json!({ "file": "p.toml", "line": 3 }));
}
