//! What the fuzzers found worth keeping, once more for the ordinary tests. It
//! must not check anything itself: the bodies of the fuzz targets do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and its peers are not guests"
)]

mod answer;
#[allow(dead_code, reason = "the targets share it, and none needs all of it")]
#[path = "../../../policy/tests/corpus/bytes.rs"]
mod bytes;
mod resolve;
mod runtime;
mod unix_path;

use std::fs;
use std::path::Path;

#[test]
fn no_known_answer_of_a_name_server_lends_a_grant_too_many() {
    replay("answer", answer::run);
}

#[test]
fn no_known_question_upsets_the_resolver() {
    replay("resolve", resolve::run);
}

#[test]
fn no_known_path_leads_out_of_its_folder() {
    replay("unix_path", unix_path::run);
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
