//! What the fuzzers found worth keeping, once more for the ordinary tests. It
//! must not check anything itself: the body of the fuzz target does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod audit;
#[path = "../../../net/tests/corpus/runtime.rs"]
mod runtime;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use portcullis::{Audit, AuditLog, Event};

#[test]
fn no_known_text_breaks_a_line_of_the_audit() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/audit");
    let mut files = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let written = Written::default();
        let log = AuditLog::writer(written.clone()).for_guest("guest");
        let line = move |event: Event<'_>| {
            log.record(event).unwrap();
            std::mem::take(&mut *written.0.lock().unwrap())
        };
        audit::run(&fs::read(path).unwrap(), line);
        files += 1;
    }
    assert!(files > 0, "no corpus for audit");
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
