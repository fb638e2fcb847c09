//! The examples under the policies that `portcullis learn` writes for them.

mod pairs;
mod reach;

use std::fs;

use portcullis_policy::Policy;
use tempfile::TempDir;
use toml_edit::{DocumentMut, Value};

use crate::example::Example;

/// Learns the policy of an example from what it does when it is used so many
/// times, has it used once more under that, and checks that it reaches no
/// further than the policy that it comes with.
#[track_caller]
pub(crate) fn assert_learned(times: usize, example: impl Fn() -> Example, using: impl Fn(Example)) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("learned.toml");
    let own = example().policy().to_owned();
    let mut learned = without_grants(&own);
    for _ in 0..times {
        using(example().under(learned).learning(&file));
        learned = fs::read_to_string(&file).unwrap();
    }
    using(example().under(learned.clone()));

    let policy = Policy::builder().file("its own", &own).build().unwrap();
    let grants = grants(&learned);
    assert!(!grants.is_empty(), "nothing was learned");
    for grant in grants {
        reach::assert_within(&policy, &grant);
    }
}

fn without_grants(policy: &str) -> String {
    let mut policy: DocumentMut = policy.parse().unwrap();
    policy.remove("allow").unwrap();
    policy.to_string()
}

fn grants(policy: &str) -> Vec<String> {
    let policy: DocumentMut = policy.parse().unwrap();
    let grants = policy["allow"].as_array().unwrap().iter();
    grants
        .map(|grant| Value::as_str(grant).unwrap().to_owned())
        .collect()
}
