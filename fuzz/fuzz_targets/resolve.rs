//! Fuzzes what guests ask `resolve`. What it checks stands with the ordinary tests,
//! which replay its corpus.
#![no_main]

#[allow(dead_code, reason = "the targets share it, and none needs all of it")]
#[path = "../../host/policy/tests/corpus/bytes.rs"]
mod bytes;
#[path = "../../host/net/tests/corpus/resolve.rs"]
mod resolve;
#[path = "../../host/net/tests/corpus/runtime.rs"]
mod runtime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| resolve::run(data));
