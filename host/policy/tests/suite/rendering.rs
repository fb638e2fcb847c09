//! How mistakes are shown, and that hostile or endless text is shown safely and
//! in time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use portcullis_policy::{Policy, PolicyError, Shown};
use proptest::prelude::*;

use crate::check::decide;

fn mistakes(text: &str) -> PolicyError {
    Policy::builder()
        .file("policy.toml", text)
        .build()
        .unwrap_err()
}

#[test]
fn each_mistake_is_shown_in_its_line_with_a_hint() {
    let error = Policy::builder()
        .file(
            "policy.toml",
            "version = 1\nallow = [\n  \"connect tcp://bücher.de:1\", \"conect tcp://a.b:1\",\n]\n\
             [limits]\nsockets = 0\nbandwidth = \"1 MB\"\n",
        )
        .allow("connect tcp://a.b")
        .deny("connect tcp://a\n.b:80")
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "\
error: policy.toml:3:33: unknown verb `conect`
  |
3 |   \"connect tcp://bücher.de:1\", \"conect tcp://a.b:1\",
  |                                 ^^^^^^
  |
  = help: did you mean `connect`?

error: policy.toml:6:11: a limit is more than zero
  |
6 | sockets = 0
  |           ^
  |
  = help: what is not to be done at all takes no limit: grant nothing of it

error: policy.toml:7:13: `1 MB` is not a rate
  |
7 | bandwidth = \"1 MB\"
  |             ^^^^^^
  |
  = help: did you mean `1 MB/s`?

error: --allow 'connect tcp://a.b': the port is missing
 |
 | connect tcp://a.b
 |                  ^
 |
 = help: write for example `tcp://example.com:443`, or `:*` for every port

error: --deny 'connect tcp://a\\n.b:80': '\\n' does not belong in a name
 |
 | connect tcp://a\u{fffd}.b:80
 |               ^^^^"
    );
    let lengths: Vec<usize> = error.diagnostics().iter().map(|d| d.length).collect();
    assert_eq!(lengths, [6, 1, 6, 0, 4]);
}

#[test]
fn colours_are_all_that_differs_in_style() {
    let error = mistakes("version = 1\nallow = [\"conect tcp://a.b:1\"]\nhosts = 1");
    let styled = error.styled().to_string();
    assert!(styled.contains("\u{1b}["), "{styled}");
    let mut plain = String::new();
    let mut rest = styled.as_str();
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = sequence.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, error.to_string());
}

#[test]
fn of_many_mistakes_the_first_are_shown_and_the_others_counted() {
    let text = format!("version = 1\nallow = [{}]", "\"x\",\n".repeat(1000));
    let error = mistakes(&text);
    assert_eq!(error.diagnostics().len(), 20);
    assert_eq!(error.omitted(), 980);
    assert!(
        error
            .to_string()
            .ends_with("\n\nerror: there are 980 more mistakes")
    );
    let flags = (0..21).fold(Policy::builder(), |builder, _| builder.allow("x"));
    let error = flags.build().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("error: there is 1 more mistake")
    );
}

#[test]
fn a_line_without_end_is_cut_around_the_mistake() {
    let many = "\"connect tcp://a.b:1\", ".repeat(200_000);
    let text = format!("version = 1\nallow = [{many} \"conect tcp://a.b:1\", {many}]");
    assert!(text.len() > 9_000_000);
    let error = in_time(|| mistakes(&text));
    assert_eq!(
        error.to_string(),
        "\
error: policy.toml:2:4600012: unknown verb `conect`
  |
2 | …, \"connect tcp://a.b:1\", \"connect tcp://a.b:1\",  \"conect tcp://a.b:1\", \"connect tcp://…
  |                                                    ^^^^^^
  |
  = help: did you mean `connect`?"
    );
}

#[test]
fn a_mistake_without_end_is_cut() {
    let text = format!("version = 1\nallow = [\"{}\"]", "v".repeat(10_000_000));
    let shown = in_time(|| mistakes(&text).to_string());
    assert!(shown.len() < 1000, "{shown}");
    let flag = Policy::builder().allow(&"connect tcp://a.b:1,".repeat(500_000));
    let shown = in_time(|| flag.build().unwrap_err().to_string());
    assert!(shown.len() < 1000, "{shown}");
}

/// Each of ten megabytes.
#[test]
fn large_policies_are_read_in_time() {
    let mut text = String::from("version = 1\nallow = [\n");
    for index in 0..200_000u32 {
        let [_, a, b, c] = index.to_be_bytes();
        let _ = writeln!(text, "  \"connect tcp://10.{a}.{b}.{c}:443,8000-8999\",");
    }
    text.push_str("]\n");
    let read = |text: &str| Policy::builder().file("large", text).build();
    let policy = in_time(|| read(&text).unwrap());
    assert!(decide(&policy, "connect tcp://10.1.2.3:8080").is_ok());
    assert!(decide(&policy, "connect tcp://10.1.2.3:80").is_err());

    let error = in_time(|| read(&text.replace("connect", "conect")).unwrap_err());
    assert_eq!(error.omitted(), 200_000 - 20);
    assert!(error.to_string().len() < 10_000);
}

#[test]
fn broken_files_are_refused_in_time() {
    for piece in [
        "[",
        "{",
        "\"",
        "'",
        "a.",
        "a=",
        "=",
        "\n=",
        "\0",
        "[a]\n",
        "[[a]]\n",
        "a=1\n",
        "a=[",
        "a={b=",
        "\\u",
        "# \n",
        "\"\"\"",
        "]",
        "\u{1b}[",
        "a=\"\\x\"\n",
    ] {
        let text = piece.repeat(500_000 / piece.len());
        let shown = in_time(|| mistakes(&text).to_string());
        assert!(shown.len() < 20_000, "{piece:?}: {}", shown.len());
        assert!(!shown.contains('\u{1b}'), "{piece:?}");
    }
}

#[track_caller]
fn in_time<T>(read: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = read();
    let taken = start.elapsed();
    // Unoptimised, on a busy machine.
    assert!(taken < Duration::from_secs(60), "{taken:?}");
    result
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_reaches_a_terminal_raw(
        place in "\\PC{0,5}[\\x00-\\x1f\u{202e}\u{2066}\u{3164}\u{e0001}]\\PC{0,5}",
        text in "(version = 1\n)?((allow|deny|hosts|limits) = )?[\\PC\\x00-\\x1f\u{202e}\u{3164}\u{feff}\"'\\[\\]]{0,60}",
        flag in "(connect )?[\\PC\\x00-\\x1f\u{202e}\u{3164}\u{200b}]{0,60}",
    ) {
        let builder = Policy::builder().file(&place, &text).allow(&flag);
        if let Err(error) = builder.build() {
            let shown = error.to_string();
            prop_assert_eq!(shown.clone(), Shown::whole(&shown).into_string());
            for diagnostic in error.diagnostics() {
                let line = diagnostic.to_string();
                prop_assert_eq!(line.clone(), Shown::whole(&line).into_string());
                prop_assert!(!line.contains('\n'), "{:?}", line);
            }
        }
    }
}
