//! What is worth a second look.

use portcullis_policy::{Policy, Review};

use crate::check::policy;

fn warnings(review: &Review) -> Vec<String> {
    review.warnings.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(warnings(&policy(text).review()), expected, "{text}");
}

#[test]
fn a_policy_that_is_as_it_should_be_is_not_warned_of() {
    check("", &[]);
    check(
        "connect tcp://10.0.0.5:5432;connect tcp://*.example.com:443;connect tcp://*:80;\
         listen tcp://*:8080;listen tcp://127.0.0.1:80 from 10.0.0.0/8;resolve db.internal;\
         connect unix:/run/app.sock;join udp://224.0.0.251:5353;deny connect tcp://10.0.0.9:*",
        &[],
    );
}

#[test]
fn a_grant_that_is_denied_wholly_grants_nothing() {
    let useless = "it grants nothing: all of it is denied, or beyond a ceiling";
    check(
        "connect tcp://10.0.0.5:80;deny connect tcp://10.0.0.0/8:*",
        &[&format!("connect tcp://10.0.0.5:80: {useless}")],
    );
    check(
        "connect tcp://10.0.0.0/8:80-81;deny connect tcp://10.0.0.0/9:80-81;\
         deny connect tcp://10.128.0.0/9:80;deny connect tcp://10.128.0.0/9:81",
        &[&format!("connect tcp://10.0.0.0/8:80-81: {useless}")],
    );
    check(
        "connect tcp://10.0.0.0/8:80;deny connect tcp://10.0.0.5:*",
        &[],
    );
    check(
        "listen unix:/run/a;deny listen unix:/run/**;deny bind unix:/run/*",
        &[&format!("listen unix:/run/a: {useless}")],
    );
    check("listen unix:/run/a;deny bind unix:/run/*", &[]);
}

#[test]
fn a_grant_that_another_covers_is_redundant() {
    check(
        "connect tcp://10.0.0.5:80;connect tcp://10.0.0.0/8:*",
        &["connect tcp://10.0.0.5:80: covered already by: connect tcp://10.0.0.0/8:*"],
    );
    check(
        "connect tcp://10.0.0.0/8:*;connect tcp://10.0.0.5:80",
        &["connect tcp://10.0.0.5:80: covered already by: connect tcp://10.0.0.0/8:*"],
    );
    check(
        "resolve a.b;resolve a.b",
        &["resolve a.b: covered already by: resolve a.b"],
    );
    check(
        "bind tcp://127.0.0.1:80;listen tcp://127.0.0.1:80",
        &["bind tcp://127.0.0.1:80: covered already by: listen tcp://127.0.0.1:80"],
    );
    check(
        "connect tcp://x.a.b:80;connect tcp://*.a.b:80",
        &["connect tcp://x.a.b:80: covered already by: connect tcp://*.a.b:80"],
    );
    check(
        "connect tcp://x.a.b:80 in private;connect tcp://*.a.b:80",
        &[],
    );
    check(
        "listen tcp://*:80;listen tcp://127.0.0.1:80 from 10.0.0.5",
        &["listen tcp://127.0.0.1:80 from 10.0.0.5: covered already by: listen tcp://*:80"],
    );
}

#[test]
fn a_wide_reach_is_spelled_out() {
    let wide = |text: &str, reach: &str| check(text, &[&format!("{text}: {reach}")]);
    wide(
        "connect tcp://any:443",
        "every address but metadata is reached: loopback and private networks as well",
    );
    wide(
        "connect tcp://0.0.0.0/0:443",
        "every address is reached: loopback, private networks and the metadata of clouds as well",
    );
    for range in ["metadata", "169.254.0.0/16", "168.63.129.16"] {
        wide(
            &format!("connect tcp://{range}:80"),
            "metadata is reached, where clouds keep credentials",
        );
    }
    wide(
        "connect tcp://*:*",
        "every public address is reached, on every port",
    );
    wide(
        "listen tcp://*:*",
        "every port of this machine may be listened on, and shared with a server that \
         allows it (SO_REUSEPORT, of datagrams SO_REUSEADDR)",
    );
    for grant in [
        "listen udp://127.0.0.1:*",
        "listen tcp://[::1]:8000-8999",
        "listen tcp://*:80,443",
    ] {
        wide(
            grant,
            "a server at one of these ports that allows it (SO_REUSEPORT, of datagrams \
             SO_REUSEADDR) shares with the guest what comes there",
        );
    }
    wide(
        "resolve *",
        "every name may be looked up, and each lookup can carry data out",
    );
    wide("connect unix:/**", "every path is reached");
    wide(
        "connect tcp://a.b:80 in any",
        "whoever answers for the name may lead it to loopback and private networks",
    );
    for range in ["metadata", "169.254.0.0/16"] {
        wide(
            &format!("connect tcp://a.b:80 in {range}"),
            "whoever answers for the name may lead it to metadata, where clouds keep credentials",
        );
    }
    check("connect tcp://link-local:80", &[]);
}

#[test]
fn a_host_that_its_grant_does_not_reach_is_told_with_the_remedy() {
    let review = |grant: &str| {
        let text =
            format!("version = 1\nallow = [\"{grant}\"]\nhosts = {{ \"a.b\" = [\"10.0.0.5\"] }}");
        warnings(&Policy::builder().file("p", &text).build().unwrap().review())
    };
    assert_eq!(
        review("connect tcp://a.b:80"),
        [
            "connect tcp://a.b:80: [hosts] leads a.b to 10.0.0.5, which the grant does not cover; \
          to allow: --allow 'connect tcp://a.b:80 in private'"
        ]
    );
    assert_eq!(review("connect tcp://a.b:80 in private"), [""; 0]);
}

#[test]
fn what_there_is_is_counted() {
    let text = "version = 1\nallow = [\"resolve a.b\", \"resolve c.d\"]\ndeny = [\"resolve e.f\"]\n\
                [hosts]\nx = [\"10.0.0.5\"]\n[limits]\nsockets = 5\nidle-timeout = \"60s\"";
    let review = Policy::builder().file("p", text).build().unwrap().review();
    assert_eq!(
        (
            review.grants,
            review.denies,
            review.hosts,
            review.limits,
            review.skipped
        ),
        (2, 1, 1, 2, 0)
    );
}

#[test]
fn what_a_ceiling_does_not_grant_is_no_grant() {
    let policy = Policy::builder()
        .allow("connect tcp://10.0.0.5:80")
        .allow("connect tcp://10.0.0.6:80")
        .ceiling("c", "version = 1\nallow = [\"connect tcp://10.0.0.6:*\"]")
        .build()
        .unwrap();
    assert_eq!(
        warnings(&policy.review()),
        ["connect tcp://10.0.0.5:80: it grants nothing: all of it is denied, or beyond a ceiling"]
    );
}
