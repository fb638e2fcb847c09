//! Fuzzes the grammar of grants. What it checks stands with the ordinary tests,
//! which replay its corpus.
#![no_main]

#[path = "../../host/policy/tests/corpus/grant.rs"]
mod grant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| grant::run(data));
