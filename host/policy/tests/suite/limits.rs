//! Limits: how files say them, and which of several hold.

use std::time::Duration;

use portcullis_policy::{Limits, Policy};
use proptest::option;
use proptest::prelude::*;

fn read(table: &str) -> Limits {
    let text = format!("version = 1\n[limits]\n{table}");
    Policy::builder().file("p", &text).build().unwrap().limits()
}

/// What is wrong with the value of a limit: the place, the reason and the hint.
#[track_caller]
fn mistake(line: &str, reason: &str, hint: &str) {
    let text = format!("version = 1\n[limits]\n{line}");
    let error = Policy::builder().file("p", &text).build().unwrap_err();
    let [diagnostic] = error.diagnostics() else {
        panic!("{error}");
    };
    let position = diagnostic.position.unwrap();
    // At the value, or at the key where that is the mistake.
    let column = match reason.starts_with("unknown") {
        true => 1,
        false => line.find("= ").unwrap() + 3,
    };
    assert_eq!((position.line, position.column), (3, column), "{line}");
    assert_eq!(
        (diagnostic.reason.as_str(), diagnostic.hint.as_deref()),
        (reason, Some(hint)),
        "{line}"
    );
}

#[test]
fn every_limit_is_read() {
    let limits = read(
        r#"
sockets = 128
connections = 0x40
connections-per-second = 100
lookups-per-minute = 60
bytes-sent = "1 GiB"
bytes-received = 1_000
bandwidth = "10 MiB/s"
idle-timeout = "60s"
connection-timeout = "1h 30m"
backlog = 16
"#,
    );
    let mut expected = Limits::default();
    expected.sockets = Some(128);
    expected.connections = Some(64);
    expected.connections_per_second = Some(100);
    expected.lookups_per_minute = Some(60);
    expected.bytes_sent = Some(1 << 30);
    expected.bytes_received = Some(1000);
    expected.bandwidth = Some(10 << 20);
    expected.idle_timeout = Some(Duration::from_secs(60));
    expected.connection_timeout = Some(Duration::from_secs(90 * 60));
    expected.backlog = Some(16);
    assert_eq!(limits, expected);
}

#[test]
fn without_a_table_nothing_is_limited() {
    let policy = Policy::builder().file("p", "version = 1").build().unwrap();
    assert_eq!(policy.limits(), Limits::default());
    assert_eq!(read(""), Limits::default());
}

#[test]
fn sizes_are_decimal_or_binary() {
    for (text, bytes) in [
        ("1", 1),
        ("\"1\"", 1),
        ("\"1 B\"", 1),
        ("\"10 MB\"", 10_000_000),
        ("\"10mb\"", 10_000_000),
        ("\"10 MiB\"", 10 << 20),
        ("\"1.5 KiB\"", 1536),
        ("\"9007199254740993 B\"", 9_007_199_254_740_993),
        ("\"18446744073709551615\"", u64::MAX),
    ] {
        let limits = read(&format!("bytes-sent = {text}"));
        assert_eq!(limits.bytes_sent, Some(bytes), "{text}");
    }
}

#[test]
fn of_several_the_tightest_holds() {
    let file = |table: &str| format!("version = 1\n[limits]\n{table}");
    let builder = Policy::builder()
        .file("one", &file("sockets = 5\nbandwidth = \"1 MB/s\""))
        .file("two", &file("sockets = 9\nidle-timeout = \"1m\""))
        .file(
            "three",
            &file("bandwidth = \"1 MiB/s\"\nidle-timeout = \"59s\""),
        );
    let limits = builder.build().unwrap().limits();
    assert_eq!(
        limits,
        read("sockets = 5\nbandwidth = \"1 MB/s\"\nidle-timeout = \"59s\"")
    );
}

#[test]
fn a_limit_is_neither_zero_nor_negative_nor_endless() {
    let zero = (
        "a limit is more than zero",
        "what is not to be done at all takes no limit: grant nothing of it",
    );
    let negative = (
        "a limit is not negative",
        "what is without limit is left out",
    );
    let endless = (
        "a limit this large is none",
        "what is without limit is left out",
    );
    for (line, (reason, hint)) in [
        ("sockets = 0", zero),
        ("sockets = -0", zero),
        ("bytes-sent = 0", zero),
        ("bytes-sent = \"0 GiB\"", zero),
        ("bytes-sent = \"0.1 B\"", zero),
        ("bandwidth = \"0 B/s\"", zero),
        ("idle-timeout = \"0s\"", zero),
        ("sockets = -1", negative),
        ("bytes-sent = -1", negative),
        ("bytes-sent = \"-1 GiB\"", negative),
        ("bandwidth = \"-1 GiB/s\"", negative),
        ("idle-timeout = \"-60s\"", negative),
        ("sockets = 4294967296", endless),
        ("bytes-sent = 18446744073709551616", endless),
        (
            "bytes-sent = 999999999999999999999999999999999999999999",
            endless,
        ),
        ("bytes-sent = \"18446744073709551616 B\"", endless),
        ("bytes-sent = \"18446744073709551616\"", endless),
        ("bytes-sent = \"16 EiB\"", endless),
        ("bandwidth = \"16777216 TiB/s\"", endless),
        ("idle-timeout = \"101 years\"", endless),
        ("idle-timeout = \"99999999999999999999s\"", endless),
    ] {
        mistake(line, reason, hint);
    }
}

