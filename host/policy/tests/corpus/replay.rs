//! What a fuzzer found worth keeping, file by file. It must not check anything itself.

use std::fs;
use std::path::Path;

/// Runs the body of a fuzz target with each input of its corpus.
#[track_caller]
pub(crate) fn replay(target: &str, run: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut files = 0;
    for entry in fs::read_dir(corpus.join(target)).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        run(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files > 0, "no corpus for {target}");
}
