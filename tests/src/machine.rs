//! A machine of a test's own, with the interfaces and addresses that it takes.

use std::process::Command;
use std::sync::Once;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

/// Has this thread, and those that it starts from now on, be on a machine with no
/// network but what `commands` make of it. Tells whether it is; where this process
/// may not make one, says so on standard error.
#[must_use]
pub fn machine(commands: &[&str]) -> bool {
    static SKIPPED: Once = Once::new();
    if let Err(Errno::EPERM) = unshare(CloneFlags::CLONE_NEWNET) {
        SKIPPED.call_once(|| eprintln!("skipped: it takes root to make a network namespace"));
        return false;
    }
    for command in commands {
        let mut words = command.split(' ');
        let status = Command::new(words.next().unwrap()).args(words).status();
        assert!(status.unwrap().success(), "{command}");
    }
    true
}
