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
mod replay;
mod request;

use replay::replay;

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
