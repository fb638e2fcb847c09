//! What the fuzzers found worth keeping, once more for the ordinary tests. It
//! must not check anything itself: the bodies of the fuzz targets do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod bytes;
mod grant;
mod policy_file;
mod request;

use std::fs;
use std::path::Path;

#[test]
fn no_known_grant_upsets_the_parser() {
    replay("grant", grant::run);
}

#[test]
fn no_known_policy_file_upsets_the_builder() {
    replay("policy_file", policy_file::run);
}

#[test]
fn no_known_request_slips_past_the_canonical_form() {
    replay("request", request::run);
}

#[track_caller]
fn replay(target: &str, run: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut files = 0;
    for entry in fs::read_dir(corpus.join(target)).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files > 0, "no corpus for {target}");
}
