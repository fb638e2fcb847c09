//! Fuzzes whole policies. What it checks stands with the ordinary
//! tests, which replay its corpus.
#![no_main]

#[allow(dead_code, reason = "the targets share it, and neither needs all of it")]
#[path = "../../host/policy/tests/corpus/bytes.rs"]
mod bytes;
#[path = "../../host/policy/tests/corpus/policy_file.rs"]
mod policy_file;

libfuzzer_sys::fuzz_target!(|data: &[u8]| policy_file::run(data));
