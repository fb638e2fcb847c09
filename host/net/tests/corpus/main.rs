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
#[path = "../../../policy/tests/corpus/replay.rs"]
mod replay;
mod resolve;
mod runtime;
mod unix_path;

use replay::replay;

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
