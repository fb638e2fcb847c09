//! Unix sockets: paths, folders, trees and abstract names.

use crate::check::Verdict::{Allow, Deny};
use crate::check::{check, decide, denial, policy};

#[test]
fn a_path_covers_itself_alone() {
    let policy = "connect unix:/run/app.sock";
    check(policy, "connect unix:/run/app.sock", Allow);
    check(policy, "connect unix://run/./app.sock", Allow);
    check(policy, "connect unix:/run/app.sock2", Deny);
    check(policy, "connect unix:/run/app.sock/x", Deny);
    check(policy, "connect unix:/run/App.sock", Deny);
    check(policy, "connect unix:/run", Deny);
    check(policy, "connect unix:@/run/app.sock", Deny);
    check(policy, "connect unix:@run/app.sock", Deny);
}

#[test]
fn a_grant_covers_its_kind_and_its_verb() {
    let policy = "connect unix:/run/app.sock";
    check(policy, "connect unixgram:/run/app.sock", Deny);
    check(policy, "bind unix:/run/app.sock", Deny);
    check(policy, "listen unix:/run/app.sock", Deny);
    let policy = "connect unixgram:/dev/log";
    check(policy, "connect unixgram:/dev/log", Allow);
    check(policy, "connect unix:/dev/log", Deny);
}

#[test]
fn a_folder_covers_what_lies_directly_in_it() {
    let policy = "connect unix:/srv/app/*";
    check(policy, "connect unix:/srv/app/web.sock", Allow);
    check(policy, "connect unix:/srv/app/.hidden", Allow);
    check(policy, "connect unix:/srv/app/sub/web.sock", Deny);
    check(policy, "connect unix:/srv/app", Deny);
    check(policy, "connect unix:/srv/app2", Deny);
    check(policy, "connect unix:/srv/app2/web.sock", Deny);
    check(policy, "connect unix:/other/srv/app/web.sock", Deny);
    check(policy, "connect unix:@/srv/app/web.sock", Deny);
}

#[test]
fn a_tree_covers_everything_beneath_it() {
    let policy = "connect unix:/srv/app/**";
    check(policy, "connect unix:/srv/app/web.sock", Allow);
    check(policy, "connect unix:/srv/app/a/b/c", Allow);
    check(policy, "connect unix:/srv/app", Deny);
    check(policy, "connect unix:/srv/app2", Deny);
    check(policy, "connect unix:/srv/app2/web.sock", Deny);
    check(policy, "connect unix:/srv", Deny);
    check(policy, "connect unix:@/srv/app/web.sock", Deny);
}

#[test]
fn the_root_is_a_folder_and_a_tree() {
    check("connect unix:/*", "connect unix:/x", Allow);
    check("connect unix:/*", "connect unix:/x/y", Deny);
    check("connect unix:/**", "connect unix:/x", Allow);
    check("connect unix:/**", "connect unix:/x/y/z", Allow);
    check("connect unix:/**", "connect unix:@x", Deny);
}

#[test]
fn abstract_names_are_exact_or_all_of_them() {
    let policy = "connect unix:@app";
    check(policy, "connect unix:@app", Allow);
    check(policy, "connect unix:@app2", Deny);
    check(policy, "connect unix:@APP", Deny);
    check(policy, "connect unix:/app", Deny);
    let policy = "connect unix:@*";
    check(policy, "connect unix:@app", Allow);
    check(policy, "connect unix:@/run/app", Allow);
    check(policy, "connect unix:/run/app", Deny);
}

#[test]
fn a_name_that_the_system_chooses_takes_all_abstract_names() {
    check("bind unixgram:@*", "bind unixgram:@*", Allow);
    check("listen unix:@*", "listen unix:@*", Allow);
    check("bind unixgram:@app", "bind unixgram:@*", Deny);
    check("bind unixgram:/**", "bind unixgram:@*", Deny);
    check(
        "bind unixgram:@*;deny bind unixgram:@*",
        "bind unixgram:@*",
        Deny,
    );
}

#[test]
fn a_star_that_is_written_as_a_byte_is_no_pattern() {
    let policy = "connect unix:/run/%2A;connect unix:@%2A";
    check(policy, "connect unix:/run/*", Allow);
    check(policy, "connect unix:/run/x", Deny);
    check(policy, "connect unix:@x", Deny);
    check("connect unix:/run/*", "connect unix:/run/*", Allow);
}

#[test]
fn a_listen_grant_covers_binding_unless_listening_is_denied() {
    let listen = "listen unix:/run/app/*";
    check(listen, "listen unix:/run/app/a", Allow);
    check(listen, "bind unix:/run/app/a", Allow);
    check(listen, "connect unix:/run/app/a", Deny);
    let with = |deny: &str| format!("{listen};{deny}");
    check(
        &with("deny listen unix:/run/app/a"),
        "bind unix:/run/app/a",
        Deny,
    );
    check(
        &with("deny bind unix:/run/app/a"),
        "bind unix:/run/app/a",
        Deny,
    );
    check(
        &with("deny bind unix:/run/app/a"),
        "listen unix:/run/app/a",
        Allow,
    );
    check(
        &with("deny listen unix:/run/app/a"),
        "bind unix:/run/app/b",
        Allow,
    );
    check(
        "bind unix:/run/a;deny listen unix:/run/a",
        "bind unix:/run/a",
        Allow,
    );
    check("bind unix:/run/a", "listen unix:/run/a", Deny);
}

