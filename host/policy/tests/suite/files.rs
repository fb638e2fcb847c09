//! Policy files: what they hold, and how their mistakes are told.

use portcullis_policy::{Name, Policy, PolicyError};

use crate::check::decide;

#[track_caller]
fn mistakes(text: &str, told: &str) {
    let error = Policy::builder()
        .file("policy.toml", text)
        .build()
        .unwrap_err();
    assert_eq!(lines(&error), told);
}

/// Each mistake on a line of its own.
fn lines(error: &PolicyError) -> String {
    let lines: Vec<String> = (error.diagnostics().iter())
        .map(ToString::to_string)
        .collect();
    lines.join("\n")
}

#[test]
fn a_file_holds_grants_denies_and_hosts() {
    let policy = Policy::builder()
        .file(
            "policy.toml",
            r#"
version = 1
allow = ["listen tcp://127.0.0.1:8080", "connect tcp://*.example.com:443"]
deny  = ["connect tcp://10.0.0.0/8:*"]
host-name = "Inside"
[hosts]
"DB.internal" = ["10.0.0.5", "::ffff:10.0.0.6", "10.0.0.5"]
"#,
        )
        .file(
            "more.toml",
            "version = 1\nhosts.\"db.internal\" = [\"10.0.0.7\"]",
        )
        .build()
        .unwrap();
    assert_eq!(policy.host_name(), "inside");
    let hosts = policy.hosts(&Name::parse("db.internal").unwrap()).unwrap();
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["10.0.0.5", "10.0.0.6", "10.0.0.7"]);
    assert_eq!(policy.hosts(&Name::parse("other").unwrap()), None);
    assert!(decide(&policy, "listen tcp://127.0.0.1:8080").is_ok());
    assert!(decide(&policy, "connect tcp://10.0.0.5:80").is_err());
}

#[test]
fn mistakes_in_grants_are_pointed_at_inside_their_strings() {
    mistakes(
        "version = 1\nallow = [\n  \"connect tcp://a.b:1\", \"conect tcp://a.b:1\",\n  'connect tcp://a.b:+',\n]",
        "policy.toml:3:27: unknown verb `conect`; did you mean `connect`?\n\
         policy.toml:4:22: a port is a number, not `+`",
    );
}

#[test]
fn columns_count_characters() {
    mistakes(
        "version = 1\nallow = [\"connect tcp://bücher.de:80\", \"connect tcp://bücher.de:+\"]",
        "policy.toml:2:65: a port is a number, not `+`",
    );
}

#[test]
fn strings_with_escapes_are_pointed_at_as_a_whole() {
    mistakes(
        "version = 1\ndeny = [\"connect tcp://a\\u002Eb:+\"]",
        "policy.toml:2:9: a port is a number, not `+`",
    );
    mistakes(
        "version = 1\ndeny = [\"\"\"connect tcp://a.b:+\"\"\"]",
        "policy.toml:2:9: a port is a number, not `+`",
    );
}

#[test]
fn the_version_is_required_and_known() {
    mistakes(
        "allow = []",
        "policy.toml:1:1: `version` is missing; start the file with `version = 1`",
    );
    for other in ["2", "\"1\"", "1.0", "-1"] {
        mistakes(
            &format!("version = {other}"),
            "policy.toml:1:11: unknown version of the policy format; \
             this version of Portcullis reads `version = 1`",
        );
    }
}

#[test]
fn unknown_keys_are_mistakes() {
    mistakes(
        "version = 1\nalow = []\nzebra = 1",
        "policy.toml:2:1: unknown key `alow`; did you mean `allow`?\n\
         policy.toml:3:1: unknown key `zebra`",
    );
    mistakes(
        "version = 1\nsockets = 128",
        "policy.toml:2:1: unknown key `sockets`; `sockets` stands in `[limits]`",
    );
}

#[test]
fn wrong_types_are_mistakes() {
    mistakes(
        "version = 1\nallow = \"connect tcp://a.b:1\"",
        "policy.toml:2:9: `allow` is a list of strings",
    );
    mistakes(
        "version = 1\ndeny = [1, \"resolve a.b\", []]",
        "policy.toml:2:9: `deny` is a list of strings\npolicy.toml:2:27: `deny` is a list of strings",
    );
    mistakes(
        "version = 1\nhost-name = 1",
        "policy.toml:2:13: `host-name` is a string",
    );
    mistakes(
        "version = 1\nhosts = []",
        "policy.toml:2:9: `hosts` is a table of names",
    );
    mistakes(
        "version = 1\n[hosts]\na = \"10.0.0.5\"",
        "policy.toml:3:5: a host is a list of addresses, as strings",
    );
}

#[test]
fn hosts_are_names_and_addresses() {
    mistakes(
        "version = 1\nhost-name = \"a b\"\n[hosts]\n\"a_b.1\" = []\na = [\"b\", \"127.1\"]",
        "policy.toml:2:14: ' ' does not belong in a name\n\
         policy.toml:4:2: a number is not a name, and not an IPv4 address in dotted decimal\n\
         policy.toml:5:7: `b` is not an IP address\n\
         policy.toml:5:12: `127.1` is not an IP address",
    );
    mistakes(
        "version = 1\n[hosts]\na.b = [\"10.0.0.5\"]",
        "policy.toml:3:1: a host is a list of addresses, as strings; \
             a name with dots stands in quotes",
    );
    mistakes(
        "version = 1\n[hosts]\nallow = [\"resolve a.b\"]",
        "policy.toml:3:11: `resolve a.b` is not an IP address; \
             in TOML, `allow` stands before `[hosts]`",
    );
}

#[test]
fn broken_toml_is_told_with_its_place() {
    mistakes(
        "version = 1\nallow = []\nallow = []",
        "policy.toml:3:1: duplicate key",
    );
    let error = Policy::builder()
        .file("p", "version = ")
        .build()
        .unwrap_err();
    assert!(lines(&error).starts_with("p:1:"), "{error}");
}

#[test]
fn flags_are_named_with_their_text() {
    let error = Policy::builder()
        .file("a.toml", "version = 3")
        .allow("conect tcp://a.b:1")
        .deny("connect tcp://a.b:1 in private")
        .deny("resolve \u{1b}")
        .build()
        .unwrap_err();
    assert_eq!(
        lines(&error),
        "a.toml:1:11: unknown version of the policy format; \
             this version of Portcullis reads `version = 1`\n\
         --allow 'conect tcp://a.b:1': unknown verb `conect`; \
             did you mean `connect`?\n\
         --deny 'connect tcp://a.b:1 in private': a deny takes no `in`; \
             a denied name is denied wherever it leads: leave `in` out\n\
         --deny 'resolve \\u{1b}': '\\u{1b}' does not belong in a name"
    );
    assert_eq!(error.diagnostics().len(), 4);
}
