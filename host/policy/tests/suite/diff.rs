//! What a change of policy opens and closes.

use portcullis_policy::{AnyRequest, Change, Effect, Policy, Reverse};
use proptest::prelude::*;

use crate::check::{policy, read};
use crate::properties::compile;
use crate::strategies::{allow, ask, deny, rules};

/// The lines, each after its effect, and then the settings.
fn lines(before: &Policy, after: &Policy) -> Vec<String> {
    let diff = before.diff(after).unwrap();
    let changes = diff.changes().iter().map(Change::to_string);
    let changes = changes.flat_map(|change| change.lines().map(str::to_owned).collect::<Vec<_>>());
    let settings = diff.settings().iter().map(ToString::to_string);
    changes.chain(settings).collect()
}

#[track_caller]
fn check(before: &str, after: &str, expected: &[&str]) {
    let found = lines(&policy(before), &policy(after));
    assert_eq!(found, expected, "\n  before: {before}\n  after: {after}");
    let other_way = |line: &&str| match line.split_once(' ').unwrap() {
        ("opens", rest) => format!("closes  {}", rest.trim_start()),
        ("closes", rest) => format!("opens   {}", rest.trim_start()),
        _ => panic!("no effect: {line}"),
    };
    let mut back: Vec<String> = lines(&policy(after), &policy(before));
    let mut expected: Vec<String> = expected.iter().map(other_way).collect();
    back.sort();
    expected.sort();
    // What is excepted depends on where things end.
    if !expected
        .iter()
        .chain(&back)
        .any(|line| line.contains(" except "))
    {
        assert_eq!(back, expected, "back");
    }
}

/// The unspecified address goes along with connecting to loopback, and its neighbours
/// do not.
#[test]
fn the_names_of_special_addresses_are_not_forgotten_beside_those_of_loopback() {
    let policy = |grants: &[&str]| {
        let builder = grants
            .iter()
            .fold(Policy::builder(), |all, one| all.allow(one));
        builder.build().unwrap()
    };
    let before = policy(&["connect tcp://*:*", "connect tcp://[::]:*", "resolve *"]);
    let after = policy(&["connect tcp://*:*"]);
    let diff = before.diff(&after).unwrap();
    let changes: Vec<String> = diff.changes().iter().map(Change::to_string).collect();
    assert!(
        changes
            .iter()
            .any(|change| change.contains("closes  resolve any but not public,::/127")),
        "{changes:?}"
    );
}

#[test]
fn a_grant_opens_what_it_says() {
    for grant in [
        "connect tcp://10.0.0.5:5432",
        "connect tcp://10.0.0.0/8:80,443,8000-8999",
        "connect udp://[fd00::]/8:*",
        "connect tcp://private:1-1023",
        "connect tcp://any:0",
        "connect tcp://*:443",
        "connect udp://255.255.255.255:9",
        "connect tcp://[::]/0:22",
        "bind tcp://10.0.0.2:0",
        "listen tcp://127.0.0.1:8080",
        "listen tcp://127.0.0.1:8080 from 10.0.0.0/8,fd00::/8",
        "listen udp://*:53 from loopback,private",
        "join udp://multicast:*",
        "join udp://224.0.0.251:5353",
        "resolve db.internal",
        "resolve *.internal",
        "resolve *",
        "resolve *.10.in-addr.arpa",
        "connect unix:/run/app.sock",
        "listen unixgram:/srv/**",
        "bind unix:/srv/*",
        "bind unix:@*",
        "connect unix:@name",
    ] {
        check("", grant, &[&format!("opens   {grant}")]);
        let more = format!("connect tcp://192.0.2.7:7;{grant}");
        check(
            "connect tcp://192.0.2.7:7",
            &more,
            &[&format!("opens   {grant}")],
        );
        check(grant, grant, &[]);
    }
}

#[test]
fn what_a_name_may_lead_to_is_said() {
    check(
        "",
        "connect tcp://db.internal:5432",
        &["opens   connect tcp://db.internal:5432 in public"],
    );
    check(
        "connect tcp://db.internal:5432",
        "connect tcp://db.internal:5432 in private",
        &["opens   connect tcp://db.internal:5432 in private"],
    );
    check(
        "",
        "connect tcp://*.a.b:443;connect tcp://x.a.b:443",
        &["opens   connect tcp://*.a.b:443 in public"],
    );
    check(
        "connect tcp://x.a.b:443",
        "connect tcp://*.a.b:443",
        &["opens   connect tcp://*.a.b:443 in public"],
    );
    check(
        "",
        "connect tcp://*.a.b:443;deny connect tcp://x.a.b:443",
        &[
            "opens   connect tcp://*.a.b:443 in public except x.a.b",
            "opens   resolve x.a.b",
        ],
    );
    check(
        "",
        "connect tcp://localhost:80",
        &["opens   connect tcp://localhost:80 in loopback"],
    );
}

