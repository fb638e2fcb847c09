//! Descriptors that were left open: a thread with a table of its own shows them,
//! whatever other tests of the process open and close meanwhile.

use std::fs;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::close;

/// Standard input, output and error.
const STANDARD: u32 = 3;

/// Runs `work` on a thread in whose table there are the standard streams and
/// nothing else, and fails if that is not so again at the end.
///
/// A descriptor's number means something else on either side: what `work` uses it
/// has to open itself, what it returns may own none, and no other thread may wake
/// a runtime of its own. Threads that it starts share its table, and may be caught
/// with a file open (the allocator's, say) when they begin.
pub fn spawn_alone<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(|| {
        unshare(CloneFlags::CLONE_FILES).unwrap();
        // So far it is a copy of the caller's.
        close_all();
        let _table = Table;
        let output = work();
        assert_none_beside(&[]);
        output
    })
}

/// The table of a thread that began with an empty one.
struct Table;

impl Drop for Table {
    /// Lets nobody wait for what a failed test has left open; other threads may
    /// still hold the table.
    fn drop(&mut self) {
        close_all();
    }
}

fn close_all() {
    for (number, _) in open() {
        close(number).unwrap();
    }
}

/// A descriptor and what it is of.
pub(crate) type Open = (i32, String);

/// What is open on this thread beside the standard streams, by number.
pub(crate) fn open() -> Vec<Open> {
    let listed = fs::read_dir("/proc/thread-self/fd").unwrap();
    let mut open: Vec<Open> = listed
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
            let what = fs::read_link(entry.path()).unwrap();
            // The listing is one itself.
            let listing = what.starts_with("/proc") && what.ends_with("fd");
            (number >= STANDARD && !listing)
                .then(|| (number.cast_signed(), what.display().to_string()))
        })
        .collect();
    open.sort();
    open
}

/// Checks that nothing is open on this thread but what was.
#[track_caller]
pub(crate) fn assert_none_beside(before: &[Open]) {
    let now = open();
    assert!(
        now == before,
        "descriptors were left open: {now:?}, and before there were {before:?}"
    );
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::mem::forget;

    use super::*;

    fn file() -> File {
        File::open("/dev/null").unwrap()
    }

    #[test]
    fn what_is_left_open_fails() {
        let failure = spawn_alone(|| forget(file())).join().unwrap_err();
        let message: &String = failure.downcast_ref().unwrap();
        assert!(message.contains("/dev/null"), "{message}");
    }

    #[test]
    fn what_is_closed_or_of_others_does_not() {
        let others = file();
        spawn_alone(|| drop(file())).join().unwrap();
        drop(others);
    }
}
