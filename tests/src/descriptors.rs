//! Descriptors that were left open: a thread with a table of its own shows them,
//! whatever other tests of the process open and close meanwhile.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::close;
use tokio::runtime::Runtime;

/// Standard input, output and error.
const STANDARD: u32 = 3;

/// Runs `work` on a thread in whose table there are the standard streams and what
/// a runtime of its own has open, and fails if there is more than the streams at
/// the end.
///
/// A descriptor's number means something else on either side: what `work` uses it
/// has to open itself, what it returns may own none, and no other thread may wake
/// its runtime. Threads that it starts share its table.
pub fn spawn_alone<T: Send + 'static>(
    work: impl FnOnce(Runtime) -> T + Send + 'static,
) -> JoinHandle<T> {
    static SIGNALS: Once = Once::new();
    // The first runtime of a process opens what brings signals to all, and the
    // others look for it under the same number: it has to be in every table.
    SIGNALS.call_once(|| drop(runtime()));
    thread::spawn(|| {
        unshare(CloneFlags::CLONE_FILES).unwrap();
        // So far it is a copy of the caller's.
        let of_the_caller = open();
        let runtime = runtime();
        close_all(&of_the_caller);
        let _table = Table;
        let output = work(runtime);
        assert_none_beside(&[]);
        output
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The table of a thread that began with an empty one.
struct Table;

impl Drop for Table {
    /// Lets nobody wait for what a failed test has left open; other threads may
    /// still hold the table.
    fn drop(&mut self) {
        close_all(&open());
    }
}

fn close_all(open: &[Open]) {
    for (number, _) in open {
        // A thread that shares the table may have closed it meanwhile.
        let _ = close(*number);
    }
}

/// A descriptor and what it is of.
pub(crate) type Open = (i32, String);

/// Where what is open on this thread is listed for others to see.
pub(crate) fn table() -> PathBuf {
    let thread = fs::read_link("/proc/thread-self").unwrap();
    PathBuf::from("/proc").join(thread).join("fd")
}

/// What is open on this thread beside the standard streams, by number.
pub(crate) fn open() -> Vec<Open> {
    let listed = fs::read_dir("/proc/thread-self/fd").unwrap();
    let mut open: Vec<Open> = listed
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
            // One that is not there any more was open for a moment.
            let what = fs::read_link(entry.path()).ok()?;
            // The listing is one itself.
            let listing = what.starts_with("/proc") && what.ends_with("fd");
            (number >= STANDARD && !listing)
                .then(|| (number.cast_signed(), what.display().to_string()))
        })
        .collect();
    open.sort();
    open
}

/// Checks that nothing is open on this thread but what was. What a thread that
/// shares the table opens for a moment (the allocator does when one begins) is
/// waited for; what was left open stays.
#[track_caller]
pub(crate) fn assert_none_beside(before: &[Open]) {
    let mut now = open();
    for _ in 0..50 {
        if now == before {
            return;
        }
        thread::sleep(Duration::from_millis(10));
        now = open();
    }
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
        let failure = spawn_alone(|_| forget(file())).join().unwrap_err();
        let message: &String = failure.downcast_ref().unwrap();
        assert!(message.contains("/dev/null"), "{message}");
    }

    #[test]
    fn what_is_closed_or_of_others_does_not() {
        let others = file();
        spawn_alone(|_| drop(file())).join().unwrap();
        drop(others);
    }
}