#[test]
fn what_was_there_already_is_not_told_again() {
    check(
        "connect tcp://10.0.0.0/9:80",
        "connect tcp://10.0.0.0/8:80",
        &["opens   connect tcp://10.128.0.0/9:80"],
    );
    check(
        "connect tcp://10.0.0.0/8:80",
        "connect tcp://10.0.0.0/9:80;connect tcp://10.128.0.0/9:80",
        &[],
    );
    check(
        "connect tcp://10.0.0.0/8:80",
        "connect tcp://10.0.0.0/8:80-81",
        &["opens   connect tcp://10.0.0.0/8:81"],
    );
    check(
        "bind tcp://127.0.0.1:80;listen tcp://127.0.0.1:80",
        "listen tcp://127.0.0.1:80",
        &[],
    );
    check(
        "bind tcp://127.0.0.1:80",
        "listen tcp://127.0.0.1:80",
        &["opens   listen tcp://127.0.0.1:80"],
    );
    check(
        "connect tcp://10.0.0.5:80",
        "connect tcp://10.0.0.6:80",
        &[
            "opens   connect tcp://10.0.0.6:80",
            "closes  connect tcp://10.0.0.5:80",
        ],
    );
}

#[test]
fn peers_that_are_let_in_are_told_as_accepting() {
    check(
        "listen tcp://127.0.0.1:80 from 10.0.0.0/9",
        "listen tcp://127.0.0.1:80 from 10.0.0.0/8",
        &["opens   accept tcp://127.0.0.1:80 from 10.128.0.0/9"],
    );
    check(
        "listen tcp://127.0.0.1:80 from private",
        "listen tcp://127.0.0.1:80",
        &["opens   accept tcp://127.0.0.1:80 from any but not private"],
    );
}

#[test]
fn a_deny_closes_what_was_granted_and_nothing_else() {
    check("", "deny connect tcp://10.0.0.0/8:*", &[]);
    check(
        "connect tcp://10.0.0.0/8:80",
        "connect tcp://10.0.0.0/8:80;deny connect tcp://10.0.0.5:*",
        &["closes  connect tcp://10.0.0.5:80"],
    );
    check(
        "connect tcp://any:80",
        "connect tcp://any:80;deny connect tcp://10.0.0.5:*",
        &["closes  connect tcp://10.0.0.5:80"],
    );
    check(
        "connect tcp://[2000::]/3:80",
        "connect tcp://[2000::]/3:80;deny connect tcp://10.0.0.5:*",
        &["closes  connect tcp://[2000::]/3:80 carrying 10.0.0.5"],
    );
    check(
        "",
        "connect tcp://any:80;deny connect tcp://10.0.0.0/8:*",
        &["opens   connect tcp://any:80 but not 10.0.0.0/8 except carrying 10.0.0.0/8"],
    );
}

#[test]
fn metadata_is_told_by_its_own_word() {
    check(
        "",
        "connect tcp://any:80",
        &["opens   connect tcp://any:80"],
    );
    check(
        "connect tcp://any:80",
        "connect tcp://any:80;connect tcp://metadata:80",
        &["opens   connect tcp://metadata:80"],
    );
    check(
        "connect tcp://any:80",
        "connect tcp://any:80;connect tcp://168.63.129.16:80",
        &["opens   connect tcp://168.63.129.16:80"],
    );
    check(
        "connect tcp://169.254.0.0/16:80",
        "connect tcp://169.254.0.0/16:80;deny connect tcp://link-local:80",
        &["closes  connect tcp://169.254.0.0/16:80"],
    );
}

#[test]
fn binding_a_whole_family_is_told_by_its_address() {
    check(
        "listen tcp://0.0.0.0:80",
        "listen tcp://0.0.0.0:80;deny listen tcp://10.0.0.9:80",
        &[
            "closes  listen tcp://0.0.0.0:80",
            "closes  listen tcp://10.0.0.9:80",
        ],
    );
    check(
        "listen tcp://*:80",
        "listen tcp://0.0.0.0:80;listen tcp://[::]:80",
        &[],
    );
}

#[test]
fn layers_are_one_policy() {
    let any = policy("connect tcp://any:*");
    let (narrow, wide) = (
        policy("connect tcp://10.0.0.5:80"),
        policy("connect tcp://10.0.0.0/8:80"),
    );
    assert_eq!(lines(&any.and(&narrow), &narrow), [""; 0]);
    assert_eq!(
        lines(&any.and(&wide), &any.and(&wide).and(&narrow)),
        ["closes  connect tcp://10.0.0.0/8:80 but not 10.0.0.5"]
    );
}

