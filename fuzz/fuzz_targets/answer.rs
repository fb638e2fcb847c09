//! Fuzzes what name servers answer. What it checks stands with the ordinary tests,
//! which replay its corpus.
#![no_main]

#[path = "../../host/net/tests/corpus/answer.rs"]
mod answer;
#[path = "../../host/net/tests/corpus/runtime.rs"]
mod runtime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| answer::run(data));
