//! Fuzzes the canonical form of requests. What it checks stands with the ordinary
//! tests, which replay its corpus.
#![no_main]

#[allow(dead_code, reason = "the targets share it, and neither needs all of it")]
#[path = "../../host/policy/tests/corpus/bytes.rs"]
mod bytes;
#[path = "../../host/policy/tests/corpus/request.rs"]
mod request;

libfuzzer_sys::fuzz_target!(|data: &[u8]| request::run(data));