#[test]
fn settings_that_differ_are_told() {
    let file = |text: &str| {
        Policy::builder()
            .file("p", &format!("version = 1\n{text}"))
            .build()
            .unwrap()
    };
    let before =
        file("host-name = \"a\"\n[hosts]\n\"db.internal\" = [\"10.0.0.5\"]\nold = [\"10.0.0.6\"]");
    let after = file("host-name = \"b\"\n[hosts]\n\"db.internal\" = [\"10.0.0.7\"]");
    assert_eq!(
        lines(&before, &after),
        [
            "host-name: a → b",
            "hosts \"db.internal\": 10.0.0.5 → 10.0.0.7",
            "hosts \"old\": 10.0.0.6 → none",
        ]
    );
    assert_eq!(lines(&before, &before), [""; 0]);
}

#[test]
fn what_is_too_complex_is_not_compared() {
    let lines: Vec<String> = (0..300)
        .map(|n| format!("connect tcp://10.0.{}.{}:{}", n / 100, n % 100, 1000 + n))
        .collect();
    let big = policy(&lines.join(";"));
    let names: Vec<String> = (0..300)
        .map(|n| format!("connect tcp://n{n}.a.b:{}", 2000 + n))
        .collect();
    let error = big.diff(&policy(&names.join(";"))).unwrap_err();
    assert!(error.decisions > 1 << 20);
    assert!(
        error.to_string().contains("at most 1048576 are made"),
        "{error}"
    );
}

/// `connect *` is for public addresses: what the others are called goes with
/// `resolve *`, though any name may still be looked up.
#[test]
fn who_may_look_up_any_name_may_look_up_the_name_of_any_address() {
    let kept = "bind tcp://0.0.0.0:*; connect tcp://*:*";
    let (before, after) = (policy(&format!("{kept}; resolve *")), policy(kept));
    let diff = before.diff(&after).unwrap();
    let request = read("resolve 5.0.0.10.in-addr.arpa");
    let reverse = AnyRequest::Reverse(Reverse::new("10.0.0.5".parse().unwrap()));
    for request in [request, reverse] {
        let verdicts = (
            before.check(request.clone()).is_ok(),
            after.check(request.clone()).is_ok(),
        );
        let covering = diff
            .changes()
            .iter()
            .any(|change| diff.covers(change, &request));
        assert_eq!(
            covering,
            verdicts == (true, false),
            "{request}: {:?}",
            lines(&before, &after)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_does_not_differ_from_itself(rules in rules()) {
        let policy = compile(&rules);
        prop_assert!(policy.diff(&policy.clone()).unwrap().is_empty());
    }

    #[test]
    fn every_request_that_is_decided_otherwise_is_in_a_change(
        before in rules(),
        more in prop::collection::vec(allow(), 0..3),
        less in prop::collection::vec(deny(), 0..2),
        asks in prop::collection::vec(ask(), 64),
    ) {
        let mut after = before.clone();
        after.allow.truncate(after.allow.len() / 2);
        after.allow.extend(more);
        after.deny.truncate(1);
        after.deny.extend(less);
        let (before, after) = (compile(&before), compile(&after));
        let diff = before.diff(&after).unwrap();
        for ask in asks {
            let request = read(&ask.to_string());
            let verdicts = (before.check(request.clone()).is_ok(), after.check(request.clone()).is_ok());
            let effect = match verdicts {
                (false, true) => Effect::Opens,
                (true, false) => Effect::Closes,
                _ => continue,
            };
            let covering = diff.changes().iter().filter(|change| diff.covers(change, &request));
            let effects: Vec<Effect> = covering.map(Change::effect).collect();
            prop_assert!(effects.contains(&effect), "{ask}: {:?}", lines(&before, &after));
        }
    }

    #[test]
    fn the_sample_of_a_change_is_decided_otherwise_and_in_it(before in rules(), after in rules()) {
        let (before, after) = (compile(&before), compile(&after));
        let diff = before.diff(&after).unwrap();
        for change in diff.changes() {
            let sample = change.sample();
            let verdicts = (before.check(sample.clone()).is_ok(), after.check(sample.clone()).is_ok());
            let expected = match change.effect() {
                Effect::Opens => (false, true),
                Effect::Closes => (true, false),
            };
            prop_assert_eq!(verdicts, expected, "{}", change);
            prop_assert!(diff.covers(change, sample), "{}", change);
            prop_assert!(!change.lines().is_empty());
        }
    }
}