#[test]
fn a_limit_has_its_type_and_its_unit() {
    let count = (
        "this limit is a whole number",
        "write for example `128`, without quotes",
    );
    let size = (
        "this limit is a size",
        "write for example `\"1 GiB\"`, or a number of bytes",
    );
    let rate = (
        "this limit is a rate",
        "write for example `\"10 MiB/s\"`, or a number of bytes a second",
    );
    let duration = (
        "this limit is a duration, as a string",
        "write for example `60s`, `500ms` or `1h 30m`",
    );
    for (line, (reason, hint)) in [
        ("sockets = \"128\"", count),
        ("sockets = 1.5", count),
        ("sockets = true", count),
        ("backlog = []", count),
        ("bytes-sent = 1.5", size),
        ("bytes-received = inf", size),
        ("bandwidth = 1.5", rate),
        ("idle-timeout = 60", duration),
        ("connection-timeout = 07:32:00", duration),
    ] {
        mistake(line, reason, hint);
    }
    let example = "write for example `1 GiB`, `10 MB` or a number of bytes";
    mistake("bytes-sent = \"1 GiX\"", "`1 GiX` is not a size", example);
    mistake("bytes-sent = \"\"", "`` is not a size", example);
    mistake("bytes-sent = \"60s\"", "`60s` is not a size", example);
    mistake(
        "bytes-sent = \"1 GiB/s\"",
        "`1 GiB/s` is not a size",
        example,
    );
    let bits = "what is limited is bytes: write for example `10 MB`";
    mistake("bytes-sent = \"10 Mb\"", "`Mb` counts bits", bits);
    mistake("bandwidth = \"10 Mbit/s\"", "`Mbit` counts bits", bits);
    mistake(
        "bandwidth = \"10 MiB\"",
        "`10 MiB` is not a rate",
        "did you mean `10 MiB/s`?",
    );
    mistake(
        "bandwidth = \"10 MiB/min\"",
        "`10 MiB/min` is not a rate",
        "write for example `10 MiB/s`",
    );
    mistake(
        "idle-timeout = \"60\"",
        "`60` of what?",
        "did you mean `60s`?",
    );
    mistake(
        "idle-timeout = \"60 sheep\"",
        "`60 sheep` is not a duration",
        "write for example `60s`, `500ms` or `1h 30m`",
    );
}

#[test]
fn unknown_limits_are_mistakes() {
    mistake(
        "socket = 1",
        "unknown limit `socket`",
        "did you mean `sockets`?",
    );
    mistake(
        "allow = []",
        "unknown limit `allow`",
        "in TOML, `allow` stands before `[limits]`",
    );
    let error = Policy::builder()
        .file("p", "version = 1\nlimits = 5")
        .build()
        .unwrap_err();
    assert_eq!(error.diagnostics()[0].reason, "`limits` is a table");
}

fn limits() -> impl Strategy<Value = Limits> {
    let count = || option::of(1u32..);
    let size = || {
        option::of(prop_oneof![
            1u64..,
            (1u64..1 << 20).prop_map(|mib| mib << 20)
        ])
    };
    let time = || {
        let longest = 100 * 365 * 24 * 60 * 60;
        let any = (0u64..longest, 1u32..1_000_000_000);
        option::of(any.prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)))
    };
    let counts = (count(), count(), count(), count(), count());
    (counts, (size(), size(), size()), (time(), time())).prop_map(|(counts, sizes, times)| {
        let mut limits = Limits::default();
        limits.sockets = counts.0;
        limits.connections = counts.1;
        limits.connections_per_second = counts.2;
        limits.lookups_per_minute = counts.3;
        limits.backlog = counts.4;
        limits.bytes_sent = sizes.0;
        limits.bytes_received = sizes.1;
        limits.bandwidth = sizes.2;
        limits.idle_timeout = times.0;
        limits.connection_timeout = times.1;
        limits
    })
}

/// Whether each limit is at least as tight as the other's.
fn within(one: Limits, other: Limits) -> bool {
    one.and(other) == one
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn limits_print_as_they_parse(limits in limits()) {
        prop_assert_eq!(read(&limits.to_string()), limits);
    }

    #[test]
    fn limits_are_joined_in_any_order(a in limits(), b in limits(), c in limits()) {
        prop_assert_eq!(a.and(b), b.and(a));
        prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
        prop_assert_eq!(a.and(a), a);
        prop_assert!(within(a.and(b), a) && within(a.and(b), b));
    }

    #[test]
    fn no_quantity_upsets_the_reader(
        key in "(sockets|bytes-sent|bandwidth|idle-timeout)",
        text in "[+-]?[0-9]{0,25}(\\.[0-9]{0,5})?[ \\PC]{0,2}([kKMGTPE]i?)?[bB]?(/s|s|m|h|years)?[0-9]{0,22}(s|ns)?",
    ) {
        let text = text.replace(['"', '\\'], "");
        let file = format!("version = 1\n[limits]\n{key} = \"{text}\"");
        match Policy::builder().file("p", &file).build() {
            Ok(policy) => prop_assert_ne!(policy.limits(), Limits::default()),
            Err(error) => prop_assert!(error.diagnostics().iter().all(|d| !d.reason.is_empty())),
        }
    }
}
