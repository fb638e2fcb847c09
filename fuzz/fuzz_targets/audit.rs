//! Fuzzes the audit's text. What it checks stands with the ordinary tests, which
//! replay its corpus.
#![no_main]

#[path = "../../host/runtime/tests/corpus/audit.rs"]
mod audit;
#[path = "../../host/runtime/src/audit_log/line.rs"]
mod line;
#[path = "../../host/net/tests/corpus/runtime.rs"]
mod runtime;

use std::time::SystemTime;

use portcullis_net::Event;

libfuzzer_sys::fuzz_target!(|data: &[u8]| audit::run(data, write));

/// Without the file that the log keeps, and without the runtime that guests need.
fn write(event: Event<'_>) -> Vec<u8> {
    let line = line::Line::new(1, SystemTime::now(), Some("guest"), event);
    serde_json::to_vec(&line).unwrap_or_default()
}
