//! Fuzzes paths of unix sockets. What it checks stands with the ordinary tests,
//! which replay its corpus.
#![no_main]

#[allow(dead_code, reason = "the targets share it, and none needs all of it")]
#[path = "../../host/policy/tests/corpus/bytes.rs"]
mod bytes;
#[path = "../../host/net/tests/corpus/runtime.rs"]
mod runtime;
#[path = "../../host/net/tests/corpus/unix_path.rs"]
mod unix_path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| unix_path::run(data));
