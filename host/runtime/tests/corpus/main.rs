//! What the fuzzers found worth keeping, once more for the ordinary tests. It
//! must not check anything itself: the body of the fuzz target does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod audit;
#[path = "../../../policy/tests/corpus/replay.rs"]
mod replay;
#[path = "../../../net/tests/corpus/runtime.rs"]
mod runtime;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use portcullis::{Audit, AuditLog, Event};
use replay::replay;

#[test]
fn no_known_text_breaks_a_line_of_the_audit() {
    replay("audit", |input| {
        let written = Written::default();
        let log = AuditLog::writer(written.clone()).for_guest("guest");
        let line = move |event: Event<'_>| {
            log.record(event).unwrap();
            std::mem::take(&mut *written.0.lock().unwrap())
        };
        audit::run(input, line);
    });
}

/// Keeps what is written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