#[test]
fn denies_win() {
    let all = "connect unix:/**;connect unix:@*;connect unix:/run/docker.sock";
    let with = |deny: &str| format!("{all};deny connect {deny}");
    let docker = "connect unix:/run/docker.sock";
    check(all, docker, Allow);
    check(&with("unix:/run/docker.sock"), docker, Deny);
    check(&with("unix:/run/*"), docker, Deny);
    check(&with("unix:/**"), docker, Deny);
    check(
        &with("unix:/run/docker.sock"),
        "connect unix:/run//docker.sock",
        Deny,
    );
    check(&with("unixgram:/run/docker.sock"), docker, Allow);
    check(&with("unix:@*"), docker, Allow);
    check(&with("unix:@x"), "connect unix:@x", Deny);
    check(&with("unix:@x"), "connect unix:@y", Allow);
    check(&with("tcp://*:*"), docker, Allow);
}

#[test]
fn grants_of_addresses_cover_no_path() {
    let policy = "connect tcp://any:*;connect udp://any:*;listen tcp://*:*;bind tcp://*:*";
    for request in ["connect unix:/x", "listen unix:/x", "bind unix:@*"] {
        check(policy, request, Deny);
    }
    check("connect unix:/**", "connect tcp://127.0.0.1:80", Deny);
}

#[test]
fn layers_must_all_allow() {
    let outer = policy("connect unix:/run/**;listen unixgram:@*");
    let inner = policy("connect unix:/run/app/*;connect unix:/tmp/x;listen unixgram:@a");
    let both = outer.and(&inner);
    assert!(decide(&both, "connect unix:/run/app/x").is_ok());
    assert!(decide(&both, "connect unix:/run/other/x").is_err());
    assert!(decide(&both, "connect unix:/tmp/x").is_err());
    assert!(decide(&both, "listen unixgram:@a").is_ok());
    assert!(decide(&both, "listen unixgram:@b").is_err());
}

#[track_caller]
fn says(policy: &str, request: &str, line: &str, remedy: Option<&str>) {
    let denial = denial(policy, request);
    assert_eq!(denial.to_string(), line);
    let remedy = remedy.map(|grant| format!("--allow '{grant}'"));
    assert_eq!(denial.remedy(), remedy);
}

#[test]
fn denials_say_what_is_near_and_what_would_allow() {
    says(
        "",
        "connect unix:/run/app.sock",
        "connect unix:/run/app.sock: no grant covers it",
        Some("connect unix:/run/app.sock"),
    );
    says(
        "connect unix:/run/app/*",
        "connect unix:/run/app/a/b",
        "connect unix:/run/app/a/b: no grant covers it; nearest: connect unix:/run/app/* \
         (path differs)",
        Some("connect unix:/run/app/a/b"),
    );
    says(
        "connect unixgram:/dev/log;connect tcp://any:*",
        "connect unix:/dev/log",
        "connect unix:/dev/log: no grant covers it; nearest: connect unixgram:/dev/log \
         (protocol differs)",
        Some("connect unix:/dev/log"),
    );
    says(
        "bind unix:/run/a",
        "listen unix:/run/a",
        "listen unix:/run/a: no grant covers it; nearest: bind unix:/run/a (verb differs)",
        Some("listen unix:/run/a"),
    );
    says(
        "listen unixgram:/run/a",
        "connect unix:/run/a",
        "connect unix:/run/a: no grant covers it",
        Some("connect unix:/run/a"),
    );
    says(
        "bind unix:@app",
        "bind unix:@*",
        "bind unix:@*: no grant covers it; nearest: bind unix:@app (path differs)",
        Some("bind unix:@*"),
    );
    says(
        "connect unix:/run/**;deny connect unix:/run/docker.sock",
        "connect unix:/run/docker.sock",
        "connect unix:/run/docker.sock: denied by: connect unix:/run/docker.sock",
        None,
    );
    says(
        "listen unix:/run/*;deny listen unix:/run/a",
        "bind unix:/run/a",
        "bind unix:/run/a: denied by: listen unix:/run/a",
        None,
    );
    says(
        "",
        "connect unix:/tmp/it's,`*\u{1b}é",
        "connect unix:/tmp/it%27s%2C%60%2A%1B%C3%A9: no grant covers it",
        Some("connect unix:/tmp/it%27s%2C%60%2A%1B%C3%A9"),
    );
}

#[test]
fn an_address_has_no_nearest_path() {
    says(
        "connect unix:/run/a",
        "connect tcp://10.0.0.5:80",
        "connect tcp://10.0.0.5:80: no grant covers it",
        Some("connect tcp://10.0.0.5:80"),
    );
}
