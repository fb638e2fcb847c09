//! Standard error, as the command itself writes there, at once. It must not take
//! what was not made safe to show.

use std::io::Write;

use portcullis::Shown;

/// Says it, before anything else is done: in colours where there is a terminal and
/// the text has some.
pub(crate) fn say(lines: &Shown) {
    // Where standard error is gone, all goes on all the same.
    let _ = writeln!(anstream::stderr().lock(), "{lines}");
}
