//! The fuzz target of the grammar: one line of policy text. It must hold for
//! every text.

use portcullis_policy::{Grant, Policy};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    match Grant::parse(text) {
        Ok(grant) => is_one(&grant),
        Err(error) => {
            let at = error.offset..error.offset + error.len;
            assert!(text.get(at.clone()).is_some(), "{at:?} is not in {text:?}");
            assert!(!error.to_string().chars().any(char::is_control), "{error}");
        }
    }
    for builder in [Policy::builder().allow(text), Policy::builder().deny(text)] {
        if let Err(error) = builder.build() {
            let message = error.to_string();
            let mut characters = message.chars();
            assert!(!characters.any(|c| c.is_control() && c != '\n'), "{error}");
        }
    }
}

/// That it prints as it parses, and what it prints is safe within quotes.
fn is_one(grant: &Grant) {
    let printed = grant.to_string();
    assert!(printed.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
    assert!(!printed.contains(['\'', '"', '`', '\\']), "{printed}");
    let again = Grant::parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again, *grant, "{printed}");
    assert_eq!(again.to_string(), printed);
    assert_eq!(again.opening(), grant.opening());
    let policy = Policy::builder().allow(&printed).build();
    assert!(policy.is_ok(), "{printed}");
}
